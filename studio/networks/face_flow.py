"""The flow of a whole face of known points: what lies between them moves as they do, without learning.

Sixteen keypoints say where a head goes; the head model behind them knows hundreds of points, moved by the
same few numbers. Their flow is exact where a face is, and a network is left with what no face model has:
hair, neck, what comes into view, the inside of the mouth.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from studio.networks.face_surface import FaceSurface, borrowed, cosines, say
from studio.networks.keypoint_flow import picture_places

NEAR = 0.02
"""Distance, in half sides of the picture, within which a point's own flow holds alone."""
SHARPNESS = 3
"""Power of the squared distance by which points lose their say."""
WITHIN, BEYOND = 0.06, 0.22
"""Distance to the nearest point up to which the face's flow holds, and from which on it does not."""
INNER, OUTER = 0.05, 0.1
"""Distance to the nearest point up to which a face's other half stands in for it, and from which on not."""


@dataclass(frozen=True)
class FaceFlow:
    """How B faces' pictures move."""

    flow: Tensor
    """``[B, 2, side, side]`` from each place of the driving frame to the source's, away from it."""
    faith: Tensor
    """``[B, 1, side, side]`` 0..1 where that is to be believed."""
    mirrored: Tensor | None = None
    """``[B, 2, side, side]`` the same to the place of the face's other half; None without a surface."""
    share: Tensor | None = None
    """``[B, 1, side, side]`` 0..1 how much better that one is seen in the source."""


def face_flow(source: Tensor, driving: Tensor, side: int, surface: FaceSurface | None = None) -> FaceFlow:
    """How a face's picture moves, and where that is to be believed.

    The affine map of least squares carries everything along; what it leaves over at the points is averaged
    between them with weights ``(d² + NEAR²)^-SHARPNESS`` (Shepard 1968, modified).

    With a surface, points that are turned away in the driving frame have next to no say. And where the
    driving frame shows what the source hides, a second flow leads to the face's other half, as in a mirror.

    Args:
        source: ``[B, P, 3]`` points of the face, x right and y down, -1..1 inside the picture, z near.
        driving: ``[B, P, 3]`` the same points in the driving frame.
        side: of the flow, pixels.
        surface: of the points, where it is known and wanted.

    Returns:
        Flows, which are exactly none where no point has moved.
    """
    with torch.no_grad():
        s, d = source[..., :2].float(), driving[..., :2].float()
        rows, columns = _box(d, side)
        grid = picture_places((side, side), d)[:, rows, columns]
        size, places = grid.shape[1:], grid.flatten(1).mT
        shifts, count = [s - d], torch.ones_like(d[..., :1])
        better: Tensor | None = None
        if surface is not None:
            facing = [cosines(points.float(), surface.triangles) for points in (source, driving)]
            count = say(facing[1])[..., None]
            better = borrowed(facing[0], facing[1], surface.partner)[..., None]
            shifts.append(s[:, surface.partner] - d)
        shift, terms = torch.cat(shifts, 2), functional.pad(d, (0, 1), value=1.0)
        # Few numbers: double precision costs nothing, and float32 would leave thousandths of a pixel.
        square = terms.mT.double() @ terms.double()
        affine = torch.linalg.solve(square, terms.mT.double() @ shift.double()).float()
        rest = [shift - terms @ affine, *([] if better is None else [better])]
        # Places times points is what costs: each of these lines goes through it once, in place.
        lengths = places.square().sum(1)[:, None] + d.square().sum(2)[:, None]
        near = torch.baddbmm(lengths, places.expand(len(d), -1, -1), d.mT, alpha=-2.0)
        near = near.clamp_min_(0.0).add_(NEAR**2).reciprocal_()
        distance = (near.amax(2).reciprocal() - NEAR**2).clamp_min(0.0).sqrt()
        total = near.mul_(NEAR**2).pow_(SHARPNESS) @ torch.cat([*(x * count for x in rest), count], 2)
        between = total[..., :-1] / total[..., -1:].clamp_min(1e-20)
        moved = functional.pad(places, (0, 1), value=1.0) @ affine + between[..., : shift.shape[2]]
        moved = moved * (source != driving).flatten(1).any(1)[:, None, None]

        def laid(values: Tensor) -> Tensor:
            """Values ``[B, N, C]`` of the box's places in a picture that is otherwise 0."""
            out = d.new_zeros(len(d), values.shape[2], side, side)
            out[:, :, rows, columns] = values.mT.reshape(len(d), -1, *size)
            return out

        faith = laid(_fallen(distance, WITHIN, BEYOND)[..., None])
        if better is None:
            return FaceFlow(laid(moved), faith)
        share = laid(between[..., -1:] * _fallen(distance, INNER, OUTER)[..., None])
        # Seams between the halves are softened; what is 0 all over stays so.
        share = functional.avg_pool2d(share, 3, 1, 1)
        return FaceFlow(laid(moved[..., :2]), faith, laid(moved[..., 2:]), share)


def _fallen(distance: Tensor, near: float, far: float) -> Tensor:
    share = ((far - distance) / (far - near)).clamp(0.0, 1.0)
    return share * share * (3.0 - 2.0 * share)


def _box(points: Tensor, side: int) -> tuple[slice, slice]:
    """Rows and columns outside which no point ``[B, P, 2]`` is near enough to be believed; never empty."""
    low = points.amin((0, 1)) - BEYOND
    high = points.amax((0, 1)) + BEYOND
    first = ((low + 1.0) * (0.5 * side)).floor().clamp(0, side - 1).long().tolist()
    past = ((high + 1.0) * (0.5 * side)).ceil().clamp(1, side).long().tolist()
    columns, rows = (slice(min(a, b - 1), b) for a, b in zip(first, past))
    return rows, columns
