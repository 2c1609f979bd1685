"""How different two pictures look, at several scales, with places that may count more than others.

By VGG19's features where the user has them (face-vid2vid's form of the perceptual loss); where there is none,
a stated stand-in of the same form.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from studio.networks.vgg19_features import load_vgg19

SCALES = 4
"""Pictures are compared whole, at a half, a quarter and an eighth."""
SMALLEST = 16
"""Sides below this are not compared: VGG19's deepest layer would have nothing left."""
EDGES = 2.0
"""Weight of gradients beside that of colours where there is no VGG19: edges are few and thin."""


class AppearanceLoss(nn.Module):
    """How different pictures look, at several scales."""

    sentence: str
    """What it is; shown on screen."""

    def forward(self, drawn: Tensor, target: Tensor, counts: Tensor | None = None) -> Tensor:
        """
        Args:
            drawn: ``[B, 3, S, S]`` -1..1.
            target: the same.
            counts: ``[B, 1, S, S]`` how much each place counts, 1 on average; None for all alike.

        Returns:
            A number, 0 for equal pictures.
        """
        total = drawn.new_zeros(())
        for scale in range(SCALES):
            if scale:
                drawn, target = functional.avg_pool2d(drawn, 2), functional.avg_pool2d(target, 2)
                counts = None if counts is None else functional.avg_pool2d(counts, 2)
            if scale == 0 or min(drawn.shape[2:]) >= SMALLEST:
                total = total + self.at_scale(drawn, target, counts)
        return total

    def at_scale(self, drawn: Tensor, target: Tensor, counts: Tensor | None) -> Tensor:
        """The difference at one scale."""
        raise NotImplementedError


class PerceptualLoss(AppearanceLoss):
    """Mean absolute differences of VGG19's features, summed over five layers and four scales."""

    sentence = "Pictures are compared by VGG19's features at four scales."

    def __init__(self, trunk: Path) -> None:
        """Raises Problem when the file is not VGG19."""
        super().__init__()
        self.features = load_vgg19(trunk)

    def at_scale(self, drawn: Tensor, target: Tensor, counts: Tensor | None) -> Tensor:
        """See :class:`AppearanceLoss`."""
        with torch.no_grad():
            wanted = self.features(target)
        total = drawn.new_zeros(())
        for a, b in zip(self.features(drawn), wanted):
            places = counts
            if counts is not None and counts.shape[2:] != a.shape[2:]:
                places = functional.adaptive_avg_pool2d(counts, (a.shape[2], a.shape[3]))
            total = total + _mean((a - b).abs(), places)
        return total


class ColourLoss(AppearanceLoss):
    """Stands in where VGG19 is absent: absolute differences of colours and of their gradients."""

    sentence = (
        "Pictures are compared by colours and gradients at four scales, as VGG19's weights are not on this "
        "machine; with them, textures come out sharper."
    )

    def at_scale(self, drawn: Tensor, target: Tensor, counts: Tensor | None) -> Tensor:
        """See :class:`AppearanceLoss`."""
        error = drawn - target
        total = _mean(error.abs(), counts)
        for axis in (2, 3):
            step = error.diff(dim=axis).abs()
            places = None if counts is None else counts.narrow(axis, 1, step.shape[axis])
            total = total + 0.5 * EDGES * _mean(step, places)
        return total


def appearance_loss(trunk: Path | None) -> AppearanceLoss:
    """By VGG19 where the user has it, else by colours and gradients.

    Raises Problem when the file is not VGG19: a training by something else than was asked for is no help.
    """
    return ColourLoss() if trunk is None else PerceptualLoss(trunk)


def _mean(error: Tensor, counts: Tensor | None) -> Tensor:
    return error.mean() if counts is None else (error * counts).mean()
