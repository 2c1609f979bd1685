"""Squares of a picture in which losses look at a face's parts."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from studio.domain.camera import Floats
from studio.head.ffhq_crop import MOUTH_CORNERS, VIEWER_LEFT_EYE, VIEWER_RIGHT_EYE
from studio.head.model import HeadModel

LIPS = (61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181)
"""Points of the lips' outer edge, MediaPipe's indices, once around from the viewer's left corner."""
POINTS = (*LIPS, *VIEWER_LEFT_EYE, *VIEWER_RIGHT_EYE, *MOUTH_CORNERS)
"""All that is looked up."""


def face_points(model: HeadModel, vertices: Floats) -> Floats:
    """Where :data:`POINTS` are of vertices ``[V, 3]``: ``[P, 3]``."""
    return np.asarray(model.pick_landmarks(vertices)[_rows(model)], np.float32)


def face_boxes(seen: Tensor) -> Tensor:
    """Upright squares as large as those of FFHQ's alignment and about the same middles.

    Args:
        seen: ``[B, P, 2]`` where :data:`POINTS` are in the picture, pixels.

    Returns:
        ``[B, 4]`` left, top, right and bottom edge.
    """
    eye = len(VIEWER_LEFT_EYE)
    left, right, mouth = (
        part.mean(1) for part in torch.split(seen[:, len(LIPS) :], [eye, eye, len(MOUTH_CORNERS)], 1)
    )
    eyes = 0.5 * (left + right)
    across, down = right - left, mouth - eyes
    half = torch.maximum(2.0 * across.norm(dim=1), 1.8 * down.norm(dim=1))[:, None]
    middle = eyes + 0.1 * down
    return torch.cat([middle - half, middle + half], 1)


@lru_cache(maxsize=4)
def _rows(model: HeadModel) -> list[int]:
    place = {int(point): row for row, point in enumerate(model.landmark_ids)}
    return [place[point] for point in POINTS]
