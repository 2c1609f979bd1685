"""Faces whose shape, pose and colours are known: landmarks of the built-in head, with pictures over them."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from studio.domain.camera import project
from studio.domain.motion import HeadMotion
from studio.head import builtin_head

SCALE, CENTRE = 700.0, (128.0, 165.0)
"""Pixels per metre, and where the head's origin is in a picture of 256."""


def landmarks_of(angles=(0.0, 0.0, 0.0), **handles: float) -> np.ndarray:
    """``[478, 3]`` in pixels of 256, of an average person with handles at amounts."""
    head = builtin_head()
    motion = HeadMotion.neutral(1, np.array([SCALE, *CENTRE], np.float32))
    for name, amount in handles.items():
        motion = head.handles[name].apply(motion, amount)
    motion = replace(motion, angles=np.array([angles], np.float32))
    identity, offset = np.zeros(head.identities, np.float32), np.zeros_like(head.template)
    points = head.pick_landmarks(head.vertices(identity, offset, motion)[0])
    return project(points, motion.angles[0], motion.camera[0])


def painted(marks: np.ndarray, skin, hair, background=(90, 90, 90)) -> np.ndarray:
    """``[256, 256, 3]``: a hull of skin colour with dark eyes and red lips, hair behind it."""
    skin, hair = (tuple(int(value) for value in colour) for colour in (skin, hair))
    picture = np.full((256, 256, 3), background, np.uint8)
    points = marks[:, :2]
    middle, height = points.mean(0), np.ptp(points[:, 1])
    cv2.circle(picture, tuple(int(v) for v in middle - (0, 0.35 * height)), int(0.62 * height), hair, -1)
    cv2.fillConvexPoly(picture, cv2.convexHull(points.astype(np.int32)), skin)
    for eye in ((33, 160, 158, 133, 153, 144), (362, 385, 387, 263, 373, 380)):
        cv2.fillConvexPoly(picture, cv2.convexHull(points[list(eye)].astype(np.int32)), (5, 5, 5))
    lips = points[[61, 37, 0, 267, 291, 314, 17, 84]].astype(np.int32)
    cv2.fillConvexPoly(picture, cv2.convexHull(lips), (200, 0, 0))
    return picture
