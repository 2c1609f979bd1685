"""The box of head space that planes fill, and where in it a head's surface begins."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from studio.domain.camera import Floats
from studio.head.model import HeadModel
from studio.head.rasterise import rasterise
from studio.head.zero_pose import FrontalGrid, proxy_depth

LOW = (-0.185, -0.215, -0.185)
HIGH = (0.185, 0.155, 0.185)
"""Corners of the box, metres of head space: one of EG3D's units wide, more of it below the face."""
NOWHERE = -1.0
"""Where a surface lies that is not: metres of head space, far behind the box."""
GRID = 64
"""Places of a surface along a side."""
FALL = 0.6
"""Metres that the surface falls back for each metre away from the face: hair, ears, neck…"""
BACKDROP = -0.03
"""…down to this depth, metres of head space: about the shoulders'."""


def surface_of(
    model: HeadModel, identity: npt.NDArray[np.floating] | None = None, offset: Floats | None = None
) -> Floats:
    """Where a neutral head's surface is: ``[GRID, GRID]`` z in metres over the box's front, row 0 at its top.

    Args:
        model: the head.
        identity: ``[I]`` coefficients of the person in the *source* picture; None for the mean head.
        offset: ``[V, 3]`` the same person's, metres.
    """
    none = np.zeros_like(model.template)
    face = model.neutral(
        np.zeros(model.identities) if identity is None else identity, none if offset is None else offset
    )
    return surface_of_face(model, face)


def surface_of_face(model: HeadModel, face: Floats, reach: float = np.inf) -> Floats:
    """The same of a face ``[V, 3]`` with any expression; farther than ``reach`` metres away from the face
    there is none: it lies at :data:`NOWHERE`."""
    grid = FrontalGrid(np.array(LOW[:2], np.float32), np.array(HIGH[:2], np.float32), GRID)
    # A place is inside of the face where a flat one is drawn.
    depth = proxy_depth(face, model.triangles, grid)
    inside = _inside(face, model.triangles, grid)
    away = cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # Squares of distances are whole numbers; OpenCV's roots differ in their last bit from call to call.
    away = np.sqrt(np.rint(away.astype(np.float64) ** 2))
    metres = away * ((HIGH[0] - LOW[0]) / GRID)
    fallen = depth - FALL * metres
    surface = np.where(inside, depth, np.maximum(fallen, np.minimum(depth, BACKDROP)))
    return np.where(metres > reach, NOWHERE, surface).astype(np.float32)


def unit(points: Tensor) -> Tensor:
    """Points ``[..., 3]`` of head space, metres, to -1..1 inside the box."""
    low, high = (points.new_tensor(corner) for corner in (LOW, HIGH))
    return (points - low) / (high - low) * 2.0 - 1.0


def front_places(side: int, device: torch.device | str = "cpu") -> Tensor:
    """x and y, metres, of a picture's pixels laid over the box's front: ``[side², 2]``, row by row."""
    share = (torch.arange(side, device=device) + 0.5) / side
    x = LOW[0] + share * (HIGH[0] - LOW[0])
    y = HIGH[1] - share * (HIGH[1] - LOW[1])
    return torch.stack([x.repeat(side), y.repeat_interleave(side)], -1)


def _inside(
    face: npt.NDArray[np.floating], triangles: npt.NDArray[np.int32], grid: FrontalGrid
) -> npt.NDArray[np.bool_]:
    return np.asarray(rasterise(grid.to_pixels(face), triangles, grid.size, grid.size).triangle >= 0)
