"""Fitting finds the parameters that made the landmarks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from studio.domain.camera import project
from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem
from studio.head.alignment import align, to_head_space
from studio.head.builtin import builtin_head
from studio.head.fitting import FitSettings, PersonFitter, calm_frames, fit_landmarks, fit_motion, robust_mean
from studio.head.learning import flipped
from studio.head.model import pose_features
from studio.head.topology import IRISES, topology


def someone(rng) -> tuple[np.ndarray, np.ndarray]:
    """Identity and an offset as smooth as faces are."""
    model = builtin_head()
    identity = (rng.normal(0, 0.8, model.identities)).astype(np.float32)
    bump = np.exp(-((model.template - model.template[rng.integers(468)]) ** 2).sum(1) / (2 * 0.02**2))
    return identity, np.asarray(bump[:, None] * (0.0, 0.001, 0.002), np.float32)


def acting(rng, frames, yaw=30.0):
    """A person who holds still with a closed mouth for a third of the clip and acts for the rest."""
    motion = HeadMotion.neutral(frames, np.array([1800.0, 320.0, 240.0]))
    t = np.arange(frames)
    act = (t % 30 >= 10)[:, None]
    motion.expression[:, :15] = act * rng.normal(0, 0.7, (frames, 15))
    motion.jaw[:, 0] = act[:, 0] * np.abs(np.sin(t / 7)) * 0.12
    motion.eyelids[:] = (t % 30 == 20)[:, None]
    motion.gaze[:, 0] = 12 * np.sin(t / 11)
    motion.gaze[:, 1] = 8 * np.cos(t / 13)
    motion.angles[:] = np.stack([yaw * np.sin(t / 17), 15 * np.sin(t / 12), 8 * np.cos(t / 9)], 1)
    motion.camera[:, 0] += 100 * np.sin(t / 20)
    motion.camera[:, 1:] += rng.normal(0, 5, (frames, 2))
    return motion


def tracked(identity, offset, motion, noise=0.0, rng=None):
    """The landmarks a tracker with this model's habits would report."""
    model = builtin_head()
    points = model.landmarks(identity, offset, motion)
    points = points + np.tensordot(pose_features(motion.angles), model.tracker_warp, 1)
    out = project(points, motion.angles, motion.camera) / (1, 1, model.tracker_depth)
    if rng is not None:
        out = out + rng.normal(0, noise, out.shape)
    return out.astype(np.float32)


@pytest.fixture(scope="module")
def case():
    rng = np.random.default_rng(5)
    identity, offset = someone(rng)
    motion = acting(rng, 120)
    landmarks = tracked(identity, offset, motion, 0.15, rng)
    return identity, offset, motion, landmarks, fit_landmarks(builtin_head(), landmarks, np.ones(120, bool))


def test_pose_is_found_to_a_fraction_of_a_degree(case):
    _, _, motion, _, fit = case
    wrong = np.abs(fit.motion.angles - motion.angles)
    bias = np.abs(np.median(fit.motion.angles - motion.angles, 0))
    assert (np.median(wrong, 0) < (0.6, 0.9, 0.4)).all(), np.median(wrong, 0)
    assert (bias < 0.9).all(), bias
    assert wrong[:, 0].max() < 2.5


def test_camera_is_found(case):
    _, _, motion, _, fit = case
    assert np.abs(fit.motion.camera[:, 0] / motion.camera[:, 0] - 1).max() < 0.04
    # The origin lies deep inside the head: a degree of pose moves it by a millimetre, two pixels here.
    assert np.median(np.abs(fit.motion.camera[:, 1:] - motion.camera[:, 1:])) < 4.0


def test_vertices_are_found_to_half_a_millimetre(case):
    identity, offset, motion, _, fit = case
    model = builtin_head()
    got = model.vertices(fit.identity, fit.offset, fit.motion)
    want = model.vertices(identity, offset, motion)
    skin = np.setdiff1d(np.arange(478), np.ravel(IRISES))
    scale, turn, shift = align(got, want, np.isin(np.arange(478), skin).astype(np.float32))
    distance = np.linalg.norm((to_head_space(got, scale, turn, shift) - want)[:, skin], axis=-1)
    assert distance.mean() < 0.0006
    assert fit.error.mean() < 0.006
    assert fit.error.shape == (120,)


def test_jaw_lids_and_gaze_are_found(case):
    _, _, motion, _, fit = case
    assert np.corrcoef(fit.motion.jaw[:, 0], motion.jaw[:, 0])[0, 1] > 0.95
    assert np.median(np.abs(fit.motion.jaw[:, 0] - motion.jaw[:, 0])) < 0.02
    shut = motion.eyelids[:, 0] > 0.5
    assert fit.motion.eyelids[shut].min() > 0.8
    assert np.median(fit.motion.eyelids[~shut]) < 0.15
    assert fit.motion.eyelids.min() >= 0
    assert fit.motion.eyelids.max() <= 1
    awake = ~shut
    assert np.median(np.abs(fit.motion.gaze - motion.gaze)[awake]) < 2.0
    for axis in (0, 1):
        assert np.corrcoef(fit.motion.gaze[awake, axis], motion.gaze[awake, axis])[0, 1] > 0.95


