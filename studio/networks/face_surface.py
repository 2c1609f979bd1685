"""Which points of a face are seen, and which hidden ones have a partner on the other half that is."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

TURNED, SEEN = -0.05, 0.05
"""Cosine to the viewer below which a point is turned away, and from which on it has its full say: points on a
face's rim keep it."""
GRAZING, PLAIN = 0.0, 0.35
"""Cosine to the viewer at which the picture shows nothing of a point, and from which on it shows it well."""
LEAST = 1e-4
"""Say of a point that is turned away: it counts only where no other is near."""


@dataclass(frozen=True)
class FaceSurface:
    """What P points are the corners of."""

    triangles: Tensor
    """``[F, 3]`` counter-clockwise seen from outside with y up."""
    partner: Tensor
    """``[P]`` the point on the other side of each, itself in the middle."""


def cosines(points: Tensor, triangles: Tensor) -> Tensor:
    """How each point's surface faces the viewer: ``[B, P, 3]`` with y down and z near to ``[B, P]``, -1..1.

    Points without a triangle face the viewer.
    """
    a, b, c = (points[:, triangles[:, corner]] for corner in range(3))
    normals = torch.linalg.cross(b - a, c - a)
    total = torch.zeros_like(points)
    for corner in range(3):
        total.index_add_(1, triangles[:, corner], normals)
    length = total.norm(dim=2)
    # With y down, what runs counter-clockwise with y up has its normal reversed.
    return torch.where(length > 0.0, -total[..., 2] / length.clamp_min(1e-20), 1.0)


def say(cosine: Tensor) -> Tensor:
    """What each point counts in the driving frame, :data:`LEAST` to 1."""
    return _risen(cosine, TURNED, SEEN).clamp_min(LEAST)


def borrowed(source: Tensor, driving: Tensor, partner: Tensor) -> Tensor:
    """How much better each point is seen in the source as its partner, where the driving frame shows it.

    Args:
        source: ``[B, P]`` cosines.
        driving: ``[B, P]`` cosines.
        partner: ``[P]``.

    Returns:
        ``[B, P]`` 0..1; exactly 0 for faces that are turned as they were.
    """
    own = _risen(source, GRAZING, PLAIN)
    other = torch.minimum(own[:, partner], _risen(driving, GRAZING, PLAIN))
    return (other - own).clamp_min(0.0)


def _risen(value: Tensor, low: float, high: float) -> Tensor:
    share = ((value - low) / (high - low)).clamp(0.0, 1.0)
    return share * share * (3.0 - 2.0 * share)
