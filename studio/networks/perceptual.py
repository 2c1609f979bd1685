"""How different two pictures look, as a loss: LPIPS where the user owns its trunk, otherwise structure.

Both take pictures ``[B, 3, H, W]`` in -1..1 and give ``[B]``, 0 for equal pictures. They are different
yardsticks: a threshold or a weight that was found with one means something else with the other, and
``sentence`` says which of them is at work.
"""

from __future__ import annotations

import re
import warnings
from abc import abstractmethod
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

TrunkKind = Literal["vgg", "alex"]
"""Trunk of LPIPS."""
SMALLEST = 32
"""Least side of a picture."""
WINDOW, SIGMA = 11, 1.5
"""Side and deviation of SSIM's Gaussian window, pixels (Wang et al. 2004)."""
C1, C2 = 0.01**2, 0.03**2
"""SSIM's stabilising constants for values in 0..1."""
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""MS-SSIM's exponents of five scales, fine to coarse (Wang et al. 2003)."""
FLOOR = 0.05
"""Structure below which the loss no longer follows MS-SSIM: negative structure counts as 0 there, without a
gradient, and a picture that began as a negative would stay one."""
SOFT = 0.01
"""Differences of gradients below this count as squares: no kink where pictures are equal."""


class LpipsAbsent(Exception):
    """LPIPS cannot be had here; the message is one clause that says why."""


