"""Measures over time: landmark jitter and flicker."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from studio.metrics.landmarks import REFERENCE_SIZE, sixty_eight
from studio.metrics.metric import Observed, Values, picture_pair

CONSISTENCY = 1.5
"""Pixels by which there-and-back flow may miss for a pixel to count as seen in both frames."""


def jitter(real: Observed, rendered: Observed) -> Values:
    """Landmark jitter: mean length of the 68 tracks' second difference in time, rendered minus real.

    Pixels of a 256² picture per frame², best is 0: positive trembles more than the real clip, negative moves
    more smoothly than life. A frame without both neighbours in time has no value.
    """
    return _tremble(rendered) - _tremble(real)


def flicker(real: Observed, rendered: Observed) -> Values:
    """Warping error, rendered minus real: how far a frame differs from the previous one moved by the flow.

    8-bit levels, best is 0, positive flickers more than the real clip. The flow is the *real* clip's, from
    frame t to t-1 (DIS, Kroeger et al. 2016), for both sides, so that inventing motion costs as much as
    changing brightness; pixels where there-and-back flow misses by more than 1.5 pixels are left out.
    After Lai et al. 2018, with mean absolute instead of squared error. A frame without a predecessor has
    no value.
    """
    import cv2

    a, b = picture_pair(real, rendered)
    values = np.full(len(a), np.nan)
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    grey = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in a]
    for t in range(1, len(a)):
        if real.frames[t] != real.frames[t - 1] + 1:
            continue
        back = flow.calc(grey[t], grey[t - 1], None)
        forth = flow.calc(grey[t - 1], grey[t], None)
        there = np.linalg.norm(back + _moved(forth, back), axis=-1)
        kept = there < CONSISTENCY
        if not kept.any():
            continue
        errors = [
            np.abs(side[t].astype(np.float32) - _moved(side[t - 1].astype(np.float32), back))[kept].mean()
            for side in (a, b)
        ]
        values[t] = float(errors[1] - errors[0])
    return values


def _moved(picture: npt.NDArray[np.float32], flow: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The picture read at each pixel's own place plus the flow ``[H, W, 2]``."""
    import cv2

    height, width = flow.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return np.asarray(
        cv2.remap(
            picture, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
    )


def _tremble(side: Observed) -> Values:
    """``[T]`` mean length of the second difference at each frame, NaN at gaps."""
    points = sixty_eight(side) * (REFERENCE_SIZE / side.size)
    values = np.full(len(points), np.nan)
    if len(points) < 3:
        return values
    second = points[2:] - 2.0 * points[1:-1] + points[:-2]
    whole = (side.frames[2:] - side.frames[:-2]) == 2
    values[1:-1] = np.where(whole, np.linalg.norm(second, axis=-1).mean(-1), np.nan)
    return values
