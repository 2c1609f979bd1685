"""Which way a rendered surface faces, from its depth.

The density's gradient would be the other source. It needs a way back through the network for every
sample, and a trained density is a fog whose inner gradient points anywhere; the depth is at hand in every
frame, at any precision, and shows the surface that the picture shows.
"""

from __future__ import annotations

import torch
from torch import Tensor

from studio.networks.volume.rays import Rays


def seen_depth(depth: Tensor, alpha: Tensor, last: Tensor) -> Tensor:
    """Mean depth of what is seen alone, without what passes through (see ``Composite.depth``).

    Args:
        depth: ``[...]`` a composite's.
        alpha: ``[...]`` a composite's.
        last: ``[...]`` depth of the rays' last samples.

    Returns:
        ``[...]`` metres behind the head's plane; the last sample's where nothing is seen.
    """
    return last + (depth - last) / alpha.clamp_min(1e-6)


def normals_of_depth(rays: Rays, depth: Tensor, alpha: Tensor, rows: int, columns: int) -> Tensor:
    """Unit normals of the surface that a grid of rays sees.

    Args:
        rays: ``[B, rows * columns]``, row by row, as ``pixel_centres`` lays them.
        depth: ``[B, rows * columns]`` of what is seen (``seen_depth``), metres behind the head's plane.
        alpha: ``[B, rows * columns]``; below one half there is no surface.

    Returns:
        ``[B, rows, columns, 3]`` in camera space (x to the viewer's right, y up, z towards the viewer),
        facing the eye; zeros where there is no surface, or no neighbour to tell its slope from.
    """
    shape = (len(depth), rows, columns)
    points = rays.in_camera(depth[..., None]).reshape(*shape, 3)
    there = (alpha >= 0.5).reshape(shape)
    across, across_known = _slope(points, there, 2)
    down, down_known = _slope(points, there, 1)
    normal = torch.linalg.cross(down, across)
    direction = torch.cat([rays.slope, -torch.ones_like(rays.slope[..., :1])], -1).reshape(*shape, 3)
    away = (normal * direction).sum(-1, keepdim=True) > 0
    normal = torch.where(away, -normal, normal)
    normal = normal / normal.norm(dim=-1, keepdim=True).clamp_min(1e-20)
    return normal * (there & across_known & down_known)[..., None]


def _slope(points: Tensor, there: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """How points ``[B, H, W, 3]`` go on along a picture axis, and where that is known.

    It is the mean of the steps to both neighbours; at an outline or a fold it is the step to the one that is
    the nearer in depth, so that an edge stays an edge instead of being joined to what is behind it.
    """
    step = points.diff(dim=dim)
    both = there.narrow(dim, 1, there.shape[dim] - 1) & there.narrow(dim, 0, there.shape[dim] - 1)
    none = torch.zeros_like(points.narrow(dim, 0, 1))
    unknown = torch.zeros_like(there.narrow(dim, 0, 1))
    back, back_known = torch.cat([none, step], dim), torch.cat([unknown, both], dim)
    on, on_known = torch.cat([step, none], dim), torch.cat([both, unknown], dim)
    endless = torch.full_like(back[..., 2], torch.inf)
    back_rise = torch.where(back_known, back[..., 2].abs(), endless)
    on_rise = torch.where(on_known, on[..., 2].abs(), endless)
    nearer = torch.where((back_rise < on_rise)[..., None], back, on)
    # A curved surface rises differently on both sides of a point too, so only a leap counts as an edge.
    sideways = step[..., :2].norm(dim=-1).mean()
    alike = back_known & on_known & ((back_rise - on_rise).abs() < 4.0 * sideways)
    return torch.where(alike[..., None], 0.5 * (back + on), nearer), back_known | on_known
