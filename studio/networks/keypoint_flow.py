"""What keypoints say about motion, without a network: places, candidates of flow, nearness, warping.

Places are ``(x, y, z)``, -1..1 from the left, top and far side of a picture or volume to the right, bottom
and near one, continuous: voxel ``i`` of ``n`` has its centre at ``(2 i + 1) / n - 1``. A flow says, for a
place in the driving frame, how far away in the source is what belongs there.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

HOLD = 1e-4
"""How much of the head's turn is taken for none where keypoints do not say, such as about a line of two."""


def places(size: Sequence[int], like: Tensor) -> Tensor:
    """Centres of all voxels, ``[3, D, h, w]`` for a size ``(D, h, w)``, of ``like``'s type and device."""
    axes = [
        (2.0 * torch.arange(n, dtype=like.dtype, device=like.device) + 1.0) / n - 1.0 for n in reversed(size)
    ]
    z, y, x = torch.meshgrid(axes[2], axes[1], axes[0], indexing="ij")
    return torch.stack([x, y, z])


def picture_places(size: Sequence[int], like: Tensor) -> Tensor:
    """Centres of all pixels, ``[2, h, w]`` for a size ``(h, w)``."""
    return places((1, *size), like)[:2, 0]


def warp_volume(volume: Tensor, flow: Tensor) -> Tensor:
    """The volume ``[B, C, D, h, w]`` as a flow ``[B, 3, D', h', w']`` says; beyond its sides, what is there.

    No flow gives the volume back, to the last bit where its sides are powers of two.
    """
    grid = (places(flow.shape[2:], flow) + flow).permute(0, 2, 3, 4, 1)
    return functional.grid_sample(
        volume, grid.to(volume.dtype), "bilinear", padding_mode="border", align_corners=False
    )


def warp_picture(picture: Tensor, flow: Tensor) -> Tensor:
    """The picture ``[B, C, H, W]`` as a flow ``[B, 2, H', W']`` says; beyond its sides, what is there."""
    grid = (picture_places(flow.shape[2:], flow) + flow).permute(0, 2, 3, 1)
    return functional.grid_sample(
        picture, grid.to(picture.dtype), "bilinear", padding_mode="border", align_corners=False
    )


def head_turn(source: Tensor, driving: Tensor, weights: Tensor) -> Tensor:
    """The turn and growth that carry keypoints' arms from the driving frame to the source.

    The similarity of least squares (Umeyama 1991), from which the shift is left out. It has no gradient.

    Args:
        source: ``[B, K, 3]``.
        driving: ``[B, K, 3]``.
        weights: ``[B, K]`` how much each keypoint counts; those that count for nothing say nothing.

    Returns:
        ``[B, 3, 3]``: a rotation times a factor; the identity, exactly, where keypoints are where they were.
    """
    with torch.no_grad():
        share = (weights / weights.sum(1, keepdim=True).clamp_min(1e-8))[..., None].double()
        s, d = source.double(), driving.double()
        s, d = s - (share * s).sum(1, keepdim=True), d - (share * d).sum(1, keepdim=True)
        identity = torch.eye(3, dtype=torch.float64, device=s.device)
        spread = (share * d.square()).sum((1, 2)).clamp_min(1e-8)
        product = (share * s).mT @ d + (HOLD * spread)[:, None, None] * identity
        left, _, right = torch.linalg.svd(product)
        flips = torch.ones_like(s[:, 0])
        flips[:, 2] = torch.linalg.det(left @ right).sign()
        turn = (left * flips[:, None]) @ right
        # With the turn taken out, the arms of both are parallel; their lengths give the factor.
        growth = (share * s * (d @ turn.mT)).sum((1, 2)) / spread
        matrix = growth.clamp(0.2, 5.0)[:, None, None] * turn
        still = (source == driving).flatten(1).all(1) | (spread <= 1e-6)
        return torch.where(still[:, None, None], identity, matrix).to(source.dtype)


def within_head(source: Tensor, driving: Tensor, turn: Tensor, weights: Tensor) -> Tensor:
    """How keypoints have moved within the head: ``[B, K, 3]``, 0 for a head that moved as one.

    Args:
        source: ``[B, K, 3]``.
        driving: ``[B, K, 3]``.
        turn: ``[B, 3, 3]`` from :func:`head_turn`.
        weights: ``[B, K]`` the same; keypoints without weight count as unmoved.
    """
    share = (weights / weights.sum(1, keepdim=True).clamp_min(1e-8))[..., None]
    arms = driving - (share * driving).sum(1, keepdim=True)
    rest = source - (share * source).sum(1, keepdim=True)
    return (arms @ turn.mT - rest) * (weights > 0.0)[..., None]


def candidates(grid: Tensor, source: Tensor, driving: Tensor, turn: Tensor | None) -> Tensor:
    """The flow that each keypoint proposes, and first the one of what does not move.

    Args:
        grid: ``[3, D, h, w]`` from :func:`places`.
        source: ``[B, K, 3]`` keypoints.
        driving: ``[B, K, 3]``.
        turn: ``[B, 3, 3]`` from :func:`head_turn`, or None for the zeroth order of the paper's base, in which
            all around a keypoint only shifts with it.

    Returns:
        ``[B, K + 1, 3, D, h, w]``.
    """
    shift = (source - driving)[..., None, None, None]
    flow = shift.expand(*shift.shape[:3], *grid.shape[1:])
    if turn is not None:
        more = turn - torch.eye(3, dtype=turn.dtype, device=turn.device)
        arms = torch.einsum("bij,jdhw->bidhw", more, grid)
        flow = flow + arms[:, None] - (driving @ more.mT)[..., None, None, None]
    return torch.cat([torch.zeros_like(flow[:, :1]), flow], 1)


def nearness(grid: Tensor, points: Tensor, variance: float) -> Tensor:
    """A Gaussian about each keypoint: places ``[3, D, h, w]``, ``[B, K, 3]`` to ``[B, K, D, h, w]``."""
    return torch.exp(-0.5 / variance * squared_distance(grid, points))


def squared_distance(grid: Tensor, points: Tensor, depth: float = 1.0) -> Tensor:
    """Places ``[3, D, h, w]`` and keypoints ``[B, K, 3]`` to ``[B, K, D, h, w]``; ``depth`` scales z."""
    # One axis at a time: D·h·w numbers a keypoint are only made once.
    x = (grid[0, 0, 0] - points[..., :1]).square()
    y = (grid[1, 0, :, 0] - points[..., 1:2]).square()
    z = (grid[2, :, 0, 0] - points[..., 2:]).square() * depth**2
    return x[:, :, None, None, :] + y[:, :, None, :, None] + z[:, :, :, None, None]
