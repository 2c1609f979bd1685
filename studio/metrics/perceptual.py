"""Perceptual measures: MS-SSIM and HaarPSI need no weights, LPIPS needs its trunk."""

from __future__ import annotations

import functools
import re
import warnings
from pathlib import Path
from typing import Any, Literal

import numpy as np

from studio.metrics.metric import Observed, Unavailable, Values, picture_pair
from studio.metrics.pictures import as_tensor

SMALLEST_MS_SSIM = 161
"""Five scales halve the picture four times and still need an 11 pixel window."""

Backbone = Literal["vgg", "alex"]
"""Trunk of LPIPS; figures of different trunks cannot be compared."""


def ms_ssim(real: Observed, rendered: Observed) -> Values:
    """Multi-scale structural similarity (Wang et al. 2003): five scales, Gaussian window 11, σ 1.5.

    0..1, higher is better, 1 for identical pictures; piq's implementation on [0, 1]. Pictures smaller than
    161 pixels raise :class:`Unavailable`.
    """
    import piq
    import torch

    a, b = picture_pair(real, rendered)
    if min(a.shape[1:3]) < SMALLEST_MS_SSIM:
        raise Unavailable(f"MS-SSIM needs pictures of at least {SMALLEST_MS_SSIM} pixels")
    with torch.no_grad():
        values = piq.multi_scale_ssim(
            as_tensor(b), as_tensor(a), kernel_size=11, kernel_sigma=1.5, data_range=1.0, reduction="none"
        )
    return np.atleast_1d(np.asarray(values, np.float64))


def haarpsi(real: Observed, rendered: Observed) -> Values:
    """Haar wavelet perceptual similarity (Reisenhofer et al. 2018) with the paper's constants, in colour.

    0..1, higher is better, 1 for identical pictures; piq's implementation on [0, 1].
    """
    import piq
    import torch

    a, b = picture_pair(real, rendered)
    with torch.no_grad():
        values = piq.haarpsi(as_tensor(b), as_tensor(a), data_range=1.0, reduction="none")
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
            values = network(as_tensor(b), as_tensor(a), normalize=True)
        return np.asarray(values, np.float64).reshape(-1)

    return measure


@functools.lru_cache(maxsize=1)
def _lpips_network(trunk: Path, backbone: Backbone) -> Any:
    """The network with the trunk's convolutions put in by hand: the package itself would download them."""
    import lpips
    import torch

    with warnings.catch_warnings():
        # The package asks torchvision in a way that torchvision no longer likes.
        warnings.simplefilter("ignore", UserWarning)
        network = lpips.LPIPS(net=backbone, pnet_rand=True, verbose=False)
    try:
        if trunk.suffix == ".safetensors":
            from safetensors.torch import load_file

            stored = load_file(trunk)
        else:
            stored = torch.load(trunk, map_location="cpu", weights_only=True)
        filled = {
            name: stored["features." + match[1]]
            for name in network.net.state_dict()
            if (match := re.fullmatch(r"slice\d+\.(\d+\.\w+)", name))
        }
        network.net.load_state_dict(filled, strict=True)
    except Exception as error:
        raise Unavailable(
            f"LPIPS is off because {trunk.name} is not torchvision's {backbone.upper()} checkpoint"
        ) from error
    return network.eval()