class PerceptualLoss(nn.Module):
    """Pictures ``[B, 3, H, W]`` in -1..1, twice, any size from 32, to ``[B]``: 0 and up, 0 for equal ones.

    Computes in the pictures' own precision, at least float32, whatever autocast says.
    """

    name: str
    """In short, for tables and reports."""
    sentence: str
    """What it is and, where it stands in for something better, why; shown on screen."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """How different ``x`` looks from ``y``. ValueError for shapes that do not fit."""
        if x.shape != y.shape or x.ndim != 4 or x.shape[1] != 3 or min(x.shape[2:]) < SMALLEST:
            raise ValueError(f"expected two [B, 3, H, W] of {SMALLEST} or more, got {x.shape}, {y.shape}")
        with torch.autocast(x.device.type, enabled=False):
            wide = torch.promote_types(torch.promote_types(x.dtype, y.dtype), torch.float32)
            return self.difference(x.to(wide), y.to(wide))

    @abstractmethod
    def difference(self, x: Tensor, y: Tensor) -> Tensor:
        """The measure itself, shapes and types being right."""


def perceptual_loss(trunk: Path | None, kind: TrunkKind = "vgg") -> PerceptualLoss:
    """LPIPS with the user's trunk, or :class:`StructuralLoss` with a sentence on why it stands in.

    Args:
        trunk: torchvision's ImageNet checkpoint of the kind (``vgg16-397923af.pth``,
            ``alexnet-owt-7be5be79.pth``, or the same tensors as safetensors); None where there is none.
        kind: which network the file holds. PVP's mapper uses VGG, PTI uses AlexNet.
    """
    try:
        if trunk is None:
            raise LpipsAbsent(f"the {kind.upper()} ImageNet weights are not on this machine")
        return LpipsLoss(trunk, kind)
    except LpipsAbsent as reason:
        return StructuralLoss(str(reason))


class LpipsLoss(PerceptualLoss):
    """LPIPS (Zhang et al. 2018, v0.1 heads), equal to the lpips package's own to rounding.

    Unlike the package's, its gradient is finite where a trunk feels nothing at all, as in flat regions.
    """

    def __init__(self, trunk: Path, kind: TrunkKind = "vgg") -> None:
        """Raises :class:`LpipsAbsent`."""
        super().__init__()
        self.network = lpips_network(trunk, kind).requires_grad_(False)
        self.name = f"LPIPS ({kind.upper()})"
        self.sentence = f"Pictures are compared by LPIPS with the {kind.upper()} trunk ({trunk.name})."

    def train(self, mode: bool = True) -> LpipsLoss:
        """Always in evaluation mode: its heads have dropout."""
        super().train(False)
        return self

    def difference(self, x: Tensor, y: Tensor) -> Tensor:
        """See :class:`PerceptualLoss`. Gradients reach both pictures; only where asked is memory held."""
        net = self.network
        felt_x, felt_y = (net.net(net.scaling_layer(picture)) for picture in (x, y))
        total = torch.zeros(len(x), dtype=x.dtype, device=x.device)
        for a, b, head in zip(felt_x, felt_y, net.lins):
            total = total + head((_unit(a) - _unit(b)).square()).mean((1, 2, 3))
        return total


def _unit(features: Tensor) -> Tensor:
    """Features ``[B, C, h, w]`` of length one at each place; nothing stays nothing."""
    # The small number keeps the root's gradient finite; 1e-10 is the package's own guard.
    return features / ((features.square().sum(1, keepdim=True) + 1e-20).sqrt() + 1e-10)


def lpips_network(trunk: Path, kind: TrunkKind) -> Any:
    """The lpips package's network with the trunk's convolutions put in by hand (it would download them).

    Raises :class:`LpipsAbsent`.
    """
    try:
        import lpips
    except ImportError as error:
        raise LpipsAbsent("the lpips package, which holds its heads, is not installed") from error
    if not trunk.is_file():
        raise LpipsAbsent(f"the {kind.upper()} ImageNet weights are not on this machine")
    foreign = f"{trunk.name} is not torchvision's {kind.upper()} checkpoint"
    try:
        if trunk.suffix == ".safetensors":
            from safetensors.torch import load_file

            stored = load_file(trunk)
        else:
            stored = torch.load(trunk, map_location="cpu", weights_only=True)
    except Exception as error:
        raise LpipsAbsent(foreign) from error
    # The package fills the trunk with random numbers first: nobody else's should change by that.
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        # It asks torchvision in a way that torchvision no longer likes.
        warnings.simplefilter("ignore", UserWarning)
        network = lpips.LPIPS(net=kind, pnet_rand=True, verbose=False)
    try:
        filled = {
            name: stored["features." + match[1]]
            for name in network.net.state_dict()
            if (match := re.fullmatch(r"slice\d+\.(\d+\.\w+)", name))
        }
        network.net.load_state_dict(filled, strict=True)
    except Exception as error:
        raise LpipsAbsent(foreign) from error
    return network.eval()


class StructuralLoss(PerceptualLoss):
    """Stands in for LPIPS without any weights: (1 - MS-SSIM) + mean difference of gradients over the scales.

    Structure sees what moved or lost its contrast, gradients see edges that are missing or too many. Both
    are near LPIPS in size (a few hundredths for a good rendering), but not the same measure. Pictures
    smaller than 161 pixels have fewer scales.
    """

    window: Tensor
    """``[1, 1, 11]``."""

    def __init__(self, reason: str = "the VGG ImageNet weights are not on this machine") -> None:
        """
        Args:
            reason: why it is not LPIPS, as a clause.
        """
        super().__init__()
        self.name = "MS-SSIM + gradients"
        self.reason = reason
        self.sentence = (
            f"LPIPS is off because {reason}: multi-scale structural similarity and gradient differences "
            "stand in for it, which judge texture less like an eye does."
        )
        self.register_buffer("window", _gaussian(torch.float64), persistent=False)

    def difference(self, x: Tensor, y: Tensor) -> Tensor:
        """See :class:`PerceptualLoss`."""
        a, b = (0.5 * x + 0.5, 0.5 * y + 0.5)
        similarity, edges = _over_scales(a, b, self.window.to(x), floor=FLOOR)
        return (1.0 - similarity) + edges


def ms_ssim(x: Tensor, y: Tensor) -> Tensor:
    """Multi-scale structural similarity (Wang et al. 2003) of pictures ``[B, 3, H, W]`` in 0..1, ``[B]``.

    As in piq: five scales by 2×2 averages, window 11 and σ 1.5 inside the picture only, negative terms count
    as 0, mean over channels. Where the fifth scale holds no window there are fewer, weighing 1 in all.
    """
    return _over_scales(x, y, _gaussian(x.dtype).to(x.device), floor=0.0)[0]


def scales(height: int, width: int) -> int:
    """How many scales of a picture hold a window, 1..5."""
    fit = [n for n in range(len(SCALE_WEIGHTS)) if (WINDOW - 1) * 2**n < min(height, width)]
    return max(len(fit), 1)


def _over_scales(x: Tensor, y: Tensor, window: Tensor, floor: float) -> tuple[Tensor, Tensor]:
    """MS-SSIM and mean difference of gradients, ``[B]`` each."""
    count = scales(*x.shape[2:])
    weights = torch.tensor(SCALE_WEIGHTS[:count], dtype=x.dtype, device=x.device)
    if count < len(SCALE_WEIGHTS):  # the five add up to 1.0001, and piq takes them as they are
        weights = weights / weights.sum()
    product = torch.ones(x.shape[:2], dtype=x.dtype, device=x.device)
    edges = torch.zeros(len(x), dtype=x.dtype, device=x.device)
    for scale in range(count):
        if scale:
            x, y = _halved(x), _halved(y)
        whole, structure = _similarity(x, y, window)
        factor = whole if scale == count - 1 else structure
        product = product * (_floored(factor, floor) if floor else factor.relu()) ** weights[scale]
        edges = edges + _edge_difference(x - y) / count
    return product.mean(1), edges


def _floored(value: Tensor, floor: float) -> Tensor:
    """The value itself from ``floor`` on; below, a hyperbola that joins smoothly and stays above 0."""
    return torch.where(value > floor, value, floor / (2.0 - value.clamp_max(floor) / floor))


def _similarity(x: Tensor, y: Tensor, window: Tensor) -> tuple[Tensor, Tensor]:
    """SSIM and its contrast-and-structure factor, averaged over the picture: ``[B, 3]`` each."""
    parts = _blurred(torch.cat([x, y, x * x, y * y, x * y], 1), window)
    mean_x, mean_y, square_x, square_y, product = torch.chunk(parts, 5, 1)
    cross, squares = mean_x * mean_y, mean_x * mean_x + mean_y * mean_y
    structure = (2.0 * (product - cross) + C2) / (square_x + square_y - squares + C2)
    whole = structure * (2.0 * cross + C1) / (squares + C1)
    return whole.mean((2, 3)), structure.mean((2, 3))


def _blurred(x: Tensor, window: Tensor) -> Tensor:
    """The window's weighted mean wherever it fits: ``[B, C, H - 10, W - 10]``."""
    channels = x.shape[1]
    kernel = window.expand(channels, 1, WINDOW)
    return F.conv2d(F.conv2d(x, kernel[..., None], groups=channels), kernel[:, :, None], groups=channels)


def _halved(x: Tensor) -> Tensor:
    """2×2 averages; an odd side is first lengthened by a copy of the first row or column, as piq does."""
    odd = max(x.shape[2] % 2, x.shape[3] % 2)
    return F.avg_pool2d(F.pad(x, (odd, 0, odd, 0), mode="replicate") if odd else x, 2)


def _edge_difference(difference: Tensor) -> Tensor:
    """Mean size of the gradients of a difference, ``[B]``; sqrt(d² + s²) - s for |d|."""
    steps = (difference.diff(dim=3), difference.diff(dim=2))
    sizes = [((step.square() + SOFT**2).sqrt() - SOFT).mean((1, 2, 3)) for step in steps]
    return sizes[0] + sizes[1]


def _gaussian(dtype: torch.dtype) -> Tensor:
    """SSIM's window along one axis, ``[1, 1, 11]``, sum 1."""
    at = torch.arange(WINDOW, dtype=torch.float64) - (WINDOW - 1) / 2
    kernel = torch.exp(-at.square() / (2.0 * SIGMA**2))
    return (kernel / kernel.sum()).to(dtype)[None, None]
