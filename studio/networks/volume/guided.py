"""Rays that are told where a head is: its model's surface, the source's outline, a body that keeps still.

Volumes that are learnt from few pictures begin with this and learn what is to be added.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from studio.networks.volume.compositing import visibility
from studio.networks.volume.lifted import on_surface
from studio.networks.volume.rays import Cameras, Rays
from studio.networks.volume.seeing import origin_at

SKIN = 0.004
"""Metres over which the surface that densities begin with sets in."""
PRIOR = (-7.0, 2.0)
"""Before and behind it: what is added to the density's logit."""
BACK = -0.04
"""z of head space, metres, at which what lies behind that surface ends: deeper, ears and hair of one picture
become planks in another."""
OUTSIDE = -8.0
"""Added to the density's logit where the source shows that nobody is."""
SPREAD, FLOOR = 0.3, 0.01
"""Share of a coarse sample's weight that its neighbours get, and what every one has: fine samples also look
beside the surface that the coarse ones found."""
CHIN = -0.077
"""y of the neutral chin, metres of head space."""
NECK = (0.01, 0.05)
"""Metres above the chin where the neck begins to bend, and over how much height it does."""
FOLLOWS = 0.6
"""Share of the head's way through the picture in which the body takes part."""


@dataclass(frozen=True)
class Skin:
    """What the head's surface says of M points of each of B heads."""

    behind: Tensor
    """``[B, M]`` metres behind it."""
    facing: Tensor
    """``[B, M]`` cosine between its normal there and the way to the source's viewer; 1 where unknown."""

    @property
    def told(self) -> Tensor:
        """``[B, M, 2]`` both, about one in size, as networks are told."""
        return torch.stack([(self.behind / 0.02).clamp(-2.0, 2.0), self.facing], -1)


def skin_at(surface: Tensor, points: Tensor, source: Cameras | None = None) -> Skin:
    """What a surface says of points.

    Args:
        surface: ``[B, 4, G, G]`` its z over the box's front, metres, and its normal.
        points: ``[B, M, 3]`` of head space, metres.
        source: cameras that took the source; None where they do not matter.
    """
    found = on_surface(surface, points)
    behind = found[..., 0] - points[..., 2]
    if source is None:
        return Skin(behind, torch.ones_like(behind))
    towards = source.rotation[:, 2]  # head space: where the source's viewer is
    return Skin(behind, (found[..., 1:] @ towards[..., None])[..., 0])


def skin_logit(skin: Skin, points: Tensor, person: Tensor | None = None) -> Tensor:
    """What densities' logits ``[B, M]`` begin with: matter behind the surface, where the source shows the
    person.

    Args:
        skin: of the points.
        points: ``[B, M, 3]``.
        person: ``[B, M]`` 0..1 how much the source's outline holds them; None for no outline.
    """
    logit = (torch.minimum(skin.behind, points[..., 2] - BACK) / SKIN).clamp(*PRIOR)
    return logit if person is None else logit + OUTSIDE * (1.0 - person)


def wanted(density: Tensor, lengths: Tensor) -> Tensor:
    """How likely fine samples are wanted in each of C stretches of a ray ``[B, N, C]``, given what the coarse
    ones found: densities per metre and lengths in metres of the same shape."""
    weights = visibility(density, lengths)
    beside = functional.pad(weights, (1, 1))
    return weights + SPREAD * (beside[..., 2:] + beside[..., :-2]) + FLOOR


def head_points(rays: Rays, depth: Tensor, source: Cameras | None = None) -> Tensor:
    """Head-space points ``[B, N·S, 3]`` at depths ``[B, N, S]``.

    Args:
        rays: N of each of B cameras.
        depth: metres behind the head's plane.
        source: where the body keeps still, the cameras that took the source: below the chin a point keeps
            the turn it has there and goes :data:`FOLLOWS` of the head's way. None: all turns with the head.
    """
    # Rays are straight in either frame: a beginning and a way for each metre of depth.
    start = functional.pad(rays.plane, (0, 1))
    way = torch.cat([rays.slope, -torch.ones_like(rays.slope[..., :1])], -1)

    def along(begin: Tensor, direction: Tensor) -> Tensor:
        return torch.addcmul(begin[:, :, None], depth[..., None], direction[:, :, None]).flatten(1, 2)

    points = along(start @ rays.cameras.rotation, way @ rays.cameras.rotation)
    if source is None:
        return points
    orbit = rays.cameras.orbit
    if orbit is not None:  # where the tracked camera would see it
        start, way = start @ orbit, way @ orbit
    gone = origin_at(rays.cameras) - origin_at(source)
    shift = (rays.cameras.to_plane[:, :, :2] @ gone[..., None])[:, None, :, 0] * (1.0 - FOLLOWS)
    held = source.rotation
    resting = along((start + functional.pad(shift, (0, 1))) @ held, way @ held)
    return torch.lerp(points, resting, of_body(points)[..., None])


def of_body(points: Tensor) -> Tensor:
    """How far head-space points ``[..., 3]`` are the body's and not the head's: 0..1, ``[...]``."""
    return _smooth((CHIN + NECK[0] - points[..., 1]) / NECK[1])


def _smooth(x: Tensor) -> Tensor:
    """0 below 0, 1 above 1, without a corner between."""
    x = x.clamp(0.0, 1.0)
    return x * x * (3.0 - 2.0 * x)
