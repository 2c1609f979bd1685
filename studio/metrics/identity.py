"""Is it still the same person: CSIM, and the small face network it can be measured with."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats
from studio.metrics.landmarks import IBUG_68
from studio.metrics.metric import Observed, Unavailable, Values

TEMPLATE = np.array(
    [[30.2946, 51.6963], [65.5318, 51.5014], [48.0252, 71.7366], [33.5493, 92.3655], [62.7299, 92.2041]]
)
"""``[5, 2]`` where face networks of the SphereFace and ArcFace families expect eyes, nose tip and mouth
corners in a picture 96 wide and 112 high; pixel centres at integers."""


class IdentityNetwork(Protocol):
    """Turns faces into embeddings whose cosine says whether two pictures show the same person."""

    @property
    def name(self) -> str:
        """Which network, for reports: figures of different networks cannot be compared."""

    def embed(self, pictures: npt.NDArray[np.uint8], landmarks: Floats) -> Floats:
        """``[T, H, W, 3]`` and ``[T, 478, 3]`` → ``[T, D]`` of length one; NaN where landmarks are NaN."""


def csim(real: Observed, rendered: Observed) -> Values:
    """Cosine similarity of the identity embeddings of a rendering and of the real frame at the same time.

    -1..1, higher is better, 1 for identical pictures. Defined by its network, which is named in the settings.
    """
    if real.embeddings is None or rendered.embeddings is None:
        raise Unavailable("CSIM is off because no face identity network is on this machine")
    return np.asarray((real.embeddings * rendered.embeddings).sum(-1), np.float64)


class MobileFaceNet:
    """MobileFaceNet (Chen et al. 2018), 112×96 input, 128 values, read from a plain PyTorch state dict."""

    name = "mobilefacenet"

    def __init__(self, weights: Path) -> None:
        """Read the weights; raises :class:`Unavailable` when the file is not this network."""
        self._network = _mobilefacenet(weights)

    def embed(self, pictures: npt.NDArray[np.uint8], landmarks: Floats) -> Floats:
        """See :class:`IdentityNetwork`. The embedding is that of the face plus that of its mirror image."""
        import torch

        out = np.full((len(pictures), 128), np.nan, np.float32)
        there = np.flatnonzero(np.isfinite(landmarks).all(axis=(1, 2)))
        if not len(there):
            return out
        faces = np.stack([_aligned(pictures[t], landmarks[t]) for t in there])
        batch = torch.from_numpy(faces.transpose(0, 3, 1, 2)).float().sub(127.5).div(128.0)
        with torch.no_grad():
            values = self._network(batch) + self._network(batch.flip(3))
        out[there] = torch.nn.functional.normalize(values).numpy()
        return out


def _aligned(picture: npt.NDArray[np.uint8], landmarks: Floats) -> npt.NDArray[np.uint8]:
    """``[112, 96, 3]`` the face moved onto the template by the least-squares similarity."""
    import cv2

    points = landmarks[IBUG_68, :2].astype(np.float64) - 0.5
    five = np.stack([points[36:42].mean(0), points[42:48].mean(0), points[30], points[48], points[54]])
    # A similarity is one complex multiplication and one addition, so least squares has a closed form.
    z, w = five @ (1.0, 1.0j), TEMPLATE @ (1.0, 1.0j)
    z0, w0 = z.mean(), w.mean()
    turn = np.vdot(z - z0, w - w0) / np.vdot(z - z0, z - z0).real
    shift = w0 - turn * z0
    matrix = np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])
    steps = max(1, int(np.ceil(1.0 / abs(turn))))
    # Sampled finely and averaged, so that a large face is not aliased on its way down to 96 pixels.
    matrix = matrix * steps + np.array([[0.0, 0.0, 0.5 * (steps - 1)]])
    fine = cv2.warpAffine(
        picture, matrix, (96 * steps, 112 * steps), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(cv2.resize(fine, (96, 112), interpolation=cv2.INTER_AREA))


@functools.lru_cache(maxsize=1)
def _mobilefacenet(weights: Path) -> Any:
    import torch
    from torch import nn

    class Convolution(nn.Module):
        def __init__(self, i: int, o: int, k: Any, s: int = 1, p: int = 0, g: int = 1, bend: bool = True):
            super().__init__()
            self.conv = nn.Conv2d(i, o, k, s, p, groups=g, bias=False)
            self.bn = nn.BatchNorm2d(o)
            self.prelu = nn.PReLU(o) if bend else nn.Identity()

        def forward(self, x: Any) -> Any:
            return self.prelu(self.bn(self.conv(x)))

    class Bottleneck(nn.Module):
        def __init__(self, i: int, o: int, stride: int, widening: int):
            super().__init__()
            wide = i * widening
            self.adds = stride == 1 and i == o
            self.conv = nn.Sequential(
                *(nn.Conv2d(i, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.PReLU(wide)),
                *(nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False), nn.BatchNorm2d(wide)),
                *(nn.PReLU(wide), nn.Conv2d(wide, o, 1, bias=False), nn.BatchNorm2d(o)),
            )

        def forward(self, x: Any) -> Any:
            return x + self.conv(x) if self.adds else self.conv(x)

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = Convolution(3, 64, 3, 2, 1)
            self.dw_conv1 = Convolution(64, 64, 3, 1, 1, 64)
            blocks, width = [], 64
            # Widening, width, count and first stride of each stage: table 1 of the paper.
            for widening, wide, count, stride in (
                *((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1)),
                *((4, 128, 1, 2), (2, 128, 2, 1)),
            ):
                for step in range(count):
                    blocks.append(Bottleneck(width, wide, stride if step == 0 else 1, widening))
                    width = wide
            self.blocks = nn.Sequential(*blocks)
            self.conv2 = Convolution(128, 512, 1)
            self.linear7 = Convolution(512, 512, (7, 6), g=512, bend=False)
            self.linear1 = Convolution(512, 128, 1, bend=False)

        def forward(self, x: Any) -> Any:
            x = self.conv2(self.blocks(self.dw_conv1(self.conv1(x))))
            return self.linear1(self.linear7(x)).flatten(1)

    network = Network()
    try:
        stored = torch.load(weights, map_location="cpu", weights_only=True)
        network.load_state_dict(stored.get("net_state_dict", stored), strict=True)
    except Exception as error:
        raise Unavailable(f"CSIM is off because {weights.name} is not a MobileFaceNet checkpoint") from error
    return network.eval()
