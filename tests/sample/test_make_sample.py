"""The sample clip as a file: the right length, sound in step with the mouth, the same every time."""

from __future__ import annotations

from dataclasses import fields
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from pipelines.make_sample import SampleSettings, SampleTruth, make_sample, truth_path
from pipelines.sample.performance import POSES, perform
from pipelines.sample.voice import SAMPLE_RATE, babble
from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem
from studio.media import probe, read_frames

TINY = SampleSettings(size=64, seconds=1.2)


def sound(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        pieces = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
        assert container.streams.audio[0].rate == SAMPLE_RATE
    return np.concatenate(pieces)


def test_clip_and_truth_agree_in_size_rate_and_length(sample):
    clip, truth = sample
    info = probe(clip)
    assert (info.width, info.height, info.rate, info.has_sound) == (400, 400, Fraction(25), True)
    assert sum(1 for _ in read_frames(clip)) == len(truth.angles) == 300
    for field in fields(SampleTruth):
        if field.name not in ("blinks", "neutral", "rate"):
            assert len(getattr(truth, field.name)) == 300, field.name


def test_sound_is_as_long_as_the_picture_and_follows_the_jaw(sample):
    clip, truth = sample
    samples = sound(clip)
    # AAC comes in blocks of 1024.
    assert len(samples) / SAMPLE_RATE == pytest.approx(300 / 25, abs=2 * 1024 / SAMPLE_RATE)
    per = SAMPLE_RATE // 25
    loud = np.sqrt((samples[: 299 * per].reshape(299, per).astype(np.float64) ** 2).mean(1))
    assert np.corrcoef(loud, truth.jaw_open[:299])[0, 1] > 0.8
    # One frame of delay would be seen.
    assert np.corrcoef(loud[3:], truth.jaw_open[:296])[0, 1] < np.corrcoef(loud, truth.jaw_open[:299])[0, 1]


def test_the_head_turns_far_enough_and_comes_back_in_the_held_out_part():
    performance = perform(24.0, 25, seed=7)
    angles = performance.angles
    assert angles[:, 0].min() < -30
    assert angles[:, 0].max() > 30
    assert angles[:, 1].min() < -20
    assert angles[:, 1].max() > 18
    assert np.ptp(angles[:, 2]) > 18
    # No jerk: less than 4 degrees from frame to frame.
    assert np.abs(np.diff(angles, axis=0)).max() < 4
    train, held_out = angles[:480], angles[480:]
    nearest = np.linalg.norm(held_out[:, None] - train[None], axis=-1).min(1)
    assert np.quantile(nearest, 0.9) < 10, "poses in the last fifth were seen before"
    assert nearest.max() > 0.5, "but are not the same"
    assert performance.jaw_open[480:].max() > 4


def test_the_truth_speaks_the_domain(sample):
    """Its curves fit a HeadMotion as they are."""
    _, truth = sample
    neutral = HeadMotion.neutral(len(truth.angles), truth.camera[0])
    motion = HeadMotion(
        neutral.expression, neutral.jaw, truth.eyelids, truth.gaze, truth.angles, truth.camera
    )
    assert len(motion) == 300
    for name in ("eyelids", "smile", "lips_together", "rounded"):
        values = getattr(truth, name)
        assert values.min() >= 0, name
        assert values.max() <= 1, name
    assert (truth.eyelids[truth.blinks] > 0.95).all()


def test_the_same_settings_make_the_same_clip(tmp_path):
    first, second = tmp_path / "a.mp4", tmp_path / "b.mp4"
    one, two = make_sample(first, TINY), make_sample(second, TINY)
    for field in fields(SampleTruth):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(two, field.name), err_msg=field.name)
    for a, b in zip(read_frames(first), read_frames(second), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(sound(first), sound(second))


def test_another_seed_speaks_otherwise():
    one, two = perform(6.0, 25, seed=1), perform(6.0, 25, seed=2)
    assert np.abs(one.jaw_open - two.jaw_open).max() > 1
    assert len(babble(one, 25, 1)) == len(babble(two, 25, 2)) == 6 * SAMPLE_RATE
    # The big movements are the same story.
    assert np.abs(one.angles - two.angles).max() < 12
    assert POSES[-1][0] == 24.0


def test_a_finished_sample_is_not_made_again_but_a_changed_one_is(tmp_path):
    clip = tmp_path / "sample.mp4"
    made = make_sample(clip, TINY)
    stamp = clip.stat().st_mtime_ns
    calls = []
    again = make_sample(clip, TINY, progress=lambda *a: calls.append(a))
    assert clip.stat().st_mtime_ns == stamp
    assert calls == []
    np.testing.assert_array_equal(again.landmarks, made.landmarks)
    make_sample(clip, SampleSettings(size=64, seconds=1.0))
    assert probe(clip).frames == 25
    # A clip whose truth is lost is made again.
    truth_path(clip).unlink()
    make_sample(clip, SampleSettings(size=64, seconds=1.0))
    assert len(SampleTruth.load(truth_path(clip)).angles) == 25


def test_an_interrupted_rendering_leaves_no_clip(tmp_path):
    class Stop(Exception):
        pass

    def stop(done: int, total: int | None, what: str) -> None:
        if done == 3:
            raise Stop

    with pytest.raises(Stop):
        make_sample(tmp_path / "sample.mp4", TINY, progress=stop)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "settings",
    [SampleSettings(size=63), SampleSettings(size=10), SampleSettings(seconds=0), SampleSettings(rate=0)],
)
def test_settings_out_of_range_are_a_problem(tmp_path, settings):
    with pytest.raises(Problem, match="choose"):
        make_sample(tmp_path / "sample.mp4", settings)
