"""Head parameters read off an aligned crop, differentiably: what expression and pose losses look through.

Anything with the protocol :class:`Estimator` will do: DECA where the user owns it, otherwise
:class:`HeadEstimator`, a small network of one person that is distilled from the tracker on that person's own
clip (:mod:`pipelines.distil_estimator`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from studio.domain.motion import EXPRESSIONS

GROUPS = {"expression": EXPRESSIONS, "jaw": 3, "angles": 3}
"""What is read, in this order, and how many numbers of each."""
NUMBERS = sum(GROUPS.values())
"""How many numbers are read."""
GRID = 4
"""Side of the last feature map; places matter, because the crop is aligned."""


@dataclass(frozen=True)
class EstimatorReading:
    """What an estimator says of B crops; or, without B, something about each of its numbers."""

    expression: Tensor
    """``[B, 50]`` in standard deviations of the head model."""
    jaw: Tensor
    """``[B, 3]`` axis-angle, radians."""
    angles: Tensor
    """``[B, 3]`` yaw, pitch, roll in degrees as the crop shows them (see :func:`angles_in_crop` of
    :mod:`pipelines.distil_estimator`)."""

    @staticmethod
    def split(numbers: Tensor) -> EstimatorReading:
        """From ``[..., 56]`` in the order of :data:`GROUPS`."""
        return EstimatorReading(*torch.split(numbers, list(GROUPS.values()), -1))


class Estimator(Protocol):
    """Reads head parameters off aligned crops, with gradients to the pixels."""

    @property
    def reliability(self) -> EstimatorReading:
        """0..1 for each number (``[50]``, ``[3]``, ``[3]``): how much of a difference in it is to be
        believed. Losses multiply squared errors by it, so that what cannot be seen misleads nobody."""

    def __call__(self, images: Tensor) -> EstimatorReading:
        """``[B, 3, S, S]`` in -1..1, any S."""


@dataclass(frozen=True)
class EstimatorShape:
    """Shape of the network."""

    components: int
    """Principal components of this person's expressions that it predicts."""
    size: int = 64
    """Side of the crop that it looks at, pixels; a multiple of 16."""
    width: int = 16
    """Channels of the first convolution."""
    hidden: int = 256
    """Numbers between the two linear layers."""
    dropout: float = 0.2
    """Share of numbers dropped while training."""


class HeadEstimator(nn.Module):
    """A small convolutional network of one person.

    It predicts coordinates of about unit size: the clip's principal components of expression, jaw and angles.
    ``mean`` and ``basis`` turn them into a reading, so nothing is ever read that this person's training
    frames do not span. Group normalisation: it does the same in training and evaluation, whatever else is in
    the batch.
    """

    mean: Tensor
    """``[56]``."""
    basis: Tensor
    """``[56, components + 6]``."""
    trusted: Tensor
    """``[56]`` reliability; 0 until it has been measured."""

    def __init__(self, shape: EstimatorShape) -> None:
        """With random weights, mean 0 and basis 0: distilling fills them."""
        super().__init__()
        self.shape = shape
        self.frozen = False
        w = shape.width
        layers: list[nn.Module] = []
        for before, after, kernel, again in (
            (3, w, 5, False),
            (w, 2 * w, 3, True),
            (2 * w, 4 * w, 3, True),
            (4 * w, 4 * w, 3, False),
        ):
            layers += _layer(before, after, kernel, 2)
            if again:
                layers += _layer(after, after, 3, 1)
        self.features = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.Dropout(shape.dropout),
            nn.Linear(4 * w * GRID * GRID, shape.hidden),
            nn.SiLU(),
            nn.Dropout(shape.dropout),
            nn.Linear(shape.hidden, shape.components + 6),
        )
        self.register_buffer("mean", torch.zeros(NUMBERS))
        self.register_buffer("basis", torch.zeros(NUMBERS, shape.components + 6))
        self.register_buffer("trusted", torch.zeros(NUMBERS))

    @property
    def reliability(self) -> EstimatorReading:
        """See :class:`Estimator`."""
        return EstimatorReading.split(self.trusted)

    def coordinates(self, images: Tensor) -> Tensor:
        """``[B, 3, S, S]`` in -1..1 to ``[B, components + 6]``."""
        size = self.shape.size
        if images.shape[-2:] != (size, size):
            images = F.interpolate(images, size=(size, size), mode="bilinear", antialias=True)
        features = F.adaptive_avg_pool2d(self.features(images), GRID)
        coordinates: Tensor = self.head(features.flatten(1))
        return coordinates

    def forward(self, images: Tensor) -> EstimatorReading:
        """See :class:`Estimator`."""
        coordinates = self.coordinates(images).to(self.mean.dtype)
        with torch.autocast(images.device.type, enabled=False):
            return EstimatorReading.split(self.mean + coordinates @ self.basis.T)

    def freeze(self) -> HeadEstimator:
        """From now on it only reads: evaluation mode for good, weights without gradients."""
        self.requires_grad_(False)
        self.frozen = True
        return self.eval()

    def train(self, mode: bool = True) -> HeadEstimator:
        """As for every module; a frozen one stays in evaluation mode."""
        super().train(mode and not self.frozen)
        return self


def _layer(before: int, after: int, kernel: int, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False),
        nn.GroupNorm(4, after),
        nn.SiLU(),
    ]
