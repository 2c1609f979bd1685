"""Cutting a turned square out of a picture, without aliasing."""

from __future__ import annotations

import cv2
import numpy as np

from studio.domain.camera import Similarity
from studio.tracking.tracker import Picture


def cut(picture: Picture, square: Similarity, size: int) -> Picture:
    """The content of a square at ``size`` pixels; beyond the picture its border goes on.

    Args:
        picture: ``[H, W, 3]``.
        square: source pixels to the unit square.
        size: side of the result in pixels.

    Returns:
        ``[size, size, 3]``.
    """
    view = square.scaled(size)
    if view.scale < 0.6:
        # A warp alone would skip pixels: average whole blocks first, of the part that is needed.
        step = max(2, int(1.0 / view.scale))
        height, width = picture.shape[:2]
        corners = view.inverse().apply(np.array([(0, 0), (size, 0), (0, size), (size, size)], np.float32))
        room = (width - step, height - step)
        left, top = np.clip(np.floor(corners.min(0)).astype(int) - step, 0, room).tolist()
        right, bottom = np.ceil(corners.max(0)).astype(int).tolist()
        across = max(1, -(-(min(right + step, width) - left) // step))
        down = max(1, -(-(min(bottom + step, height) - top) // step))
        # Blocks that would reach over the picture's border are left away; the border goes on instead.
        across, down = min(across, (width - left) // step), min(down, (height - top) // step)
        part = picture[top : top + down * step, left : left + across * step]
        picture = np.asarray(cv2.resize(part, (across, down), interpolation=cv2.INTER_AREA), np.uint8)
        view = Similarity(float(step), 0.0, float(left), float(top)).then(view)
    return np.asarray(
        cv2.warpAffine(
            picture,
            view.pixel_matrix,
            (size, size),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        ),
        np.uint8,
    )
