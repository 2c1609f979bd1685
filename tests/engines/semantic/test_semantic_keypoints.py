"""The sixteen keypoints in pictures, and the code beside them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from studio.domain.camera import project
from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem
from studio.engines.semantic.keypoints import (
    KEYPOINTS,
    VERTICES,
    head_keypoints,
    keypoint_maker,
    semantic_code,
)
from studio.head import builtin_head
from studio.head.topology import topology
from tests.engines.semantic.little_network import a_motion

SIDE = 200
NAMES = [point.name for point in KEYPOINTS]
NOSE, CHIN = NAMES.index("tip of the nose"), NAMES.index("chin")
MODEL = builtin_head()
NO_OFFSET = np.zeros((len(MODEL.template), 3), np.float32)


def turned(angles: tuple[float, float, float], **changes) -> np.ndarray:
    """Keypoints of the mean face, its origin in the middle of the picture."""
    motion = HeadMotion.neutral(1, np.array([600.0, 100.0, 100.0]))
    motion = replace(motion, angles=np.array([angles], np.float32), **changes)
    return head_keypoints(MODEL, np.zeros(40), NO_OFFSET, motion, SIDE)[0]


def test_sixteen_points_ten_of_them_on_eyes_and_mouth() -> None:
    assert len(set(VERTICES)) == len(KEYPOINTS) == 16
    near = [n for n in NAMES if any(word in n for word in ("eye", "lid", "iris", "lip", "mouth"))]
    assert len(near) == 10
    # Every point has its partner, so that mirrored people can be learnt from as well.
    mirror = topology().mirror
    assert {int(mirror[v]) for v in VERTICES} == set(VERTICES)


def test_five_are_the_papers_five() -> None:
    """Two of the eyes, one of the nose, two of the mouth (paper, appendix B.3)."""
    words = sorted("eye" if "eye" in n else "lip" if "lip" in n else "nose" for n in NAMES[:5])
    assert words == ["eye", "eye", "lip", "lip", "nose"]


def test_the_nose_goes_where_the_head_turns() -> None:
    straight = turned((0.0, 0.0, 0.0))
    assert turned((20.0, 0.0, 0.0))[NOSE, 0] > straight[NOSE, 0] + 0.05  # yaw: to the viewer's right
    assert turned((0.0, 20.0, 0.0))[NOSE, 1] < straight[NOSE, 1] - 0.05  # pitch: up
    assert turned((0.0, 0.0, 20.0))[CHIN, 0] < straight[CHIN, 0] - 0.05  # roll: the chin goes left
    left, right = NAMES.index("left edge of the face"), NAMES.index("right edge of the face")
    assert straight[left, 0] < 0.0 < straight[right, 0]
    assert turned((20.0, 0.0, 0.0))[left, 2] > turned((20.0, 0.0, 0.0))[right, 2] + 0.2  # nearer
    assert straight[NOSE, 2] == straight[:, 2].max()


def test_they_are_the_head_models_vertices_in_the_picture() -> None:
    random, motion = np.random.default_rng(0), a_motion(4, SIDE)
    coefficients = random.normal(size=MODEL.identities)
    offset = random.normal(size=NO_OFFSET.shape).astype(np.float32) * 1e-3
    points = head_keypoints(MODEL, coefficients, offset, motion, SIDE)
    seen = project(MODEL.vertices(coefficients, offset, motion), motion.angles, motion.camera)[:, VERTICES]
    assert points.shape == (4, 16, 3)
    assert np.abs((points[..., :2] + 1.0) * (0.5 * SIDE) - seen[..., :2]).max() < 1e-2
    middle = MODEL.neutral(coefficients, offset)[:, 2].mean() * motion.camera[:, :1]
    assert np.abs(points[..., 2] * (0.5 * SIDE) - (seen[..., 2] - middle)).max() < 1e-2
    face = head_keypoints(MODEL, coefficients, offset, motion, SIDE, face=True)
    assert np.array_equal(face[:, :16], points)
    assert face.shape == (4, 16 + 478, 3)
    assert np.array_equal(face[:, [16 + v for v in VERTICES]], points)


def test_depth_is_zero_at_the_mean_of_the_neutral_face() -> None:
    motion = HeadMotion.neutral(1, np.array([600.0, 100.0, 100.0]))
    face = head_keypoints(MODEL, np.zeros(40), NO_OFFSET, motion, SIDE, face=True)[0, 16:]
    assert abs(face[:, 2].mean()) < 1e-4


def test_a_picture_twice_as_large_has_the_same_keypoints() -> None:
    motion = a_motion(3, SIDE)
    larger = replace(motion, camera=motion.camera * 2.0)
    points = [
        head_keypoints(MODEL, np.zeros(40), NO_OFFSET, m, s) for m, s in ((motion, SIDE), (larger, 2 * SIDE))
    ]
    assert np.abs(points[0] - points[1]).max() < 1e-5


def test_another_drivers_motion_moves_the_sources_own_shape() -> None:
    """Driving keypoints know nothing of the driver but what they do (paper, section 3.2)."""
    random = np.random.default_rng(0)
    source, motion = random.normal(size=MODEL.identities) * 2.0, a_motion(3, SIDE)
    points = head_keypoints(MODEL, source, NO_OFFSET, motion, SIDE)
    still = replace(motion, expression=np.zeros_like(motion.expression), jaw=np.zeros_like(motion.jaw))
    bones = [NAMES.index(n) for n in ("tip of the nose", "left edge of the face", "right edge of the face")]

    def widths(of: np.ndarray) -> np.ndarray:
        return np.linalg.norm(of[:, bones[0]] - of[:, bones[1:]].transpose(1, 0, 2), axis=-1)

    # A face as wide and deep as the source's, however it is turned: nothing else went in.
    quiet = head_keypoints(MODEL, source, NO_OFFSET, still, SIDE)
    straight = head_keypoints(MODEL, source, NO_OFFSET, HeadMotion.neutral(3, motion.camera[0]), SIDE)
    assert np.abs(widths(quiet) - widths(straight)).max() < 1e-4
    other = head_keypoints(MODEL, -source, NO_OFFSET, motion, SIDE)
    assert np.abs(points - other).max() > 0.02
    assert np.array_equal(keypoint_maker(MODEL, source, NO_OFFSET)(motion, SIDE), points)


def test_blinking_gaze_and_jaw_move_their_points_alone() -> None:
    quiet = turned((0.0, 0.0, 0.0))

    def moved(**changes) -> set[str]:
        away = np.linalg.norm(turned((0.0, 0.0, 0.0), **changes) - quiet, axis=-1)
        return {name for name, far in zip(NAMES, away) if far > 0.01}

    def one(*values: float) -> np.ndarray:
        return np.array([values], np.float32)

    assert moved(eyelids=one(1.0, 0.0)) == {"left upper lid", "left iris"}  # which the lid covers
    assert moved(gaze=one(15.0, 0.0)) == {"left iris", "right iris"}
    opened = moved(jaw=one(0.3, 0.0, 0.0))
    assert {"lower lip, inner edge", "chin"} <= opened
    assert not {"tip of the nose", "left iris", "left brow", "left upper lid"} & opened


def test_the_code_is_expression_and_jaw_in_the_models_deviations() -> None:
    motion = a_motion(5, SIDE)
    code = semantic_code(motion, MODEL)
    assert code.shape == (5, 53)
    assert np.allclose(code[:, :50] * MODEL.expression_deviation, motion.expression, atol=1e-6)
    assert np.allclose(code[:, 50:] * MODEL.motion_deviation[:3], motion.jaw, atol=1e-6)


def test_a_head_model_without_the_points_is_refused_in_words() -> None:
    fewer = replace(MODEL, landmark_ids=np.arange(400, dtype=np.int32))
    with pytest.raises(Problem, match="no point for right edge of the face"):
        keypoint_maker(fewer, np.zeros(40), NO_OFFSET)
