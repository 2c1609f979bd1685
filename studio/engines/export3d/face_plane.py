"""A finer front plane of the face alone, painted anew for each expression (this project's addition).

::

    face from the front ─ convolutions ─ merge ─ EAdaLN-ViT × 2 ─ shuffle ─ EAdaLN, convolutions ─ plane
         4, W              c, W   2c, W/2         w, W/4          + 2c        + c                  F, W

It lies where :data:`MIDDLE` and :data:`HALF` say, over the box's front, and is the only plane in which a lip
is several places thick. What it has at a place are not features but logits, so that a mouth can be painted
before any head has learnt to read planes: of density, of colour, and of how much of the source's colour is
taken.

In a face from the front lips and lids are always in their place. So EAdaLN, which treats all places alike, is
led by a shift that an expression has for each place: without it, learning took several times as long.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from studio.engines.export3d.generator import HOW
from studio.engines.export3d.settings import Export3DSettings
from studio.networks.adaptive_norm import AdaptiveLayerNorm
from studio.networks.segformer import OverlapPatches, SmoothShuffle, VitBlock, laid_out, tokens_of
from studio.networks.volume.face_places import neutral_places
from studio.networks.volume.guided import skin_at
from studio.networks.volume.lifted import on_surface, shown
from studio.networks.volume.rays import Cameras
from studio.networks.volume.seeing import seen_at

MIDDLE, HALF = (0.0, -0.0125), 0.0825
"""Middle (x, y) and half side of the plane, metres of head space: from the brows to below a chin that an open
mouth has lowered."""
RIM = 0.012
"""Metres from its rim over which what is painted on it fades in."""
DEEP = (0.03, 0.06)
"""Metres behind the head's surface over which it fades out."""
MOVES = 8
"""Places along a side that an expression shifts each in its own way, before the blocks."""
WIDER = 6
"""How many times wider tokens are than the first convolution."""
SLOPE = 0.2
"""Of the leaky rectifiers."""
SMOOTHED = 8
"""Places along a side of what its paint begins as: the face's own colours without eyes and lips."""
EYES_AND_MOUTH = 0.012
"""Metres about the points of eyes and mouth…"""
COUNTS, HARDLY = 0.02, 0.2
"""Metres about such points within which differences count; cosine below which a place is hardly seen."""
LESS = 3.0
"""…within which so much less than elsewhere, as a logit, is taken of the source's colour to begin with."""


@dataclass(frozen=True)
class FaceSeen:
    """What is known of B faces before any expression."""

    picture: Tensor
    """``[B, C, W, W]`` -1..1 the source's face, seen from the front."""
    fine: Tensor
    """``[B, c, W, W]`` features."""
    coarse: Tensor
    """``[B, 2c, W/2, W/2]``"""
    tokens: Tensor
    """``[B, (W/4)², w]``"""


