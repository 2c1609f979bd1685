"""The flow of a whole face of known points: what between them moves as they do, sharply and without learning.

Sixteen keypoints say where a head goes; the head model behind them knows hundreds of points, moved by the same
few numbers. Their flow is exact where a face is, and a network is left with what no face model has: hair, neck,
what comes into view, the inside of the mouth.
"""

from __future__ import annotations

import torch
from torch import Tensor

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
        places = picture_places((side, side), driving).flatten(1)
        s, d = source[..., :2].float(), driving[..., :2].float()
        shift = s - d
        ones = torch.ones_like(d[..., :1])
        terms = torch.cat([d, ones], 2)
        # Few numbers: double precision costs nothing, and float32 would leave thousandths of a pixel.
        square = terms.mT.double() @ terms.double()
        affine = torch.linalg.solve(square, terms.mT.double() @ shift.double()).float()
        rest = shift - terms @ affine
        where = torch.cat([places, torch.ones_like(places[:1])]).mT
        squared = (places.mT.square().sum(1)[None, :, None] + d.square().sum(2)[:, None]) - 2.0 * (
            places.mT @ d.mT
        )
        squared = squared.clamp_min(0.0)
        say = (NEAR**2 / (squared + NEAR**2)) ** SHARPNESS
        between = (say @ rest) / say.sum(2, keepdim=True).clamp_min(1e-12)
        flow = where @ affine + between
        flow = flow * (source != driving).flatten(1).any(1)[:, None, None]
        distance = squared.amin(2).sqrt()
        faith = ((BEYOND - distance) / (BEYOND - WITHIN)).clamp(0.0, 1.0)
        faith = faith * faith * (3.0 - 2.0 * faith)
        return flow.mT.unflatten(2, (side, side)), faith[:, None].unflatten(2, (side, side))
