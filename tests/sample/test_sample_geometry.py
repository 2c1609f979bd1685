"""The sample's truth is what it says it is: rigid rotations by the stated angles; expressions that act."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pipelines.sample.pose import Pose
from pipelines.sample.puppet import Puppet

NOSE, LEFT_EYE, RIGHT_EYE, CHIN, UPPER_LIP, LOWER_LIP = 4, 33, 263, 152, 13, 14

STILL = Pose(
    angles=np.zeros(3, np.float32),
    shift=np.zeros(2, np.float32),
    fields=np.zeros(6, np.float32),
    jaw=0.0,
    gaze=np.zeros(2, np.float32),
)


@pytest.fixture(scope="module")
def puppet() -> Puppet:
    return Puppet(160, 160, 160 / 268, (90.0, 2.0))


def turned(angles: tuple[float, float, float]) -> Pose:
    return replace(STILL, angles=np.array(angles, np.float32))


def weighing(**weights: float) -> Pose:
    names = ("lid_left", "lid_right", "lips_together", "relaxed", "rounded", "brow")
    return replace(STILL, fields=np.array([weights.get(n, 0.0) for n in names], np.float32))


@pytest.mark.parametrize("angles", [(0, 0, 0), (35, 0, 0), (0, 20, 0), (-20, -14, 9), (28, 11, -10)])
def test_without_expression_the_vertices_are_the_rigid_rotation_of_the_neutral_ones(puppet, angles):
    yaw, pitch, roll = angles
    turn = Rotation.from_euler("YXZ", [yaw, -pitch, -roll], degrees=True).as_matrix()
    scale, cx, cy = puppet.rest_camera
    head = puppet.neutral.astype(np.float64) @ turn.T
    expected = np.stack([cx + scale * head[:, 0], cy - scale * head[:, 1], scale * head[:, 2]], 1)
    np.testing.assert_allclose(puppet.landmarks(turned(angles)), expected, atol=2e-3)


def test_angles_have_the_signs_of_the_convention(puppet):
    def nose(pose: Pose) -> np.ndarray:
        points = puppet.landmarks(pose)[:, :2]
        return points[NOSE] - (points[LEFT_EYE] + points[RIGHT_EYE]) / 2

    rest = nose(STILL)
    assert nose(turned((25, 0, 0)))[0] > rest[0] + 3
    assert nose(turned((0, 20, 0)))[1] < rest[1] - 3
    eyes = puppet.landmarks(turned((0, 0, 10)))[[LEFT_EYE, RIGHT_EYE], :2]
    slope = np.rad2deg(np.arctan2(*(eyes[1] - eyes[0])[::-1]))
    assert slope == pytest.approx(10, abs=1.5)


def test_the_neutral_head_has_human_proportions(puppet):
    points = puppet.neutral * 1000
    assert np.linalg.norm(points[468] - points[473]) == pytest.approx(61.5, abs=3)
    eyes = points[[33, 133, 263, 362]].mean(0)
    assert 35 < (points[NOSE] - eyes)[2] < 46
    assert 2 < (points[CHIN] - eyes)[2] < 16
    assert -65 < (points[[234, 454]].mean(0) - eyes)[2] < -45
    # Symmetric: the two halves' depths agree.
    for left, right in ((33, 263), (61, 291), (129, 358), (234, 454), (136, 365)):
        assert points[left, 2] == pytest.approx(points[right, 2], abs=1.0)
        assert points[left, 0] + points[right, 0] == pytest.approx(2 * points[[168, 4, 152], 0].mean(), abs=6)


def test_the_jaw_opens_the_mouth_and_leaves_the_skull_alone(puppet):
    rest, wide = puppet.vertices(STILL), puppet.vertices(replace(STILL, jaw=np.deg2rad(10)))
    moved = np.linalg.norm(wide - rest, axis=1) * 1000
    assert moved[[NOSE, LEFT_EYE, RIGHT_EYE, 10, 168]].max() < 0.05
    assert moved[UPPER_LIP] < 1.0
    # Ten degrees about a joint some 95 mm away.
    arm = np.linalg.norm((rest[CHIN] - puppet.neutral[[234, 454]].mean(0))[1:]) * 1000
    assert moved[CHIN] == pytest.approx(np.deg2rad(10) * arm, rel=0.25)
    assert wide[CHIN, 1] < rest[CHIN, 1]
    assert moved[LOWER_LIP] > 8


def test_lips_and_lids_close(puppet):
    def gap(pose: Pose, upper: int, lower: int) -> float:
        points = puppet.vertices(pose)
        return float(points[upper, 1] - points[lower, 1]) * 1000

    assert gap(STILL, UPPER_LIP, LOWER_LIP) > 6
    assert abs(gap(weighing(lips_together=1), UPPER_LIP, LOWER_LIP)) < 3
    for field, upper, lower in (("lid_left", 159, 145), ("lid_right", 386, 374)):
        assert gap(weighing(**{field: 1}), upper, lower) < 0.35 * gap(STILL, upper, lower)


def test_gaze_turns_the_iris_and_nothing_else(puppet):
    rest, aside = puppet.vertices(STILL), puppet.vertices(replace(STILL, gaze=np.array([15, 0], np.float32)))
    np.testing.assert_array_equal(rest[:468], aside[:468])
    for iris in (468, 473):
        assert (aside[iris] - rest[iris])[0] * 1000 == pytest.approx(12 * np.sin(np.deg2rad(15)), abs=0.4)


def test_the_picture_moves_with_the_truth(puppet):
    """The drawn eyes are where the truth says, under a turn and a shift."""
    for pose in (STILL, turned((20, 5, -6)), replace(STILL, shift=np.array([0.01, 0.01], np.float32))):
        picture = puppet.draw(pose).astype(np.float32).sum(-1)
        for iris in puppet.landmarks(pose)[[468, 473], :2]:
            x, y = np.floor(iris).astype(int)
            around = picture[y - 6 : y + 7, x - 6 : x + 7]
            dark = np.argwhere(around < np.quantile(around, 0.06)).mean(0) - 6
            assert np.abs(dark).max() < 2.5


def test_a_turned_head_has_no_holes(puppet):
    """Every pixel inside the drawn face is skin, not the wall behind."""
    for yaw in (-36, 36):
        pose = turned((yaw, 0, 0))
        points = puppet.landmarks(pose)
        picture = puppet.draw(pose).astype(np.int32)
        cheeks = points[[50, 280, 205, 425, 10, 151, 9, 199, 200, 4, 5, 195]]
        near = cheeks[cheeks[:, 2] > np.median(cheeks[:, 2]) - 30]
        for x, y, _ in near:
            red, green, blue = picture[int(y), int(x)]
            assert red > green > blue, "skin and hair are warm, wall and holes are not"