def test_a_known_person_gives_the_exact_motion():
    rng = np.random.default_rng(8)
    identity, offset = someone(rng)
    motion = acting(rng, 60)
    motion.eyelids[:] = 0.0
    landmarks = tracked(identity, offset, motion)
    got = fit_motion(builtin_head(), identity, offset, landmarks)
    assert np.abs(got.angles - motion.angles).max() < 0.8
    assert np.median(np.abs(got.angles - motion.angles)) < 0.15
    # The prior pulls what hardly shows towards zero; what shows is found.
    assert np.corrcoef(got.expression[:, 0], motion.expression[:, 0])[0, 1] > 0.98
    one = fit_motion(builtin_head(), identity, offset, landmarks[7])
    np.testing.assert_allclose(one.expression[0], got.expression[7], atol=1e-3)
    np.testing.assert_allclose(one.angles[0], got.angles[7], atol=1e-3)


def test_the_person_kept_for_live_use_is_not_used_for_another():
    rng = np.random.default_rng(9)
    model = builtin_head()
    first, second = someone(rng), someone(rng)
    motion = acting(rng, 5)
    landmarks = tracked(*second, motion)
    fit_motion(model, *first, landmarks)
    got = fit_motion(model, *second, landmarks)
    want = PersonFitter(model, *second).fit(landmarks)
    np.testing.assert_array_equal(got.expression, want.expression)


def test_more_steps_change_little():
    rng = np.random.default_rng(11)
    identity, offset = someone(rng)
    landmarks = tracked(identity, offset, acting(rng, 40))
    usual = PersonFitter(builtin_head(), identity, offset).fit(landmarks)
    long = PersonFitter(builtin_head(), identity, offset, FitSettings(steps=12)).fit(landmarks)
    assert np.abs(usual.angles - long.angles).max() < 0.5
    assert np.median(np.abs(usual.expression - long.expression)) < 0.05


def test_a_mirrored_clip_gives_the_mirrored_motion(case):
    _, _, _, landmarks, fit = case
    width = 640.0
    other = landmarks[:, topology().mirror] * (-1, 1, 1) + (width, 0, 0)
    mirrored = fit_landmarks(builtin_head(), other, np.ones(len(other), bool))
    np.testing.assert_allclose(mirrored.motion.angles, fit.motion.angles * (-1, 1, -1), atol=0.2)
    np.testing.assert_allclose(mirrored.motion.eyelids[:, ::-1], fit.motion.eyelids, atol=0.03)
    np.testing.assert_allclose(mirrored.motion.gaze * (-1, 1), fit.motion.gaze, atol=0.5)
    neutral = builtin_head().neutral(fit.identity, fit.offset)
    other_neutral = builtin_head().neutral(mirrored.identity, mirrored.offset)
    skin = np.setdiff1d(np.arange(478), np.ravel(IRISES))
    np.testing.assert_allclose(flipped(other_neutral, topology().mirror)[skin], neutral[skin], atol=1e-4)


def test_scale_and_place_in_the_picture_do_not_matter(case):
    _, _, _, landmarks, fit = case
    moved = landmarks * 0.5 + (100, -40, 0)
    got = fit_landmarks(builtin_head(), moved, np.ones(len(moved), bool))
    np.testing.assert_allclose(got.motion.angles, fit.motion.angles, atol=0.02)
    np.testing.assert_allclose(got.motion.camera[:, 0], fit.motion.camera[:, 0] * 0.5, rtol=1e-3)
    np.testing.assert_allclose(got.motion.camera[:, 1], fit.motion.camera[:, 1] * 0.5 + 100, atol=0.05)


def test_lost_frames_are_bridged_and_do_not_disturb_the_rest(case):
    _, _, _, landmarks, fit = case
    broken, valid = landmarks.copy(), np.ones(len(landmarks), bool)
    valid[[0, 50, 51, 52, 119]] = False
    broken[[0, 51, 119]] = np.nan
    broken[[50, 52]] = 1e4
    got = fit_landmarks(builtin_head(), broken, valid)
    kept = np.flatnonzero(valid)
    np.testing.assert_allclose(got.motion.angles[kept], fit.motion.angles[kept], atol=0.4)
    for value in (got.motion.expression, got.motion.angles, got.motion.camera, got.error):
        assert np.isfinite(value).all()
    low, high = got.motion.angles[[49, 53]].min(0) - 0.5, got.motion.angles[[49, 53]].max(0) + 0.5
    assert ((got.motion.angles[50:53] > low) & (got.motion.angles[50:53] < high)).all()


