"""What drives a network, and the same in a mirror."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipelines.people_moments import mirrored_code, mirrored_keypoints, moments_of
from studio.domain.motion import HeadMotion
from studio.engines.semantic.keypoints import head_keypoints, semantic_code
from studio.head import builtin_head

SIDE = 100.0


@pytest.fixture
def motion() -> HeadMotion:
    random = np.random.default_rng(0)
    moved = HeadMotion.neutral(4, np.array([300.0, 40.0, 55.0], np.float32))
    moved.expression[:] = random.normal(0.0, 1.0, moved.expression.shape)
    moved.jaw[:] = random.normal(0.0, 0.1, moved.jaw.shape)
    moved.angles[:] = random.uniform(-30.0, 30.0, moved.angles.shape)
    moved.eyelids[:] = random.uniform(0.0, 1.0, moved.eyelids.shape)
    moved.gaze[:] = random.uniform(-10.0, 10.0, moved.gaze.shape)
    return moved


def in_a_mirror(motion: HeadMotion) -> HeadMotion:
    """The motion of the mirror image in a picture :data:`SIDE` wide, by the meaning of each number."""
    model = builtin_head()
    code = mirrored_code(semantic_code(motion, model), model)
    flip = np.array([-1.0, 1.0, -1.0], np.float32)
    camera = motion.camera.copy()
    camera[:, 1] = SIDE - camera[:, 1]
    return replace(
        motion,
        expression=code[:, :50] * model.expression_deviation,
        jaw=code[:, 50:] * model.motion_deviation[:3],
        eyelids=motion.eyelids[:, ::-1],
        gaze=motion.gaze * np.array([-1.0, 1.0], np.float32),
        angles=motion.angles * flip,
        camera=camera,
    )


@pytest.mark.parametrize("face", [True])
def test_the_mirror_image_of_keypoints_is_that_of_the_motion(motion, face):
    # Somebody whose shape is its own mirror image: then both ways must meet.
    model = builtin_head()
    person = np.zeros(model.identities, np.float32), np.zeros_like(model.template)
    seen = head_keypoints(model, *person, motion, SIDE, face)
    mirrored = head_keypoints(model, *person, in_a_mirror(motion), SIDE, face)
    assert seen.shape == (4, 16 + 478, 3)
    assert np.allclose(mirrored_keypoints(seen, model), mirrored, atol=2e-4)
    assert not np.allclose(seen, mirrored, atol=0.05)


def test_a_mirror_before_a_mirror_changes_nothing(motion):
    model = builtin_head()
    code = semantic_code(motion, model)
    assert np.allclose(mirrored_code(mirrored_code(code, model), model), code, atol=1e-5)
    assert not np.allclose(mirrored_code(code, model), code, atol=0.1)


def test_moments_do_not_depend_on_the_pictures_side(corpus):
    clip = corpus.clips[0]
    moments = moments_of(clip, builtin_head())
    assert moments.keypoints.shape == (len(clip), 16 + 478, 3)
    assert moments.code.shape == (len(clip), 53)
    # The tip of the nose of an upright head at the place of its camera, a little below and before it.
    nose = moments.keypoints[:, 0, :2]
    middle = clip.motion.camera[:, 1:] / (clip.side / 2) - 1.0
    assert np.abs(nose - middle).max() < 0.5
    assert np.allclose(np.diff(nose, axis=0), np.diff(middle, axis=0), atol=0.05)
