"""Three feature planes that stand for a volume (Chan et al. 2022)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

AXES = ((0, 1), (0, 2), (2, 1))
"""Which coordinates of a point are a plane's column and row: front, top and side."""


def sample_planes(planes: Tensor, points: Tensor, axes: tuple[tuple[int, int], ...] = AXES) -> Tensor:
    """Features of points: the sum of what they find on three planes.

    Args:
        planes: ``[B, 3, C, H, W]``. The first texel's centre is at -1 + 1/W, so that planes of different
            resolution show the same place; y grows upwards in the volume and downwards on the plane.
        points: ``[B, N, 3]``, -1..1 inside; outside of it the nearest texel.
        axes: which coordinates are column and row of each plane.

    Returns:
        ``[B, N, C]``.
    """
    total: Tensor | None = None
    for plane, (column, row) in zip(planes.unbind(1), axes):
        down = -points[..., row] if row == 1 else points[..., row]
        grid = torch.stack([points[..., column], down], -1)
        found = functional.grid_sample(
            plane, grid[:, None], mode="bilinear", padding_mode="border", align_corners=False
        )[:, :, 0]
        total = found if total is None else total + found
    assert total is not None
    return total.mT
