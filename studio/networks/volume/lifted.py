"""What a volume knows of the source picture itself: its canonical form, and what it shows of a point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from studio.networks.volume.head_surface import front_places, unit
from studio.networks.volume.rays import Cameras
from studio.networks.volume.seeing import on_picture, seen_at

CanonicalSource = Literal["off", "placed", "frontal"]
"""placed: upright, in the planes' size and place; frontal: seen from the front, as far as the head's surface
allows; off: as it is."""
SMOOTHED = 4
"""Pixels of a source, a side, that are one where it has not seen what is shown."""
FACE = (0.0, -0.02, 0.085)
"""Middle (x, y) of a square that holds a face from chin to brows, and half its side: metres of head space."""


@dataclass(frozen=True)
class Lifted:
    """Source pictures as points of the volume are seen in them."""

    maps: Tensor
    """``[B, C, S, S]`` 0..1: colours, the person's outline where there is one; further features."""
    cameras: Cameras
    """That took them."""

    def at(self, points: Tensor) -> Tensor:
        """What is shown of points ``[B, M, 3]`` of head space: ``[B, M, C]``, beyond the picture its rim."""
        return shown(self.maps, seen_at(self.cameras, points))


def shown(maps: Tensor, places: Tensor) -> Tensor:
    """Maps ``[B, C, S, S]`` at continuous pixel coordinates ``[B, M, 2]``: ``[B, M, C]``."""
    grid = places * (2.0 / maps.shape[3]) - 1.0
    found = functional.grid_sample(
        maps, grid[:, None], mode="bilinear", padding_mode="border", align_corners=False
    )
    return found[:, :, 0].mT


def smoothed(colours: Tensor) -> Tensor:
    """Pictures ``[B, C, S, S]`` as means over :data:`SMOOTHED` pixels a side, and smoothly between."""
    small = functional.avg_pool2d(colours, SMOOTHED)
    return functional.interpolate(small, colours.shape[2:], mode="bilinear", align_corners=False)


def on_surface(surface: Tensor, points: Tensor) -> Tensor:
    """Maps ``[B, C, G, G]`` over the box's front at x and y of points ``[B, M, 2 or 3]``: ``[B, M, C]``."""
    flat = points if points.shape[-1] == 3 else functional.pad(points, (0, 1))
    place = unit(flat)[..., :2] * points.new_tensor([1.0, -1.0])
    found = functional.grid_sample(
        surface, place[:, None], mode="bilinear", padding_mode="border", align_corners=False
    )
    return found[:, :, 0].mT


def canonical(
    picture: Tensor, cameras: Cameras, surface: Tensor, how: CanonicalSource, moved: Tensor | None = None
) -> Tensor:
    """A source picture laid over the box's front, so that front plane and picture lie upon each other.

    Args:
        picture: ``[B, C, S, S]``.
        cameras: that took it, in its pixels.
        surface: ``[B, 1, G, G]`` z of the head over the box's front, metres.
        how: see :data:`CanonicalSource`.
        moved: ``[B, 3, G, G]`` metres over the box's front from places of that head to those of the head in
            the picture, whose expression may differ; None for none. Only where ``how`` is frontal.

    Returns:
        ``[B, C, S, S]``.
    """
    if how == "off":
        return picture
    side = picture.shape[3]
    places = front_places(side, picture.device).expand(len(picture), -1, -1)
    if how == "frontal":
        points = torch.cat([places, on_surface(surface, places)], -1)
        if moved is not None:
            points = points + on_surface(moved, points)
        seen = seen_at(cameras, points)
    else:
        # The turn in the picture's plane that is nearest to the head's own.
        turn = cameras.rotation
        angle = torch.atan2(turn[:, 1, 0] - turn[:, 0, 1], turn[:, 0, 0] + turn[:, 1, 1])
        c, s = angle.cos(), angle.sin()
        flat = torch.stack([torch.stack([c, -s], -1), torch.stack([s, c], -1)], 1)
        seen = on_picture(cameras, places @ flat.mT)
    return shown(picture, seen).mT.reshape(picture.shape)


def face_from_front(
    picture: Tensor, cameras: Cameras, surface: Tensor, side: int, moved: Tensor | None = None
) -> Tensor:
    """The face alone, seen from the front as far as the head's surface allows.

    Args:
        picture: ``[B, C, S, S]``.
        cameras: that took it, in its pixels.
        surface: ``[B, 1, G, G]`` z of the head over the box's front, metres.
        side: of the result.
        moved: ``[B, 2, 3]`` affine maps of the window, about its middle and in its half sides, for looking
            a little beside; None for straight at it.

    Returns:
        ``[B, C, side, side]`` of :data:`FACE`.
    """
    step = (torch.arange(side, device=picture.device) + 0.5) * (2.0 / side) - 1.0
    window = torch.stack([step.repeat(side), -step.repeat_interleave(side)], -1).expand(len(picture), -1, -1)
    if moved is not None:
        window = window @ moved[:, :, :2].mT + moved[:, None, :, 2]
    places = window * FACE[2] + window.new_tensor(FACE[:2])
    points = torch.cat([places, on_surface(surface, places)], -1)
    return shown(picture, seen_at(cameras, points)).mT.reshape(len(picture), -1, side, side)


def surface_normals(surface: Tensor, width: float) -> Tensor:
    """Unit normals ``[B, 3, G, G]`` of a surface ``[B, 1, G, G]`` over a square ``width`` metres wide; x to
    the right, y up, z towards the front."""
    step = width / surface.shape[3]
    wide = functional.pad(surface, (1, 1, 1, 1), mode="replicate")
    right = (wide[:, :, 1:-1, 2:] - wide[:, :, 1:-1, :-2]) / (2.0 * step)
    up = (wide[:, :, :-2, 1:-1] - wide[:, :, 2:, 1:-1]) / (2.0 * step)
    normal = torch.cat([-right, -up, torch.ones_like(surface)], 1)
    return functional.normalize(normal, dim=1)
