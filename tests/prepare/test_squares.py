from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from pipelines.corpus_squares import shown, stretches
from pipelines.prepare_settings import PrepareSettings
from studio.domain.motion import HeadMotion
from studio.domain.sequence import Flag, TrackedSequence

SETTINGS = PrepareSettings(margin=2.0, roam=1.5)
FACE = 100.0


def sequence(x, y, size=FACE, flags=None, width=640, height=480) -> TrackedSequence:
    """A face of a size, centred at x, y in each frame; two landmarks are its box's corners."""
    x, y, size = np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float), np.asarray(size, float))
    count = len(x)
    landmarks = np.zeros((count, 478, 3), np.float32)
    landmarks[..., 0], landmarks[..., 1] = x[:, None], y[:, None]
    landmarks[:, 0, :2] -= size[:, None] / 2
    landmarks[:, 1, :2] += size[:, None] / 2
    return TrackedSequence(
        width=width,
        height=height,
        rate=Fraction(25),
        landmarks=landmarks,
        crops=np.zeros((count, 4), np.float32),
        mask_boxes=np.zeros((count, 4), np.float32),
        flags=np.zeros(count, np.int32) if flags is None else np.asarray(flags, np.int32),
        sharpness=np.ones(count, np.float32),
        head_model="builtin-1",
        identity=np.zeros(1, np.float32),
        offset=np.zeros((1, 3), np.float32),
        motion=HeadMotion.neutral(count, np.ones(3, np.float32)),
        fit_error=np.zeros(count, np.float32),
        tracker="test",
    )


def corners(square) -> list[float]:
    """Left, top, right, bottom of a unit square's source pixels."""
    ends = square.inverse().apply(np.array([(0, 0), (1, 1)], np.float32))
    return np.round(ends.ravel(), 2).tolist()


def test_the_square_is_the_moving_face_with_room_around_it():
    (only,) = stretches(sequence(np.linspace(300, 340, 30), np.full(30, 240)), SETTINGS)
    # The box is 140 wide and 100 high: a square of 280 about its middle.
    assert corners(only.square) == [180, 100, 460, 380]
    assert (only.first, only.stop, only.face, only.new_scene) == (0, 30, FACE, True)


def test_the_square_stays_inside_a_picture_that_holds_it():
    (low,) = stretches(sequence(np.full(9, 60), np.full(9, 430)), SETTINGS)
    assert corners(low.square) == [0, 280, 200, 480]


def test_a_picture_that_is_tightly_cut_is_taken_whole():
    (tight,) = stretches(sequence(np.full(9, 70), np.full(9, 60), width=150, height=128), SETTINGS)
    assert corners(tight.square) == pytest.approx([6, 0, 134, 128])


def test_a_face_larger_than_its_picture_takes_all_of_the_picture():
    (tight,) = stretches(sequence(np.full(9, 50), np.full(9, 60), width=96, height=96), SETTINGS)
    assert corners(tight.square) == [-2, -2, 98, 98]


def test_a_face_that_goes_far_gets_a_new_square():
    x = np.concatenate([np.full(20, 200), np.linspace(200, 400, 21), np.full(20, 400)])
    found = stretches(sequence(x, np.full(61, 240)), SETTINGS)
    # The box may be 150 wide: the face may go 50, five steps of 10, from where a stretch began.
    assert [(part.first, part.stop) for part in found] == [(0, 26), (26, 32), (32, 38), (38, 61)]
    assert [part.new_scene for part in found] == [True, False, False, False]
    for part in found:
        left, _, right, _ = corners(part.square)
        here = x[part.first : part.stop]
        assert left <= here.min() - FACE / 2
        assert right >= here.max() + FACE / 2


def test_a_face_that_comes_near_gets_a_new_square():
    size = np.concatenate([np.full(10, 60.0), np.full(10, 180.0)])
    found = stretches(sequence(np.full(20, 300), np.full(20, 240), size), SETTINGS)
    assert [(part.first, part.stop, part.face) for part in found] == [(0, 10, 60.0), (10, 20, 180.0)]


def test_cuts_and_long_gaps_part_a_clip_and_short_gaps_do_not():
    flags = np.zeros(60, np.int32)
    flags[10:12] = int(Flag.JUMPED)
    flags[20:30] = int(Flag.NO_FACE)  # 0.4 s
    flags[40:51] = int(Flag.NO_FACE)  # longer
    flags[0] = flags[59] = int(Flag.BLURRED)
    clip = sequence(np.full(60, 300), np.full(60, 240), flags=flags)
    assert shown(clip) == [(1, 10), (12, 40), (51, 59)]
    assert all(part.new_scene for part in stretches(clip, SETTINGS))


def test_frames_that_are_no_good_do_not_move_the_square():
    x = np.full(30, 300.0)
    flags = np.zeros(30, np.int32)
    x[15], flags[15] = 20.0, int(Flag.OCCLUDED)
    (only,) = stretches(sequence(x, np.full(30, 240), flags=flags), SETTINGS)
    assert corners(only.square) == [200, 140, 400, 340]


def test_trimmed_frames_and_clips_without_a_good_frame_give_nothing():
    flags = np.full(30, int(Flag.TRIMMED), np.int32)
    flags[10:20] = 0
    trimmed = sequence(np.full(30, 300), np.full(30, 240), flags=flags)
    assert [(part.first, part.stop) for part in stretches(trimmed, SETTINGS)] == [(10, 20)]
    assert stretches(replace(trimmed, flags=np.full(30, int(Flag.BLURRED), np.int32)), SETTINGS) == []
