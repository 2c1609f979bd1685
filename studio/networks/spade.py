"""SPADE blocks (Park et al. 2019): what is drawn is normalised and modulated in place by a condition."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations, parametrize

SLOPE = 0.2
"""Of leaky rectifiers."""


class Spade(nn.Module):
    """Normalised features times ``1 + γ`` plus ``β``, both read from a condition, place by place."""

    def __init__(self, channels: int, hidden: int, light: bool = False, normalised: bool = True) -> None:
        """
        Args:
            channels: of the features.
            hidden: channels of the condition as :class:`Condition` gives it.
            light: γ and β by 1×1 convolutions, at the condition's own resolution.
            normalised: otherwise features are modulated as they are.
        """
        super().__init__()
        self.normalised = normalised
        self.modulate = nn.Conv2d(hidden, 2 * channels, 1 if light else 3, padding=0 if light else 1)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """``[B, C, h, w]`` and ``[B, hidden, h', w']`` to ``[B, C, h, w]``."""
        told = self.modulate(condition)
        if told.shape[2:] != x.shape[2:]:
            told = functional.interpolate(told, x.shape[2:], mode="bilinear", align_corners=False)
        scale, shift = told.chunk(2, 1)
        plain = functional.instance_norm(x) if self.normalised else x
        return plain * (1.0 + scale) + shift


class Condition(nn.Module):
    """Features in place, and numbers that hold everywhere, as what :class:`Spade` reads.

    ``relu(conv(features, numbers expanded in space))``. The numbers are the same everywhere, so inside the
    picture their part of the convolution is one linear layer; ``light`` takes it for that at the rim too.
    """

    def __init__(self, features: int, numbers: int, hidden: int, light: bool = False) -> None:
        super().__init__()
        self.light, self.numbers = light, numbers
        if light:
            self.conv = nn.Conv2d(features, hidden, 3, padding=1)
            self.linear = nn.Linear(numbers, hidden) if numbers else None
        else:
            self.conv = nn.Conv2d(features + numbers, hidden, 3, padding=1)
            self.linear = None

    def forward(self, features: Tensor, numbers: Tensor | None, size: tuple[int, int]) -> Tensor:
        """
        Args:
            features: ``[B, C, h, w]``.
            numbers: ``[B, N]``, or None where there are none.
            size: height and width at which it is wanted; ``light`` keeps its own.
        """
        if self.light:
            x = self.conv(features)
            if self.linear is not None and numbers is not None:
                x = x + self.linear(numbers)[..., None, None]
            return functional.relu(x)
        if numbers is not None:
            spread = numbers[..., None, None].expand(*numbers.shape, *features.shape[2:])
            features = torch.cat([features, spread.to(features.dtype)], 1)
        if tuple(features.shape[2:]) != size:
            features = functional.interpolate(features, size, mode="nearest")
        return functional.relu(self.conv(features))


class SpadeBlock(nn.Module):
    """Two modulated convolutions and a way around them."""

    def __init__(
        self,
        inside: int,
        outside: int,
        features: int,
        numbers: int,
        hidden: int,
        spectral: bool = True,
        light: bool = False,
        normalised: bool = True,
    ) -> None:
        """
        Args:
            inside: channels that come.
            outside: channels that go.
            features: channels of the condition that differ from place to place.
            numbers: those that do not.
            hidden: see :class:`Condition`.
            spectral: divide weights by their largest singular value (Miyato et al. 2018).
            light: one condition for the whole block, and light parts.
            normalised: see :class:`Spade`.
        """
        super().__init__()
        middle = min(inside, outside)
        self.conv1 = nn.Conv2d(inside, middle, 3, padding=1)
        self.conv2 = nn.Conv2d(middle, outside, 3, padding=1)
        self.around = nn.Conv2d(inside, outside, 1, bias=False) if inside != outside else None
        self.norm1 = Spade(inside, hidden, light, normalised)
        self.norm2 = Spade(middle, hidden, light, normalised)
        self.norm_around: Spade | None = None
        if inside != outside and not light:
            self.norm_around = Spade(inside, hidden, light, normalised)
        count = 1 if light else 2 if self.norm_around is None else 3
        self.conditions = nn.ModuleList(Condition(features, numbers, hidden, light) for _ in range(count))
        if spectral:
            for layer in (self.conv1, self.conv2, self.around):
                if layer is not None:
                    parametrizations.spectral_norm(layer)

    def forward(self, x: Tensor, features: Tensor, numbers: Tensor | None) -> Tensor:
        """``[B, inside, h, w]`` under the condition to ``[B, outside, h, w]``."""
        size = (x.shape[2], x.shape[3])
        told = [condition(features, numbers, size) for condition in self.conditions]
        around = x
        if self.around is not None:
            around = self.around(x if self.norm_around is None else self.norm_around(x, told[-1]))
        y = self.conv1(functional.leaky_relu(self.norm1(x, told[0]), SLOPE))
        y = self.conv2(functional.leaky_relu(self.norm2(y, told[min(1, len(told) - 1)]), SLOPE))
        return around + y


def without_spectral_norm(module: nn.Module) -> None:
    """Replace weights that are divided at every use by what comes of it, in place: for drawing only."""
    for part in list(module.modules()):
        if parametrize.is_parametrized(part, "weight"):
            parametrize.remove_parametrizations(part, "weight")
