"""Attributes measured in pictures of the sample's puppet, whose pose and expression are known exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from pipelines.face_reading import face_reader
from pipelines.sample.pose import Pose
from pipelines.sample.puppet import Puppet
from studio.editing.attributes import ATTRIBUTES, POSE, LookedAt

SIDE = 320
STEPS = 5
POSES = ((0.0, -6.0, 2.0), (22.0, -6.0, 2.0), (-10.0, 8.0, -3.0))
SWEPT: dict[str, Any] = {
    "smile": lambda share: {"smile": share},
    "mouth_open": lambda share: {"jaw": 9.0 * share, "together": (1.0 - share) ** 2},
    "eyes_open": lambda share: {"lids": 1.0 - share},
    "brow_raise": lambda share: {"brow": 2.0 * share - 1.0},
}


def pose(angles, smile=0.3, jaw=0.0, together=0.8, lids=0.0, brow=0.0) -> Pose:
    fields = np.array([lids, lids, together, 1.0 - smile, 0.0, brow], np.float32)
    return Pose(
        np.array(angles, np.float32),
        np.zeros(2, np.float32),
        fields,
        np.deg2rad(jaw),
        np.zeros(2, np.float32),
    )


@pytest.fixture(scope="module")
def looked() -> LookedAt:
    """For each pose and attribute some steps from least to most, in pictures of their own."""
    puppet = Puppet(SIDE, SIDE, SIDE / 268.0, (90.0, 2.0))
    shares = np.linspace(0.0, 1.0, STEPS)
    asked = [pose(at, **change(share)) for at in POSES for change in SWEPT.values() for share in shares]
    pictures = np.stack([puppet.draw(one) for one in asked])
    with face_reader() as faces:
        return LookedAt(pictures, faces(pictures))


def test_every_face_is_found(looked) -> None:
    assert np.isfinite(looked.landmarks).all()


@pytest.mark.parametrize("name", SWEPT)
def test_attributes_rise_with_the_truth_in_every_pose(looked, name) -> None:
    values = ATTRIBUTES[name].measure(looked).reshape(len(POSES), len(SWEPT), STEPS)
    column = list(SWEPT).index(name)
    for at, own in zip(POSES, values[:, column]):
        assert spearmanr(own, range(STEPS)).statistic >= 0.8, (at, own)
        assert np.corrcoef(own, range(STEPS))[0, 1] >= 0.8, (at, own)


@pytest.mark.parametrize("name", SWEPT)
def test_other_expressions_move_it_less(looked, name) -> None:
    values = ATTRIBUTES[name].measure(looked).reshape(len(POSES), len(SWEPT), STEPS)
    moved = np.ptp(values, axis=2).mean(0)
    own = moved[list(SWEPT).index(name)]
    assert own == moved.max(), dict(zip(SWEPT, moved))


def test_pose_is_read_in_degrees(looked) -> None:
    for column, name in enumerate(POSE):
        read = ATTRIBUTES[name].measure(looked).reshape(len(POSES), -1).mean(1)
        assert np.allclose(read, np.array(POSES)[:, column], atol=5.0)


def test_colours_do_not_depend_on_pose_or_expression_much(looked) -> None:
    """Skin and hair are the same all the time; background and skin are far apart."""
    for name, most in (("skin_red", 3.0), ("hair_light", 8.0), ("skin_light", 8.0)):
        values = ATTRIBUTES[name].measure(looked)
        assert np.isfinite(values).all()
        assert values.std() < most, (name, values.std())


def test_a_picture_without_a_face_is_told_as_such() -> None:
    with face_reader() as faces:
        marks = faces(np.full((2, 64, 64, 3), 128, np.uint8))
    assert np.isnan(marks).all()
    assert marks.shape == (2, 478, 3)


def test_every_picture_is_looked_at_by_itself(looked) -> None:
    some = [0, 25, 59]
    with face_reader() as faces:
        backwards = faces(looked.pictures[some[::-1]])
    assert np.allclose(backwards[::-1], looked.landmarks[some], atol=1e-3)
