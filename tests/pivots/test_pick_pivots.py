"""Pivots stand for the clip's poses, come from good training frames only, and are sharp."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from pipelines.pick_pivots import PivotSettings, pick_pivots
from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem
from studio.domain.sequence import Flag, TrackedSequence

CAMERA = np.array([1000.0, 256.0, 256.0], np.float32)


def sequence_of(motion: HeadMotion, sharpness: np.ndarray | None = None) -> TrackedSequence:
    count = len(motion)
    return TrackedSequence(
        width=512,
        height=512,
        rate=Fraction(30),
        landmarks=np.zeros((count, 478, 3), np.float32),
        crops=np.tile(np.array([1 / 512, 0, 0, 0], np.float32), (count, 1)),
        mask_boxes=np.tile(np.array([1 / 512, 0, 0, 0], np.float32), (count, 1)),
        flags=np.zeros(count, np.int32),
        sharpness=np.ones(count, np.float32) if sharpness is None else sharpness,
        head_model="builtin-1",
        identity=np.zeros(4, np.float32),
        offset=np.zeros((478, 3), np.float32),
        motion=motion,
        fit_error=np.zeros(count, np.float32),
        tracker="test",
    )


def three_poses(each: int = 40) -> HeadMotion:
    """Frames gathered around three poses, in turn."""
    motion = HeadMotion.neutral(3 * each, CAMERA)
    motion.angles[:, 0] = np.repeat([-25.0, 0.0, 25.0], each)
    motion.angles[:, :2] += np.random.default_rng(0).normal(0, 0.5, (3 * each, 2))
    return motion


def test_there_is_one_pivot_for_each_pose_and_it_is_the_sharp_frame() -> None:
    sharpness = np.full(120, 0.3, np.float32)
    sharpness[[13, 57, 101]] = 1.0
    settings = PivotSettings(count=3, sharpest_of=40)
    pivots = pick_pivots(sequence_of(three_poses(), sharpness), settings, slice(0, 120))
    assert pivots.frames.tolist() == [13, 57, 101]
    assert pivots.members.tolist() == [40, 40, 40]
    assert len(pivots.reasons) == 3
    assert all("yaw" in reason for reason in pivots.reasons)


def test_held_out_and_flagged_frames_change_nothing() -> None:
    motion = three_poses()
    flags = np.zeros(120, np.int32)
    flags[5:15] = int(Flag.BLURRED)
    whole = replace(sequence_of(motion), flags=flags)
    pivots = pick_pivots(whole, PivotSettings(count=8), slice(0, 80))
    assert pivots.frames.max() < 80
    assert not set(pivots.frames.tolist()) & set(range(5, 15))
    assert pivots.learnt_from == (0, 80)
    wild = three_poses()
    wild.angles[80:] = 60.0
    wild.expression[5:15] = 9.0
    again = pick_pivots(replace(sequence_of(wild), flags=flags), PivotSettings(count=8), slice(0, 80))
    assert np.array_equal(pivots.frames, again.frames)
    assert np.array_equal(pivots.mean, again.mean)


def test_the_choice_is_the_same_every_time_and_short_clips_get_fewer() -> None:
    sequence = sequence_of(three_poses(10))
    first = pick_pivots(sequence, PivotSettings(), slice(0, 30))
    second = pick_pivots(sequence, PivotSettings(), slice(0, 30))
    assert np.array_equal(first.frames, second.frames)
    assert 2 <= len(first) <= 15
    assert (np.diff(first.frames) > 0).all()


def test_random_pivots_are_good_training_frames_whatever_they_show() -> None:
    motion = three_poses(100)
    motion.angles[50:250, :2] = motion.angles[150, :2]  # two thirds of the clip stand still
    flags = np.zeros(300, np.int32)
    flags[20:40] = int(Flag.BLURRED)
    sequence = replace(sequence_of(motion), flags=flags)
    settings = PivotSettings(count=40, choice="random")
    pivots = pick_pivots(sequence, settings, slice(0, 280))
    assert len(set(pivots.frames.tolist())) == len(pivots) == 40
    assert (np.diff(pivots.frames) > 0).all()
    assert pivots.frames.max() < 280
    assert not set(pivots.frames.tolist()) & set(range(20, 40))
    assert pivots.members.sum() == 260
    still = ((pivots.frames >= 50) & (pivots.frames < 250)).mean()
    clustered = pick_pivots(sequence, replace(settings, choice="kmeans"), slice(0, 280)).frames
    assert still > 0.6 > 0.2 > ((clustered >= 50) & (clustered < 250)).mean()
    assert np.array_equal(pick_pivots(sequence, settings, slice(0, 280)).frames, pivots.frames)
    other = pick_pivots(sequence, replace(settings, seed=1), slice(0, 280)).frames
    assert not np.array_equal(other, pivots.frames)
    assert "at random" in pivots.reasons[0]


def test_a_random_pivot_stands_for_the_frames_that_it_is_nearest_to() -> None:
    motion = HeadMotion.neutral(30, CAMERA)
    motion.angles[:, 0] = np.arange(30.0)  # yaw alone changes: the nearest pivot is the nearest in time
    pivots = pick_pivots(sequence_of(motion), PivotSettings(count=4, choice="random"), slice(0, 30))
    nearest = np.abs(np.arange(30)[:, None] - pivots.frames).argmin(1)
    ties = np.abs(pivots.members - np.bincount(nearest, minlength=4))
    assert ties.max() <= 1  # half way between two either may have it
    for frame, reason in zip(pivots.frames, pivots.reasons):
        assert f"yaw {frame:+.0f}°" in reason


def test_nothing_to_choose_from_is_explained() -> None:
    sequence = replace(sequence_of(three_poses(10)), flags=np.full(30, int(Flag.BLURRED), np.int32))
    with pytest.raises(Problem, match="record a longer clip"):
        pick_pivots(sequence, PivotSettings(), slice(0, 30))


def test_a_photo_is_its_only_pivot_and_a_bad_one_is_none() -> None:
    motion = HeadMotion.neutral(1, CAMERA)
    photo = sequence_of(motion)
    pivots = pick_pivots(photo, PivotSettings(), photo.used)
    assert pivots.frames.tolist() == [0]
    assert pivots.learnt_from == (0, 1)
    assert pivots.reasons == ("the only picture (yaw +0°, pitch +0°)",)
    with pytest.raises(Problem, match="locked and forbidden"):
        pick_pivots(photo, PivotSettings(locked=(0,), forbidden=(0,)), photo.used)
    covered = replace(photo, flags=np.array([int(Flag.OCCLUDED)], np.int32))
    with pytest.raises(Problem, match="Too few good frames"):
        pick_pivots(covered, PivotSettings(), covered.used)
    # A clip of which one good frame is left is no photo.
    flags = np.full(120, int(Flag.BLURRED), np.int32)
    flags[7] = 0
    clip = replace(sequence_of(three_poses()), flags=flags)
    with pytest.raises(Problem, match="Too few good frames"):
        pick_pivots(clip, PivotSettings(), clip.used)