def test_held_out_frames_do_not_touch_the_persons_shape(case):
    landmarks = case[3]
    frames = len(landmarks)
    early = np.arange(frames) < frames * 4 // 5
    valid = np.ones(frames, bool)
    spoilt = landmarks.copy()
    spoilt[~early] *= np.array([1.3, 0.9, 1.0], np.float32)  # another person's proportions
    model = builtin_head()
    first = fit_landmarks(model, landmarks, valid, shape_from=early)
    second = fit_landmarks(model, spoilt, valid, shape_from=early)
    assert np.array_equal(first.identity, second.identity)
    assert np.array_equal(first.offset, second.offset)
    assert not np.array_equal(first.identity, fit_landmarks(model, spoilt, valid).identity)


def test_landmarks_that_are_no_face_have_a_large_error(case):
    _, _, _, landmarks, fit = case
    rng = np.random.default_rng(2)
    wrong = landmarks.copy()
    wrong[30] += rng.normal(0, 12, wrong[30].shape)
    got = fit_landmarks(builtin_head(), wrong, np.ones(len(wrong), bool))
    assert got.error[30] > 8 * np.median(got.error)
    assert np.abs(np.delete(got.motion.angles - fit.motion.angles, 30, 0)).max() < 1.0


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_very_short_clips_can_be_fitted(frames):
    rng = np.random.default_rng(3)
    motion = acting(rng, frames)
    fit = fit_landmarks(builtin_head(), tracked(*someone(rng), motion), np.ones(frames, bool))
    assert len(fit.motion) == frames
    assert np.abs(fit.motion.angles[:, 0] - motion.angles[:, 0]).max() < 4


def test_no_face_at_all_is_a_problem():
    with pytest.raises(Problem, match="No face"):
        fit_landmarks(builtin_head(), np.full((4, 478, 3), np.nan, np.float32), np.zeros(4, bool))
    with pytest.raises(ValueError, match="478"):
        fit_landmarks(builtin_head(), np.zeros((4, 468, 3)), np.ones(4, bool))


def test_alignment_recovers_a_similarity_and_never_mirrors():
    rng = np.random.default_rng(0)
    shape = rng.normal(size=(20, 3))
    from scipy.spatial.transform import Rotation

    turn = Rotation.random(5, random_state=1).as_matrix()
    scale, shift = rng.uniform(0.5, 3, 5), rng.normal(size=(5, 3))
    points = scale[:, None, None] * (shape @ turn.swapaxes(1, 2)) + shift[:, None]
    got_scale, got_turn, got_shift = align(points, shape, rng.random(20))
    np.testing.assert_allclose(got_scale, scale, rtol=1e-4)
    np.testing.assert_allclose(got_turn, turn, atol=1e-4)
    np.testing.assert_allclose(got_shift, shift, atol=1e-4)
    np.testing.assert_allclose(to_head_space(points, got_scale, got_turn, got_shift)[2], shape, atol=1e-4)
    _, mirrored, _ = align(points * (-1, 1, 1), shape, np.ones(20))
    np.testing.assert_allclose(np.linalg.det(mirrored), 1.0, atol=1e-4)


def test_robust_mean_ignores_a_wild_frame():
    rng = np.random.default_rng(0)
    samples = rng.normal(0, 0.1, (21, 6, 3)).astype(np.float32)
    wild = samples.copy()
    wild[4] += 50
    np.testing.assert_allclose(robust_mean(wild), robust_mean(samples), atol=0.05)


def test_calm_frames_have_the_mouth_closed_and_the_eyes_open():
    rng = np.random.default_rng(4)
    motion = acting(rng, 90)
    motion = replace(motion, expression=motion.expression * 0)
    chosen = calm_frames(tracked(*someone(rng), motion))
    assert motion.jaw[chosen, 0].max() < 0.03
    assert motion.eyelids[chosen].max() == 0
    assert len(chosen) >= 10


def test_one_picture_of_an_open_mouth_is_not_taken_for_the_resting_face():
    rng = np.random.default_rng(11)
    identity, offset = someone(rng)
    model = builtin_head()
    motion = HeadMotion.neutral(1, np.array([1800.0, 320.0, 240.0]))
    motion.jaw[:, 0] = 0.2
    motion.expression[:] = 1.5 * model.handles["smile"].expression
    motion.eyelids[:] = 0.8
    fit = fit_landmarks(model, tracked(identity, offset, motion), np.ones(1, bool))

    def lips_apart(neutral):
        return 1000.0 * np.linalg.norm(neutral[13] - neutral[14])

    rest = lips_apart(model.neutral(identity, offset))
    opened = lips_apart(model.vertices(identity, offset, motion)[0])
    assert opened - rest > 10.0  # millimetres: there is something to be mistaken for
    assert abs(lips_apart(model.neutral(fit.identity, fit.offset)) - rest) < 1.5
    assert abs(np.rad2deg(fit.motion.jaw[0, 0] - 0.2)) < 2.5
    assert np.abs(fit.motion.eyelids - 0.8).max() < 0.15
    # Both together are the picture.
    assert fit.error[0] < 0.01
