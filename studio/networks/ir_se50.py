"""IR-SE50: the residual network of ArcFace (Deng et al. 2019), and who is in an aligned crop.

Names and shapes of the state dict are those of the public ``model_ir_se50.pth``: ``input_layer``, ``body.0``
to ``body.23`` and ``output_layer``. Its body is also that of e4e.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

UNITS = (3, 4, 14, 3)
"""Units in each stage; each stage halves the picture with its first unit."""
FACE = 112
"""Side of the picture that the network looks at."""
CROP = (13, 441, 44, 472)
"""First and last row, first and last column of the face in an FFHQ crop of 512 pixels (PVP's code)."""


@dataclass(frozen=True)
class IrSe50Config:
    """Shape of the network; the defaults are the published ones."""

    widths: tuple[int, int, int, int] = (64, 128, 256, 512)
    """Channels of the four stages; the stem has as many as the first."""
    squeeze: int = 16
    """The channels over this are those between the two layers of a channel attention."""
    embedding: int = 512
    """Numbers in an embedding."""


class Squeeze(nn.Module):
    """Channel attention (squeeze and excitation; Hu et al. 2018)."""

    def __init__(self, channels: int, squeeze: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // squeeze, 1, bias=False)
        self.fc2 = nn.Conv2d(channels // squeeze, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C, h, w]`` to the same."""
        return x * self.fc2(self.fc1(x.mean((2, 3), keepdim=True)).relu()).sigmoid()


class Unit(nn.Module):
    """Two convolutions, normalised before and after, with channel attention and a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int, squeeze: int) -> None:
        super().__init__()
        # Without a change of width the shortcut has no weights: it skips pixels.
        self.shortcut_layer = (
            nn.MaxPool2d(1, stride)
            if inputs == outputs
            else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        )
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False),
            nn.PReLU(outputs),
            nn.Conv2d(outputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            Squeeze(outputs, squeeze),
        )

    def forward(self, x: Tensor) -> Tensor:
        """``[B, inputs, h, w]`` to ``[B, outputs, ⌈h / stride⌉, ⌈w / stride⌉]``."""
        out: Tensor = self.res_layer(x) + self.shortcut_layer(x)
        return out


def stem(widths: tuple[int, ...]) -> nn.Sequential:
    """Pictures to the first features, at full size."""
    return nn.Sequential(
        nn.Conv2d(3, widths[0], 3, 1, 1, bias=False), nn.BatchNorm2d(widths[0]), nn.PReLU(widths[0])
    )


def body(config: IrSe50Config) -> nn.Sequential:
    """The 24 units."""
    units, inputs = [], config.widths[0]
    for width, count in zip(config.widths, UNITS, strict=True):
        for step in range(count):
            units.append(Unit(inputs, width, 2 if step == 0 else 1, config.squeeze))
            inputs = width
    return nn.Sequential(*units)


class IrSe50(nn.Module):
    """Faces to embeddings whose cosine says whether two pictures show the same person."""

    def __init__(self, config: IrSe50Config | None = None) -> None:
        super().__init__()
        config = config or IrSe50Config()
        self.config = config
        last = config.widths[-1]
        self.input_layer = stem(config.widths)
        self.body = body(config)
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(last),
            nn.Dropout(0.6),
            nn.Flatten(),
            nn.Linear(last * (FACE // 16) ** 2, config.embedding),
            nn.BatchNorm1d(config.embedding),
        )

    def forward(self, faces: Tensor) -> Tensor:
        """Faces ``[B, 3, 112, 112]`` in -1..1, RGB, to embeddings ``[B, 512]`` of length one."""
        return F.normalize(self.output_layer(self.body(self.input_layer(faces))))

    def identity_embedding(self, crops: Tensor) -> Tensor:
        """FFHQ-type aligned crops ``[B, 3, R, R]`` in -1..1, of any size, to ``[B, 512]`` of length one.

        Differentiable. ``1 - (a * b).sum(-1)`` of two is PVP's identity loss.
        """
        embedding: Tensor = self(identity_face(crops))
        return embedding


def identity_face(crops: Tensor) -> Tensor:
    """The face in an aligned crop ``[B, 3, R, R]`` as the identity network wants it, ``[B, 3, 112, 112]``.

    At 512 pixels it is what PVP does: a fixed window, averaged over areas. Other sizes are brought to 512
    first, larger ones with a low-pass filter, so that the window stays the same to a fraction of a pixel.
    """
    if crops.shape[-2:] != (512, 512):
        larger = max(crops.shape[-2:]) > 512
        crops = F.interpolate(crops, (512, 512), mode="bilinear", align_corners=False, antialias=larger)
    top, bottom, left, right = CROP
    return F.adaptive_avg_pool2d(crops[..., top:bottom, left:right], FACE)