class FacePlane(nn.Module):
    """Paints the face's plane."""

    less: Tensor
    """``[1, 1, W, W]`` how much less of the source is taken to begin with."""

    def __init__(self, shape: Export3DSettings) -> None:
        super().__init__()
        self.side = shape.face_plane
        few, width = shape.face_channels, WIDER * shape.face_channels
        self.fine = _convolution(shape.source_channels, few, 1)
        self.coarse = _convolution(few, 2 * few, 2)
        self.merge = OverlapPatches(2 * few, width, 2)
        # A face from the front is always in its place.
        self.places = nn.Parameter(torch.zeros(1, (self.side // 4) ** 2, width))
        nn.init.normal_(self.places, std=0.02)
        both = 2 * shape.representation
        told: Any = (HOW[shape.conditioning], both, shape.condition_tokens)
        # Where expressions enter by attention alone there is none.
        adaptive = shape.conditioning == "eadaln"
        self.moved = nn.Linear(both, width * MOVES**2) if adaptive else None
        self.blocks = nn.ModuleList(VitBlock(width, shape.heads, 2, 2, *told) for _ in range(2))
        self.shuffle = SmoothShuffle(shape.low_pass)
        self.second = ToldConvolution(width // 4 + 2 * few, 2 * few, shape)
        self.narrow = nn.Conv2d(2 * few, few, 1)
        self.first = ToldConvolution(2 * few, few, shape)
        self.out = nn.Conv2d(few, 2 + shape.rendered, 3, padding=1)
        nn.init.normal_(self.out.weight, std=1e-3)
        assert self.out.bias is not None
        nn.init.zeros_(self.out.bias)
        self.register_buffer("less", _less(self.side), persistent=False)

    def see(self, face: Tensor) -> FaceSeen:
        """Faces from :func:`from_front`, once for all expressions."""
        fine = self.fine(face)
        coarse = self.coarse(fine)
        return FaceSeen(face, fine, coarse, self.merge(coarse) + self.places)

    def forward(self, seen: FaceSeen, expression: Tensor, shown: Tensor) -> Tensor:
        """``[B, 2 + R, W, W]``: logits of density, of R rendered channels and of the source's share.

        Args:
            seen: from :meth:`see`; one face may serve B expressions.
            expression: ``[B, d]`` representations β′ of what is to be shown.
            shown: ``[1 or B, d]`` of what the source shows: where both are alike nothing has to be painted.
        """
        side, batch = self.side // 4, len(expression)
        told = torch.cat([expression, shown.expand(batch, -1)], 1)
        x = seen.tokens.expand(batch, -1, -1)
        if self.moved is not None:
            moved = self.moved(told).view(batch, -1, MOVES, MOVES)
            moved = functional.interpolate(moved, (side, side), mode="bilinear", align_corners=False)
            x = x + tokens_of(moved)
        for block in self.blocks:
            x = block(x, side, told)
        grid = self.shuffle(laid_out(x, side))
        grid = self.second(torch.cat([grid, seen.coarse.expand(batch, -1, -1, -1)], 1), told)
        grid = functional.interpolate(
            self.narrow(grid), scale_factor=2.0, mode="bilinear", align_corners=False
        )
        grid = self.first(torch.cat([grid, seen.fine.expand(batch, -1, -1, -1)], 1), told)
        painted = self.out(grid).float()
        ground = _ground(seen.picture[:, :3].float()).expand(batch, -1, -1, -1)
        less = self.less.expand(batch, -1, -1, -1)
        return torch.cat(
            [painted[:, :1], painted[:, 1:4] + ground, painted[:, 4:-1], painted[:, -1:] - less], 1
        )


class ToldConvolution(nn.Module):
    """A convolution, behind it EAdaLN over the channels of every place, and a leaky rectifier."""

    def __init__(self, before: int, after: int, shape: Export3DSettings) -> None:
        """Where expressions enter by attention alone, the normalisation is not told them."""
        super().__init__()
        self.convolution = nn.Conv2d(before, after, 3, padding=1)
        adaptive = shape.conditioning == "eadaln"
        self.norm = AdaptiveLayerNorm(after, 2 * shape.representation) if adaptive else nn.LayerNorm(after)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        """``[B, before, h, h]``, and ``[B, 2d]`` both expressions, to ``[B, after, h, h]``."""
        x = self.convolution(x)
        places = tokens_of(x)
        adaptive = isinstance(self.norm, AdaptiveLayerNorm)
        places = self.norm(places, told) if adaptive else self.norm(places)
        return functional.leaky_relu(laid_out(places, x.shape[2]), SLOPE)


def from_front(picture: Tensor, cameras: Cameras, surface: Tensor, side: int) -> Tensor:
    """Faces of pictures ``[B, C, S, S]`` laid over the plane, as far as the head's surface allows.

    Args:
        picture: pictures.
        cameras: that took them, in their pixels.
        surface: ``[B, 1 or more, G, G]`` z of the head over the box's front first, metres.
        side: of the plane.

    Returns:
        ``[B, C, side, side]``.
    """
    points = surface_points(surface, side)
    return shown(picture, seen_at(cameras, points)).mT.reshape(len(picture), -1, side, side)


def surface_points(surface: Tensor, side: int) -> Tensor:
    """Points of the head's surface ``[B, side², 3]`` under the plane's places, row by row, metres."""
    flat = plane_places(side, surface.device).expand(len(surface), -1, -1)
    return torch.cat([flat, on_surface(surface[:, :1], flat)], -1)


def plane_places(side: int, device: torch.device | str = "cpu") -> Tensor:
    """x and y, metres, of the plane's places: ``[side², 2]``, row by row."""
    step = (torch.arange(side, device=device) + 0.5) * (2.0 / side) - 1.0
    x, y = step.repeat(side), -step.repeat_interleave(side)
    return torch.stack([x, y], -1) * HALF + torch.tensor(MIDDLE, device=device)


def painted_at(plane: Tensor, points: Tensor) -> Tensor:
    """A plane ``[B, F, W, W]`` at points ``[B, M, 3]`` of head space: ``[B, M, F]``, beyond it its rim."""
    place = (points[..., :2] - points.new_tensor(MIDDLE)) / HALF
    grid = (place * points.new_tensor([1.0, -1.0]))[:, None]
    found = functional.grid_sample(plane, grid, "bilinear", padding_mode="border", align_corners=False)
    return found[:, :, 0].mT


def face_counts(skin: Tensor, cameras: Cameras, side: int) -> Tensor:
    """How much places of faces count in a comparison: ``[B, 1, side, side]`` 0..1, most near eyes and mouth.

    Args:
        skin: ``[B, 4, G, G]`` z of the head over the box's front, metres, and its normal.
        cameras: that took what is compared with: what faces away from them does not count.
        side: of the plane.
    """
    points = surface_points(skin, side)
    facing = skin_at(skin, points, cameras).facing
    seen = ((facing - HARDLY) / HARDLY).clamp(0.0, 1.0)
    away = torch.cdist(plane_places(side, skin.device), neutral_places()[0, :, :2].to(skin.device)).amin(1)
    near = torch.exp(-0.5 * (away / COUNTS).square())
    return (seen * near).view(-1, 1, side, side)


def covered(points: Tensor, behind: Tensor) -> Tensor:
    """How much of points' colour is painted on the plane: ``[B, M]`` 0..1.

    Args:
        points: ``[B, M, 3]`` of head space, metres.
        behind: ``[B, M]`` metres behind the head's surface.
    """
    beyond = (points[..., :2] - points.new_tensor(MIDDLE)).abs().amax(-1)
    inside = ((HALF - beyond) / RIM).clamp(0.0, 1.0)
    return inside * ((DEEP[1] - behind) / (DEEP[1] - DEEP[0])).clamp(0.0, 1.0)


def _ground(face: Tensor) -> Tensor:
    """Logits of a face's smoothed colours ``[B, 3, W, W]`` -1..1."""
    small = functional.adaptive_avg_pool2d(face, SMOOTHED)
    smooth = functional.interpolate(small, face.shape[2:], mode="bilinear", align_corners=False)
    return (0.5 + 0.5 * smooth).clamp(0.02, 0.98).logit()


@cache
def _less(side: int) -> Tensor:
    """``[1, 1, side, side]``"""
    points = neutral_places()[0, :, :2]
    away = torch.cdist(plane_places(side), points).amin(1)
    return LESS * torch.exp(-0.5 * (away / EYES_AND_MOUTH).square()).view(1, 1, side, side)


def _convolution(before: int, after: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride, padding=1), nn.GroupNorm(1, after), nn.LeakyReLU(SLOPE)
    )
