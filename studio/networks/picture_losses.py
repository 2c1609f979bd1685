"""Differences of pictures where they count, as losses."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

SCALES = 3
"""Scales at which gradients are compared."""


def weighted(error: Tensor, inside: Tensor) -> Tensor:
    """Mean of ``[B, C, H, W]`` where ``inside`` ``[B, 1, H, W]`` is 1."""
    return (error * inside).mean() / inside.mean().clamp_min(1e-3)


def edges(error: Tensor, inside: Tensor) -> Tensor:
    """Mean absolute difference of horizontal and vertical gradients, at three scales.

    Args:
        error: ``[B, C, H, W]`` one picture less the other.
        inside: ``[B, 1, H, W]`` 1 where it counts.
    """
    total = error.new_zeros(())
    for _ in range(SCALES):
        for axis in (2, 3):
            size = error.shape[axis] - 1
            both = inside.narrow(axis, 0, size) * inside.narrow(axis, 1, size)
            step = error.narrow(axis, 1, size) - error.narrow(axis, 0, size)
            total = total + weighted(step.abs(), both)
        error, inside = functional.avg_pool2d(error, 2), functional.avg_pool2d(inside, 2).floor()
    return total
