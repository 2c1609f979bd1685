"""The empty background behind the person, recovered from frames in which it shows."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from studio.head.pull_push import pull_push

STILL_TOLERANCE = 12.0
"""Median deviation, in grey levels, up to which a background counts as standing still."""


@dataclass(frozen=True)
class Plate:
    """A clean background."""

    image: npt.NDArray[np.uint8]
    """``[H, W, 4]``: RGB, and 255 where the background stands still, 0 where pivots bring their own."""
    deviation: float
    """Median absolute deviation of the background over time, grey levels: what camera motion costs."""

    @property
    def still(self) -> bool:
        """Whether the clip's background can be treated as one picture."""
        return self.deviation <= STILL_TOLERANCE


def recover_plate(frames: npt.NDArray[np.uint8]) -> Plate:
    """The background from several frames of one fixed window.

    Args:
        frames: ``[T, H, W, 4]`` RGB and person coverage, 0..255.

    Returns:
        The plate. Pixels that the person always covers are filled in smoothly from around them.
    """
    masks, frames = frames[..., 3], frames[..., :3]
    height, width = masks.shape[1:]
    image = np.zeros((height, width, 3), np.uint8)
    known = np.zeros((height, width), bool)
    deviations = []
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
    enough = min(2, len(frames))  # twice, so that one wrong mask shows nobody's elbow; a photo has one only
    free = np.stack([cv2.dilate(m, kernel) < 20 for m in masks])
    for top in range(0, height, 64):  # in bands, so that memory stays small
        band = slice(top, min(top + 64, height))
        values = np.where(free[:, band, :, None], frames[:, band].astype(np.float32), np.nan)
        seen = free[:, band].sum(0) >= enough
        if not seen.any():
            continue
        columns = values[:, seen]
        middle = np.nanmedian(columns, 0)
        image[band][seen] = np.clip(middle + 0.5, 0, 255).astype(np.uint8)
        known[band] = seen
        deviations.append(np.nanmedian(np.abs(columns - middle), 0).mean(1))
    deviation = float(np.percentile(np.concatenate(deviations), 75)) if deviations else 0.0
    filled = fill_smoothly(image, known)
    opaque = np.full((height, width, 1), 255 if deviation <= STILL_TOLERANCE else 0, np.uint8)
    return Plate(np.concatenate([filled, opaque], 2), deviation)


def fill_smoothly(image: npt.NDArray[np.uint8], known: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """Fill unknown pixels ``[H, W]`` of a picture ``[H, W, 3]``; see :func:`pull_push`."""
    if known.all() or not known.any():
        return image
    result = pull_push(image, known)
    out = image.copy()
    out[~known] = np.clip(result[~known] + 0.5, 0, 255).astype(np.uint8)
    return out
