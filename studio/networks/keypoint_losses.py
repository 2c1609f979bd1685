"""What teaches keypoints that nobody named: to stick to the picture, and to keep apart.

After face-vid2vid (Wang et al. 2021, appendix A), whose weights are 10 for both.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

APART = 0.1
"""Squared distance, in half sides of the picture, that two keypoints should have at least."""
TURN, GROWTH, SHIFT = 0.25, 0.15, 0.1
"""Largest turn (radians), change of size and shift of a picture that keypoints have to follow."""


def equivariance_loss(
    detect: Callable[[Tensor], Tensor],
    picture: Tensor,
    keypoints: Tensor,
    chance: torch.Generator | None = None,
) -> Tensor:
    """Mean distance between keypoints of a picture that was moved and the picture's keypoints, moved.

    Args:
        detect: pictures to keypoints ``[B, K, 3]``.
        picture: ``[B, 3, S, S]``.
        keypoints: ``[B, K, 3]`` found in it.
        chance: for the movement.
    """
    moved_from = _drawn(len(picture), chance).to(picture)
    grid = functional.affine_grid(moved_from, list(picture.shape), align_corners=False)
    moved = functional.grid_sample(picture, grid, padding_mode="reflection", align_corners=False)
    found = detect(moved)[..., :2]
    # Where the moved picture's keypoints were before: that is how grids are read.
    before = found @ moved_from[:, :, :2].mT + moved_from[:, None, :, 2]
    return (before - keypoints[..., :2]).abs().mean()


def spread_loss(keypoints: Tensor) -> Tensor:
    """How much nearer than :data:`APART` keypoints ``[B, K, 3]`` are to each other; 0 where none is."""
    squared = (keypoints[:, :, None] - keypoints[:, None]).square().sum(3)
    close = functional.relu(APART - squared)
    count = keypoints.shape[1]
    return (close.sum((1, 2)) - APART * count).mean() / max(1, count * (count - 1))


def _drawn(batch: int, chance: torch.Generator | None) -> Tensor:
    """``[B, 2, 3]`` similarities near the identity."""
    turn, growth, across, down = (2.0 * torch.rand(4, batch, generator=chance) - 1.0).unbind(0)
    size = 1.0 + GROWTH * growth
    c, s = size * torch.cos(TURN * turn), size * torch.sin(TURN * turn)
    rows = [torch.stack([c, -s, SHIFT * across], 1), torch.stack([s, c, SHIFT * down], 1)]
    return torch.stack(rows, 1)
