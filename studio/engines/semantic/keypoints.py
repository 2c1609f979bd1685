"""The 16 points of a head that say how a picture moves, and the code that says what they cannot.

Of the paper's landmarks only the rule is known (appendix B.3): eyes and mouth dense, nose, brows and contour
sparse; with five points, two eyes, the nose and the mouth's two do better than contour and no mouth. Ours are
vertices of the built-in head, that is MediaPipe's points.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats, project
from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem
from studio.head.model import HeadModel


@dataclass(frozen=True)
class Keypoint:
    """One point of the head. Left and right are the viewer's."""

    name: str
    """In words."""
    vertex: int
    """MediaPipe's index."""
    holds: float
    """How much it says about where the head is and how it is turned: 1 on bone, little on what moves."""


KEYPOINTS = (
    Keypoint("tip of the nose", 4, 1.0),
    Keypoint("left eye's outer corner", 33, 1.0),
    Keypoint("right eye's outer corner", 263, 1.0),
    Keypoint("upper lip, inner edge", 13, 0.02),
    Keypoint("lower lip, inner edge", 14, 0.02),
    Keypoint("left corner of the mouth", 61, 0.05),
    Keypoint("right corner of the mouth", 291, 0.05),
    Keypoint("left upper lid", 159, 0.1),
    Keypoint("right upper lid", 386, 0.1),
    Keypoint("chin", 152, 0.1),
    Keypoint("left edge of the face", 234, 1.0),
    Keypoint("right edge of the face", 454, 1.0),
    Keypoint("left iris", 468, 0.1),
    Keypoint("right iris", 473, 0.1),
    Keypoint("left brow", 105, 0.3),
    Keypoint("right brow", 334, 0.3),
)
"""Most important first: a stream that has room for n points carries the first n, which are the paper's five
for n = 5. Ten are on eyes, brows and mouth; the rest hold the head: nose, chin, both edges."""
VERTICES = tuple(point.vertex for point in KEYPOINTS)
"""Their vertices."""
HOLDING = tuple(point.holds for point in KEYPOINTS)
"""Their weights when the turn of the head is found from them."""


def head_keypoints(
    model: HeadModel,
    coefficients: npt.NDArray[np.floating],
    offset: npt.NDArray[np.floating],
    motion: HeadMotion,
    side: float,
    face: bool = False,
) -> Floats:
    """Keypoints of a moving head in a square picture.

    Driving keypoints are made with the *source's* coefficients and offset and the driver's motion, so that
    nothing of the driver's own shape gets through (paper, section 3.2).

    Args:
        model: the head; it must have MediaPipe's points.
        coefficients: ``[I]`` identity of the person in the source picture.
        offset: ``[V, 3]`` the same person's, metres.
        motion: T frames, their camera in pixels of the picture.
        side: of the picture, pixels.
        face: after the keypoints all of the head model's landmarks, for networks with a face's flow.

    Returns:
        ``[T, 16, 3]``, or ``[T, 16 + L, 3]``: x right and y down, -1..1 inside the picture; z in the same
        unit, nearer is larger, 0 at the mean depth of the neutral face looking at the camera.

    Raises:
        Problem: when the head model lacks one of the points.
    """
    return keypoint_maker(model, coefficients, offset, face)(motion, side)


def keypoint_maker(
    model: HeadModel,
    coefficients: npt.NDArray[np.floating],
    offset: npt.NDArray[np.floating],
    face: bool = False,
) -> Callable[[HeadMotion, float], Floats]:
    """:func:`head_keypoints` of one person, with all that is fixed prepared: for live driving."""
    place = {int(point): row for row, point in enumerate(model.landmark_ids)}
    lacking = [point.name for point in KEYPOINTS if point.vertex not in place]
    if lacking:
        raise Problem(
            f"The head model {model.id} has no point for {lacking[0]}, by which avatars of one picture are "
            "driven; track with the built-in head instead."
        )
    rows = [place[vertex] for vertex in VERTICES]
    if face:
        rows += range(len(model.landmark_ids))
    neutral = model.neutral(coefficients, offset)
    posed = model.posed_landmarks(neutral)
    middle = float(model.pick_landmarks(neutral)[:, 2].mean())

    def keypoints(motion: HeadMotion, side: float) -> Floats:
        seen = project(posed(motion)[:, rows], motion.angles, motion.camera)
        seen[..., 2] -= middle * motion.camera[:, :1]
        return np.asarray(seen / (0.5 * side) - (1.0, 1.0, 0.0), np.float32)

    return keypoints


def semantic_code(motion: HeadMotion, model: HeadModel) -> Floats:
    """What a frame expresses, whoever does it: ``[T, 53]``, about one in size.

    50 expression coefficients over ``model.expression_deviation``, then the jaw's three angles over
    ``model.motion_deviation``.
    """
    expression = motion.expression / model.expression_deviation
    jaw = motion.jaw / model.motion_deviation[:3]
    return np.asarray(np.concatenate([expression, jaw], 1), np.float32)
