"""Perceptual measures by networks and wavelets: HaarPSI needs no weights, LPIPS needs its trunk."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from studio.metrics.metric import Observed, Unavailable, Values, picture_pair

Backbone = Literal["vgg", "alex"]
"""Trunk of LPIPS; figures of different trunks cannot be compared."""


def haarpsi(real: Observed, rendered: Observed) -> Values:
    """Haar wavelet perceptual similarity (Reisenhofer et al. 2018) with the paper's constants, in colour.

    0..1, higher is better, 1 for identical pictures; piq's implementation on [0, 1].
    """
    import piq
    import torch

    a, b = picture_pair(real, rendered)
    with torch.no_grad():
        values = piq.haarpsi(_as_tensor(b), _as_tensor(a), data_range=1.0, reduction="none")
    return np.atleast_1d(np.asarray(values, np.float64))


def lpips_with(trunk: Path | None, backbone: Backbone = "vgg") -> Any:
    """LPIPS (Zhang et al. 2018, v0.1 heads) with the named trunk, as a function of real and rendered.

    0 and up, lower is better, 0 for identical pictures; depends on the trunk and on the resolution, so state
    both. PVP and Tri2-plane report VGG. The heads come with the lpips package; the trunk is torchvision's
    ImageNet checkpoint (``vgg16-397923af.pth`` or ``alexnet-owt-7be5be79.pth``) and is never downloaded.

    Args:
        trunk: the checkpoint file, or None where it is absent: measuring then raises :class:`Unavailable`.
        backbone: which network the file holds.
    """

    def measure(real: Observed, rendered: Observed) -> Values:
        import torch

        a, b = picture_pair(real, rendered)
        if trunk is None or not trunk.is_file():
            raise Unavailable(
                f"LPIPS is off because the {backbone.upper()} ImageNet weights are not on this machine"
            )
        network = _lpips_network(trunk, backbone)
        with torch.no_grad():
            values = network(_as_tensor(b), _as_tensor(a), normalize=True)
        return np.asarray(values, np.float64).reshape(-1)

    return measure


def _as_tensor(pictures: npt.NDArray[np.uint8]) -> Any:
    """Pictures ``[T, H, W, 3]`` uint8 as a torch tensor ``[T, 3, H, W]`` float32 in [0, 1]."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))).float() / 255.0


@functools.lru_cache(maxsize=1)
def _lpips_network(trunk: Path, backbone: Backbone) -> Any:
    """The network that is also the training loss, kept for the next clip."""
    from studio.networks.perceptual import LpipsAbsent, lpips_network

    try:
        return lpips_network(trunk, backbone)
    except LpipsAbsent as reason:
        raise Unavailable(f"LPIPS is off because {reason}") from reason
