"""Colours of a face's skin and of the hair above it, in CIE Lab."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats
from studio.editing.face_geometry import BROWS, CHIN, TOP
from studio.head import topology

Picture = npt.NDArray[np.uint8]

_FOREHEAD = (103, 67, 109, 10, 338, 297, 332)
"""The forehead's upper outline, viewer's left to right."""
_INWARDS = 0.86
"""The face's outline is drawn in to this share of itself: neither background nor hair is skin."""
_BAND = (0.14, 0.34)
"""The band of hair begins and ends so far above the forehead's landmarks, in heights of the face: the mesh
ends a little below the hair line."""
_SEEN = 0.3
"""Share of the band that must lie inside the picture."""
_FEWEST = 12
"""Pixels from which a colour is told."""


def lab(picture: Picture) -> Floats:
    """``[H, W, 3]`` CIE Lab (D65): L 0..100, a and b about -128..127."""
    return np.asarray(cv2.cvtColor(picture.astype(np.float32) / 255.0, cv2.COLOR_RGB2LAB), np.float32)


def skin_area(marks: Floats, height: int, width: int) -> npt.NDArray[np.bool_]:
    """``[H, W]`` the convex face without eyes, brows and lips.

    Args:
        marks: ``[478, 3]`` in pixels of the picture.
        height, width: of the picture.
    """
    area = np.zeros((height, width), np.uint8)
    points = marks[:, :2]
    middle = points.mean(0)
    _fill(area, middle + _INWARDS * (points - middle), 1)
    lips = (*topology.MOUTH_CORNERS, *_LIP_OUTLINE)
    for corners, upper, lower, brow in zip(
        topology.EYE_CORNERS, topology.UPPER_LIDS, topology.LOWER_LIDS, BROWS
    ):
        _fill(area, _grown(points[[*corners, *upper, *lower]], 1.5), 0)
        _fill(area, _grown(points[[*brow, *upper]], 1.1), 0)
    _fill(area, _grown(points[list(lips)], 1.1), 0)
    return area > 0


def hair_area(marks: Floats, height: int, width: int) -> npt.NDArray[np.bool_] | None:
    """``[H, W]`` a band above the forehead; None where most of it lies outside of the picture."""
    points = marks[:, :2]
    up = points[TOP] - points[CHIN]
    line = points[list(_FOREHEAD)]
    band = np.concatenate([line + _BAND[0] * up, (line + _BAND[1] * up)[::-1]])
    area = np.zeros((height, width), np.uint8)
    cv2.fillPoly(area, [np.round(band - 0.5).astype(np.int32)], (1,))
    whole = cv2.contourArea(band.astype(np.float32))
    return area > 0 if area.sum() >= max(_SEEN * whole, _FEWEST) else None


def area_colour(colours: Floats, area: npt.NDArray[np.bool_] | None) -> Floats:
    """``[3]`` median over an area of a picture ``[H, W, 3]``; NaN where there is hardly any of it."""
    if area is None or int(area.sum()) < _FEWEST:
        return np.full(3, np.nan, np.float32)
    return np.asarray(np.median(colours[area], axis=0), np.float32)


_LIP_OUTLINE = (40, 37, 0, 267, 270, 321, 314, 17, 84, 91)


def _grown(points: Floats, by: float) -> Floats:
    middle = points.mean(0)
    return np.asarray(middle + by * (points - middle), np.float32)


def _fill(area: npt.NDArray[np.uint8], points: npt.NDArray[np.floating], value: int) -> None:
    # Continuous coordinates to those of OpenCV, whose pixel centres are integers.
    hull = cv2.convexHull(np.round(points - 0.5).astype(np.int32))
    cv2.fillConvexPoly(area, hull, (value,))
