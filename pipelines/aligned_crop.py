"""Cutting a view out of a source frame: one sampler for everything that is compared."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from studio.domain.camera import Similarity, View

MOST_STEPS = 8
"""Samples per output pixel and axis, at most; enough for an eightfold reduction."""


def cut_view(picture: npt.NDArray[np.uint8], view: View) -> npt.NDArray[np.uint8]:
    """What a view shows of a source frame, without aliasing.

    Where the view shrinks the frame, it is sampled several times per output pixel and averaged over the
    pixel's area; elsewhere bilinearly. Outside the frame the border is continued.

    Args:
        picture: ``[H, W, 3]`` or ``[H, W]`` uint8.
        view: source pixels to output pixels.

    Returns:
        ``[view.height, view.width, 3]`` (or without channels) uint8.
    """
    steps = int(np.clip(np.ceil(1.0 / view.placement.scale - 1e-6), 1, MOST_STEPS))
    fine = cv2.warpAffine(
        picture,
        view.placement.scaled(steps).pixel_matrix,
        (view.width * steps, view.height * steps),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    if steps > 1:
        fine = cv2.resize(fine, (view.width, view.height), interpolation=cv2.INTER_AREA)
    return np.asarray(fine, np.uint8)


def inside_source(view: View, width: int, height: int) -> npt.NDArray[np.bool_]:
    """Which pixels of a view have their centre inside the source frame: ``[view.height, view.width]``."""
    x, y = np.meshgrid(np.arange(view.width) + 0.5, np.arange(view.height) + 0.5)
    points = view.placement.inverse().apply(np.stack([x, y], -1))
    return np.asarray(((points >= 0) & (points <= (width, height))).all(-1))


def cut_mask(mask: npt.NDArray[np.uint8], box: Similarity, view: View) -> npt.NDArray[np.uint8]:
    """A stored person mask as a view shows it.

    Args:
        mask: ``[M, M]`` uint8, 255 inside.
        box: source pixels to the unit square that the mask covers.
        view: source pixels to output pixels.

    Returns:
        ``[view.height, view.width]`` uint8; outside the box the mask's border is continued.
    """
    placement = box.scaled(float(mask.shape[0])).inverse().then(view.placement)
    return cut_view(mask, View(placement, view.width, view.height))
