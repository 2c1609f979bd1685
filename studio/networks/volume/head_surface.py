"""The box of head space that planes fill, and where in it a head's surface begins."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch import Tensor

from studio.domain.camera import Floats
from studio.head.model import HeadModel
from studio.head.rasterise import rasterise
from studio.head.zero_pose import FrontalGrid

LOW = (-0.185, -0.215, -0.185)
HIGH = (0.185, 0.155, 0.185)
"""Corners of the box, metres of head space: one of EG3D's units wide, more of it below the face."""
NOWHERE = -1.0
"""Where a surface lies that is not: metres of head space, far behind the box."""
GRID = 64
"""Places of a surface along a side."""
FALL = (3.0, 0.8, 3.0)
"""Metres that the surface falls back for each metre beside, above and below the face: heads are round, so
ears lie far behind cheeks, and hair goes on where a forehead ends…"""
BACKDROP = 0.0
"""…down to this depth, metres of head space: about the ears' and shoulders'."""


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
    seen = rasterise(grid.to_pixels(face), model.triangles, GRID, GRID)
    inside = seen.triangle >= 0
    away, nearest = ndimage.distance_transform_edt(~inside, return_indices=True)
    row, column = np.mgrid[:GRID, :GRID]
    across, above = column - nearest[1], nearest[0] - row
    # Between two directions each counts by the square of the cosine to it.
    beside, over, under = FALL
    steep = beside * np.square(across) + np.where(above > 0, over, under) * np.square(above)
    place = (HIGH[0] - LOW[0]) / GRID
    depth = seen.depth[nearest[0], nearest[1]]
    fallen = depth - place * steep / np.maximum(away, 1.0)
    surface = np.maximum(fallen, np.minimum(depth, BACKDROP))
    return np.where(place * away > reach, NOWHERE, surface).astype(np.float32)


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
