"""Hands in front of the face, the most common cover in phone videos, by MediaPipe's hand landmarks.

Zhang et al., MediaPipe Hands: On-device Real-time Hand Tracking (2020). A hand has the face's own colour and
the mesh carries on underneath it, so neither colours nor the head fit betray it.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats, Similarity
from studio.project.sequence_files import MASK_SIZE
from studio.tracking.quiet import quiet
from studio.tracking.tracker import Picture

EVERY = 0.3
"""Seconds between looks: a hand at the face stays longer."""
_SURE = 0.6
_COVER = 0.04
"""Share of the face's area that a hand must cover to matter."""


class HandFinder:
    """Looks for hands over the face in single pictures. Not thread-safe."""

    def __init__(self) -> None:
        """Load the networks, which are inside the mediapipe wheel."""
        with quiet():
            import mediapipe as mp

            self._network: Any = mp.solutions.hands.Hands(
                static_image_mode=True, max_num_hands=2, model_complexity=0, min_detection_confidence=_SURE
            )
            self._network.process(np.zeros((64, 64, 3), np.uint8))

    def covered(self, boxed: Picture, box: Similarity, landmarks: Floats) -> float:
        """Share of the face's area 0..1 that lies under hands.

        Args:
            boxed: ``[256, 256, 3]`` the mask box's content.
            box: source pixels to the unit square.
            landmarks: ``[478, 3]`` the face in source pixels.
        """
        hands = self._network.process(boxed).multi_hand_landmarks or []
        if not hands:
            return 0.0
        face = box.scaled(MASK_SIZE).apply(landmarks[:, :2])
        area, under = (
            _filled([face]),
            _filled(
                [np.array([(p.x, p.y) for p in hand.landmark], np.float32) * MASK_SIZE for hand in hands]
            ),
        )
        return float((area & under).sum() / max(1, int(area.sum())))

    def close(self) -> None:
        """Free the networks."""
        self._network.close()


def under_hands(
    looked: npt.NDArray[np.integer], shares: npt.NDArray[np.floating], count: int
) -> npt.NDArray[np.bool_]:
    """From looks at some frames to all frames.

    A look counts when one of its two neighbours agrees: single ones are mostly wide open mouths. Between two
    that count, everything is covered, and half a step around them.

    Args:
        looked: ``[L]`` frame numbers, ascending.
        shares: ``[L]`` of :meth:`HandFinder.covered`.
        count: number of frames T.

    Returns:
        ``[T]``.
    """
    out = np.zeros(count, bool)
    if not len(looked):
        return out
    there = np.asarray(shares) > _COVER
    beside = np.zeros(len(there), bool)
    beside[1:] |= there[:-1]
    beside[:-1] |= there[1:]
    kept = there & beside
    for index in np.flatnonzero(kept):
        before = looked[index - 1] if index else looked[index]
        after = looked[index + 1] if index + 1 < len(looked) else count
        first = int(looked[index] + before) // 2 if index else 0
        out[first : int(looked[index] + after) // 2 + 1] = True
    return out


def _filled(outlines: list[Floats]) -> npt.NDArray[np.uint8]:
    area = np.zeros((MASK_SIZE, MASK_SIZE), np.uint8)
    for outline in outlines:
        cv2.fillConvexPoly(area, cv2.convexHull(np.round(outline).astype(np.int32)), 1)
    return area
