"""Filling what is not known of a picture smoothly from what is."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats


def pull_push(values: npt.NDArray[np.generic], known: npt.NDArray[np.bool_]) -> Floats:
    """Fill unknown pixels from coarser and coarser averages of the known ones.

    Args:
        values: ``[H, W, C]`` numbers, any finite ones where nothing is known.
        known: ``[H, W]``.

    Returns:
        ``[H, W, C]``: known pixels keep their value to the last bit; all zero where nothing is known at all.
    """
    weight = known.astype(np.float32)
    total = np.where(known[..., None], values, 0.0).astype(np.float32)
    levels = [(total, weight)]
    while max(weight.shape) > 1:
        size = (max(1, weight.shape[1] // 2), max(1, weight.shape[0] // 2))
        total, weight = (_resized(part, size, cv2.INTER_AREA) for part in (total, weight))
        levels.append((total, weight))
    result = total / np.maximum(weight, 1e-6)[..., None]
    for total, weight in reversed(levels[:-1]):
        result = _resized(result, weight.shape[::-1], cv2.INTER_LINEAR)
        # Where a pixel of this level is known in part, the part counts for its own average.
        missing = 1.0 - np.minimum(weight, 1.0)
        scale = np.minimum(weight, 1.0) / np.maximum(weight, 1e-6)
        result = total * scale[..., None] + result * missing[..., None]
    return np.asarray(result, np.float32)


def _resized(picture: Floats, size: tuple[int, ...], how: int) -> Floats:
    """Resized to (width, height); OpenCV drops a last axis of one."""
    out = cv2.resize(picture, (size[0], size[1]), interpolation=how)
    return np.asarray(out, np.float32).reshape(size[1], size[0], *picture.shape[2:])
