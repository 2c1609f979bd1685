"""What lies over a picture and belongs to nobody in it: stickers, captions, a hand with other colours.

A network that is told of expressions learns by heart at which of them a sticker came up, and shows it again.
What warping makes of a moment knows no covers (:mod:`studio.warping.trust`). It may be badly aligned, so a
colour is foreign only if the warped picture has nothing between its darkest and brightest around that place.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

SIDE = 184
"""Side of the pictures that are compared, pixels: covers have some extent."""
SOFTENED = 1.5
"""Gaussian sigma, pixels of SIDE."""
REACH = 0.06
"""How far warping may be off, as a share of the side."""
FOREIGN = (25.0, 10.0, 10.0)
"""L, a and b (CIELAB) beyond what is around. Shining lips and skin differ in L, covers mostly in a or b."""
DARK = 30.0
"""L below which nothing is called a cover."""
LEAST = 0.004
"""Share of the picture below which a foreign spot is noise or a highlight."""
MOST = 0.3
"""Share of the picture above which it is the light that has changed, and nothing lies over anything."""
GROWN = 0.03
"""How far a cover reaches beyond what was found, as a share of the side: it has soft edges and a shadow."""


def foreign_cover(
    real: npt.NDArray[np.uint8], warped: npt.NDArray[np.uint8], inside: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """Where a picture shows what does not belong there: ``[S, S]``.

    Args:
        real: ``[S, S, 3]`` what the camera saw.
        warped: ``[S, S, 3]`` what warping makes of the same moment.
        inside: ``[S, S]`` where the camera saw anything.
    """
    side = real.shape[0]
    small, expected, known = (
        cv2.resize(np.asarray(x, np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        for x in (real, warped, inside)
    )
    soft, around = (
        cv2.GaussianBlur(cv2.cvtColor(x.astype(np.float32) / 255.0, cv2.COLOR_RGB2LAB), (0, 0), SOFTENED)
        for x in (small, expected)
    )
    reach = _disc(REACH)
    below = cv2.erode(around, reach) - soft
    # Darker than all around, and without colour for that reason: a mouth that warping did not open.
    below[..., 0] = 0.0
    lit = soft[..., 0] > DARK
    beyond = np.maximum(soft - cv2.dilate(around, reach), below)
    spots = ((beyond > FOREIGN).any(-1) & lit & (known > 0)).astype(np.uint8)
    count, labels, about, _ = cv2.connectedComponentsWithStats(spots)
    large = [i for i in range(1, count) if about[i, cv2.CC_STAT_AREA] >= LEAST * SIDE * SIDE]
    found = np.isin(labels, large).astype(np.uint8)
    if found.mean() > MOST:
        found[:] = 0
    grown = cv2.dilate(found, _disc(GROWN))
    return cv2.resize(grown, (side, side), interpolation=cv2.INTER_NEAREST) > 0


def _disc(share: float) -> npt.NDArray[np.uint8]:
    wide = 2 * round(share * SIDE) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (wide, wide)), np.uint8)
