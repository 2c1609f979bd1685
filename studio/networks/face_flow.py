"""The flow of a whole face of known points: what lies between them moves as they do, without learning.

Sixteen keypoints say where a head goes; the head model behind them knows hundreds of points, moved by the
same few numbers. Their flow is exact where a face is, and a network is left with what no face model has:
hair, neck, what comes into view, the inside of the mouth.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from studio.networks.keypoint_flow import picture_places

NEAR = 0.02
"""Distance, in half sides of the picture, within which a point's own flow holds alone."""
SHARPNESS = 3
"""Power of the squared distance by which points lose their say."""
WITHIN, BEYOND = 0.06, 0.22
"""Distance to the nearest point up to which the face's flow holds, and from which on it does not."""


def face_flow(source: Tensor, driving: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """How a face's picture moves, and where that is to be believed.

    The affine map of least squares carries everything along; what it leaves over at the points is averaged
    between them with weights ``(d² + NEAR²)^-SHARPNESS`` (Shepard 1968, modified).

    Args:
        source: ``[B, P, 3]`` points of the face, x right and y down, -1..1 inside the picture.
        driving: ``[B, P, 3]`` the same points in the driving frame.
        side: of the flow, pixels.

    Returns:
        ``[B, 2, side, side]`` from each place of the driving frame to the source's, away from it, and
        ``[B, 1, side, side]`` 0..1; no flow at all, exactly, where no point has moved.
    """
    with torch.no_grad():
        s, d = source[..., :2].float(), driving[..., :2].float()
        flow, faith = (d.new_zeros(len(d), channels, side, side) for channels in (2, 1))
        rows, columns = _box(d, side)
        grid = picture_places((side, side), d)[:, rows, columns]
        size, places = grid.shape[1:], grid.flatten(1).mT
        shift, terms = s - d, functional.pad(d, (0, 1), value=1.0)
        # Few numbers: double precision costs nothing, and float32 would leave thousandths of a pixel.
        square = terms.mT.double() @ terms.double()
        affine = torch.linalg.solve(square, terms.mT.double() @ shift.double()).float()
        rest = functional.pad(shift - terms @ affine, (0, 1), value=1.0)
        # Places times points is what costs: each of these lines goes through it once, in place.
        lengths = places.square().sum(1)[:, None] + d.square().sum(2)[:, None]
        say = torch.baddbmm(lengths, places.expand(len(d), -1, -1), d.mT, alpha=-2.0)
        say = say.clamp_min_(0.0).add_(NEAR**2).reciprocal_()
        distance = (say.amax(2).reciprocal() - NEAR**2).clamp_min(0.0).sqrt()
        between = say.mul_(NEAR**2).pow_(SHARPNESS) @ rest
        moved = functional.pad(places, (0, 1), value=1.0) @ affine
        moved = moved + between[..., :2] / between[..., 2:].clamp_min(1e-20)
        moved = moved * (source != driving).flatten(1).any(1)[:, None, None]
        sure = ((BEYOND - distance) / (BEYOND - WITHIN)).clamp(0.0, 1.0)
        flow[:, :, rows, columns] = moved.mT.reshape(len(d), 2, *size)
        faith[:, 0, rows, columns] = (sure * sure * (3.0 - 2.0 * sure)).view(len(d), *size)
        return flow, faith


def _box(points: Tensor, side: int) -> tuple[slice, slice]:
    """Rows and columns outside which no point ``[B, P, 2]`` is near enough to be believed; never empty."""
    low = points.amin((0, 1)) - BEYOND
    high = points.amax((0, 1)) + BEYOND
    first = ((low + 1.0) * (0.5 * side)).floor().clamp(0, side - 1).long().tolist()
    past = ((high + 1.0) * (0.5 * side)).ceil().clamp(1, side).long().tolist()
    columns, rows = (slice(min(a, b - 1), b) for a, b in zip(first, past))
    return rows, columns
