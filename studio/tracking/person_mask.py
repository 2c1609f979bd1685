"""The person's outline: MediaPipe's selfie segmentation, refined to the picture's edges and steadied.

Guided filter: He, Sun, Tang, Guided Image Filtering (TPAMI 2013), equations 5, 6 and 8, grey guide.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from studio.domain.camera import Similarity
from studio.project.sequence_files import MASK_SIZE
from studio.tracking.cutting import cut
from studio.tracking.quiet import quiet
from studio.tracking.tracker import Picture

_RADIUS = 3
"""In mask pixels. The network is right to a pixel or two; farther away hair and ear would bleed."""
_SOFTNESS = 1e-3
"""Edges of the picture fainter than this variance (of 0..1) do not bend the outline."""
_STEADY = 0.5
"""Share of the previous mask where little changed."""

Plane = npt.NDArray[np.float32]


class PersonSegmenter:
    """Soft masks of the person in square boxes of consecutive frames. Not thread-safe."""

    def __init__(self) -> None:
        """Load the network, which is inside the mediapipe wheel."""
        with quiet():
            import mediapipe as mp

            self._network: Any = mp.solutions.selfie_segmentation.SelfieSegmentation(model_selection=0)
            self._network.process(np.zeros((MASK_SIZE, MASK_SIZE, 3), np.uint8))
        self._last: tuple[Plane, Similarity] | None = None

    def raw(self, picture: Picture, box: Similarity, fresh: bool = True) -> tuple[Plane, Picture]:
        """What the network says inside a box.

        Args:
            picture: the whole frame.
            box: source pixels to the unit square.
            fresh: ask the network; otherwise what it said last is carried over to this box, which costs a
                tenth and is right to a pixel or two while frames follow each other closely.

        Returns:
            ``[256, 256]`` 0..1 and the boxed picture ``[256, 256, 3]``.
        """
        boxed = cut(picture, box, MASK_SIZE)
        if fresh or self._last is None:
            said = self._network.process(boxed).segmentation_mask
            self._last = np.asarray(said, np.float32).reshape(MASK_SIZE, MASK_SIZE), box
        return carried(*self._last, box), boxed

    def close(self) -> None:
        """Free the network."""
        self._network.close()


class MaskFinisher:
    """Refines and steadies raw masks of consecutive frames, in order."""

    def __init__(self) -> None:
        self._previous: tuple[Plane, Similarity] | None = None

    def forget(self) -> None:
        """The next frame does not continue the last one (a cut)."""
        self._previous = None

    def finish(
        self, raw: Plane, boxed: Picture, box: Similarity, face: npt.NDArray[np.floating]
    ) -> npt.NDArray[np.uint8]:
        """The mask to store: ``[256, 256]`` uint8, 255 inside.

        Args:
            raw, boxed: as :meth:`PersonSegmenter.raw` gives them.
            box: source pixels to the unit square.
            face: ``[N, 2]`` outline of the face in source pixels; what is not joined to it is dropped.
        """
        mask = refine(raw, boxed)
        if self._previous is not None:
            before = carried(*self._previous, box)
            change = np.abs(mask - before)
            # Flicker is small; where the mask changed much, the person moved: no trail.
            keep = _STEADY * np.clip(1 - change / 0.4, 0, 1)
            mask = mask + keep * (before - mask)
        self._previous = (mask, box)
        whole = joined_to(mask, box.scaled(MASK_SIZE).apply(face))
        return np.asarray(np.clip(whole * 255 + 0.5, 0, 255), np.uint8)


def carried(mask: Plane, its_box: Similarity, box: Similarity) -> Plane:
    """A mask in the place of another box: the same places of the picture, wherever the box has moved."""
    if its_box == box:
        return mask
    move = its_box.scaled(MASK_SIZE).inverse().then(box.scaled(MASK_SIZE)).pixel_matrix
    size = (MASK_SIZE, MASK_SIZE)
    return np.asarray(cv2.warpAffine(mask, move, size, borderMode=cv2.BORDER_REPLICATE), np.float32)


def refine(raw: Plane, boxed: Picture) -> Plane:
    """Bend a soft mask ``[S, S]`` to the edges of its picture ``[S, S, 3]``; 0..1."""
    guide = cv2.cvtColor(boxed, cv2.COLOR_RGB2GRAY).astype(np.float32) * (1 / 255)
    size = (2 * _RADIUS + 1, 2 * _RADIUS + 1)

    def mean(plane: Plane) -> Plane:
        return np.asarray(cv2.blur(plane, size), np.float32)

    guide_mean, mask_mean = mean(guide), mean(raw)
    variance = mean(guide * guide) - guide_mean * guide_mean
    together = mean(guide * raw) - guide_mean * mask_mean
    slope = together / (variance + _SOFTNESS)
    base = mask_mean - slope * guide_mean
    refined = np.clip(mean(slope) * guide + mean(base), 0, 1)
    # Only near the outline; deep inside and far outside the network is sure.
    unsure = mean(np.asarray(np.minimum(raw, 1 - raw) * 4, np.float32)).clip(0, 1)
    return np.asarray(raw + unsure * (refined - raw), np.float32)


def joined_to(mask: Plane, face: npt.NDArray[np.floating]) -> Plane:
    """The mask without parts that do not hang together with the face (other people, false spots).

    Args:
        mask: ``[S, S]`` 0..1.
        face: ``[N, 2]`` outline of the face in mask pixels.
    """
    solid = np.asarray(mask > 0.3, np.uint8)
    outline = np.zeros_like(solid)
    cv2.fillConvexPoly(outline, cv2.convexHull(np.round(face).astype(np.int32)), 1)
    count, labels = cv2.connectedComponents(solid | outline)
    if count <= 2:
        return mask
    mine = np.unique(labels[outline > 0])
    keep = np.isin(labels, mine[mine > 0]).astype(np.uint8)
    keep = cv2.dilate(keep, np.ones((7, 7), np.uint8))
    return np.asarray(mask * keep, np.float32)
