"""The deformation field: where in the canonical volume a point of an expressing face is (paper, section 3.2).

D-Net gives every point an offset, W-Net says how much of it the point goes. Both are told who it is and how
the target expression differs from the canonical one. D-Net's offset is a mixture of some, with amounts that
are linear in that difference, as blendshapes are: no difference moves nothing, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from studio.engines.nofa.settings import IDENTITY, NofaSettings
from studio.head.expression_numbers import EXPRESSION

SLOPE = 0.2
"""Of the leaky rectifiers."""
STARTS = 2.0
"""Logit of W-Net's weights to begin with: 0.88."""


@dataclass(frozen=True)
class FaceWarp:
    """Where in the canonical volume points of B expressing faces are, to be asked."""

    field: DeformationField
    """What has learnt it."""
    identity: Tensor
    """``[B, 40]``"""
    difference: Tensor
    """``[B, 57]``"""
    moved: Tensor | None
    """``[B, 3, G, G]`` the head model's part; None for nothing."""

    def __call__(self, points: Tensor) -> Tensor:
        """Points ``[B, M, 3]`` of the target to those of the planes, the volume's units."""
        return self.roughly(points) + self.field.offset(points, self.identity, self.difference)

    def roughly(self, points: Tensor) -> Tensor:
        """The head model's part alone, for a first look along rays."""
        return points if self.moved is None else points + on_front(self.moved, points)


class PointNetwork(nn.Module):
    """Points and what holds for all points of a face, to numbers of each point.

    The condition's part of a layer is the same for all points, so it is calculated once for them.
    """

    def __init__(self, places: int, condition: int, width: int, layers: int, outputs: int) -> None:
        """
        Args:
            places: numbers of a point.
            condition: numbers of a face.
            width: of the layers between.
            layers: how many there are, the last one included.
            outputs: numbers to give.
        """
        super().__init__()
        self.again = layers // 2
        self.first = nn.Linear(places, width)
        self.told = nn.Linear(condition, width, bias=False)
        self.between = nn.ModuleList(
            nn.Linear(width + (places if step == self.again else 0), width) for step in range(1, layers - 1)
        )
        self.last = nn.Linear(width, outputs)

    def forward(self, places: Tensor, condition: Tensor) -> Tensor:
        """``[B, M, places]`` and ``[B, condition]`` to ``[B, M, outputs]``."""
        x = functional.leaky_relu(self.first(places) + self.told(condition)[:, None], SLOPE)
        for step, layer in enumerate(self.between, 1):
            seen = torch.cat([x, places], -1) if step == self.again else x
            x = functional.leaky_relu(layer(seen), SLOPE)
        out: Tensor = self.last(x)
        return out


class DeformationField(nn.Module):
    """D-Net and W-Net. The identity at first, whatever the expression."""

    def __init__(self, shape: NofaSettings) -> None:
        super().__init__()
        self.shape = shape
        self.moves = shape.moves
        places = 3 + 6 * shape.frequencies
        condition = EXPRESSION + (IDENTITY if shape.identity_condition else 0)
        self.amounts = nn.Linear(EXPRESSION, shape.moves, bias=False)
        self.offsets = PointNetwork(
            places, condition, shape.offset_width, shape.offset_layers, 3 * shape.moves
        )
        nn.init.zeros_(self.offsets.last.weight)
        nn.init.zeros_(self.offsets.last.bias)
        self.weights: PointNetwork | None = None
        if shape.weighting:
            self.weights = PointNetwork(places, condition, shape.weight_width, shape.weight_layers, 1)
            nn.init.zeros_(self.weights.last.weight)
            nn.init.constant_(self.weights.last.bias, STARTS)

    def warp(self, identity: Tensor, difference: Tensor, moved: Tensor | None = None) -> FaceWarp:
        """The backward warp of B faces, to be asked about points ``[B, M, 3]`` of the target.

        Args:
            identity: ``[B, 40]`` of the source person, in standard deviations.
            difference: ``[B, 57]`` target expression less the canonical one.
            moved: ``[B, 3, G, G]`` what the head model says of it, laid over the front of the planes' cube,
                in the volume's units (``motion_prior``); None for nothing.

        Raises:
            ValueError: numbers have other shapes, or the head model's part is given where it is off.
        """
        shapes = (identity.shape[1:], difference.shape[1:])
        if shapes != ((IDENTITY,), (EXPRESSION,)):
            wanted = f"[B, {IDENTITY}] and [B, {EXPRESSION}]"
            raise ValueError(
                f"identities and expressions are {wanted}, got {list(identity.shape)}, "
                f"{list(difference.shape)}"
            )
        if moved is not None and not self.shape.motion_prior:
            raise ValueError("this network learns all motion by itself and takes none from a head model")

        return FaceWarp(self, identity, difference, moved)

    def offset(self, points: Tensor, identity: Tensor, difference: Tensor) -> Tensor:
        """What is learnt of the way to the canonical volume: ``[B, M, 3]``, the volume's units."""
        told = torch.asinh(difference)
        known = torch.cat([identity, told], 1) if self.shape.identity_condition else told
        places = encoded(points, self.shape.frequencies)
        each = self.offsets(places, known).unflatten(-1, (3, self.moves))
        offset = (each @ self.amounts(told)[:, None, :, None])[..., 0]
        return offset if self.weights is None else offset * self.weights(places, known).sigmoid()


def encoded(points: Tensor, frequencies: int) -> Tensor:
    """Points ``[..., 3]`` of the volume's cube (±0.5) with sines and cosines of π, 2π, 4π … times twice their
    coordinates: ``[..., 3 + 6 · frequencies]``."""
    whole = points * 2.0
    waves = [torch.pi * 2**step * whole for step in range(frequencies)]
    return torch.cat([whole, *(turn(wave) for wave in waves for turn in (torch.sin, torch.cos))], -1)


def on_front(maps: Tensor, points: Tensor) -> Tensor:
    """Maps ``[B, C, G, G]`` over the front of the volume's cube, row 0 at its top, at x and y of points
    ``[B, M, 3]``: ``[B, M, C]``; beyond it its rim."""
    place = points[..., :2] * points.new_tensor([2.0, -2.0])
    found = functional.grid_sample(
        maps, place[:, None], mode="bilinear", padding_mode="border", align_corners=False
    )
    return found[:, :, 0].mT
