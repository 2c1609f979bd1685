"""Ranges and rates: motion stays where it was in time, exactly where it can."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from pipelines.motion_cut import cut_motion, parse_range, parse_rate
from pipelines.track_file import load_track, save_track
from studio.domain.controls import ControlTrack
from studio.domain.problem import Problem

RATE = Fraction(25)


def motion(frames=50, rate=RATE):
    times = np.arange(frames) / float(rate)
    values = np.stack([30 * np.sin(2 * np.pi * times), times], 1).astype(np.float32)
    return ControlTrack(("yaw", "clock"), values, rate)


def test_all_of_it_at_its_own_rate_is_itself():
    track = motion()
    cut = cut_motion(track)
    assert np.array_equal(cut.track.values, track.values)
    assert (cut.track.rate, cut.start) == (RATE, 0)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("10:19", 10, 19),
        ("10:", 10, 49),
        (":0", 0, 0),
        ("49:49", 49, 49),
        ("0.4s:0.8s", 10, 19),
        (" 0.4s : 19 ", 10, 19),
        ("1s:", 25, 49),
        (":9999", 0, 49),
    ],
)
def test_a_range_in_frames_or_seconds(text, first, last):
    track = motion()
    cut = cut_motion(track, text)
    assert np.array_equal(cut.track.values, track.values[first : last + 1])
    assert cut.start == Fraction(first, 25)


@pytest.mark.parametrize("text", ["60:70", "5:2", "3s:", "2s:1s", "1s:1s"])
def test_a_range_with_nothing_in_it(text):
    with pytest.raises(Problem, match=r"50 frames, 2\.00 seconds"):
        cut_motion(motion(), text)


@pytest.mark.parametrize("text", ["5", "a:b", "-3:9", "1:2:3", "1.5:3", "1e3s:", "5 frames:"])
def test_what_is_no_range(text):
    with pytest.raises(Problem, match="is no range"):
        parse_range(text)


@pytest.mark.parametrize("text", ["fast", "25/0", "1/3/5", "∞"])
def test_what_is_no_rate(text):
    with pytest.raises(Problem, match="is no frame rate"):
        parse_rate(text)


@pytest.mark.parametrize("text", ["0", "-25", "0.5", "1000"])
def test_rates_nobody_can_show(text):
    with pytest.raises(Problem, match="from 1 to 240"):
        parse_rate(text)


@pytest.mark.parametrize(
    "rate", [Fraction(30), Fraction(24000, 1001), Fraction(60), Fraction(50), Fraction(12)]
)
def test_another_rate_keeps_time(rate):
    track = motion()
    cut = cut_motion(track, rate_text=str(rate))
    assert cut.track.rate == rate
    assert len(cut.track) == int(np.ceil(float(2 * rate)))
    times = np.arange(len(cut.track)) / float(rate)
    seen = times <= 49 / 25
    # The clock's column says what time it was: half a frame's slip would be 20 ms.
    assert np.abs(cut.track.values[seen, 1] - times[seen]).max() < 1e-4
    assert np.abs(cut.track.values[seen, 0] - 30 * np.sin(2 * np.pi * times[seen])).max() < 0.6
    assert np.allclose(cut.track.values[~seen], track.values[-1]), "the last state holds"


def test_a_range_at_another_rate_begins_at_the_same_moment():
    cut = cut_motion(motion(), "10:34", "60")
    assert cut.start == Fraction(2, 5)
    assert len(cut.track) == 60
    assert np.abs(cut.track.values[:, 1] - (0.4 + np.arange(60) / 60)).max() < 1e-4
    # Its curve is that of the whole motion, not of the piece.
    assert np.allclose(cut.track.values[::12, 1], motion().values[10:35:5, 1], atol=1e-6)


def test_half_the_rate_takes_every_second_state_as_it_is():
    track = motion()
    assert np.array_equal(cut_motion(track, rate_text="25/2").track.values, track.values[::2])


def test_nothing_between_two_states_goes_beyond_them():
    values = np.array([[0], [0], [1], [1], [0], [0.5]], np.float32)
    cut = cut_motion(ControlTrack(("eyelid_left",), values, RATE), rate_text="100")
    assert cut.track.values.min() == 0
    assert cut.track.values.max() == 1
    assert (cut.track.values[8:13] == 1).all(), "closed stays closed"


def test_one_state_at_any_rate():
    cut = cut_motion(motion(1), rate_text="30")
    assert len(cut.track) == 2, "shown for a twenty-fifth of a second"
    assert (cut.track.values == motion(1).values[0]).all()


def test_a_track_comes_back_from_its_file(tmp_path):
    track = motion(7, Fraction(30000, 1001))
    save_track(tmp_path / "track.npz", track)
    back = load_track(tmp_path / "track.npz")
    assert (back.names, back.rate) == (track.names, track.rate)
    assert np.array_equal(back.values, track.values)
    whole = (tmp_path / "track.npz").read_bytes()
    for damage in (whole[: len(whole) // 2], b"", b"text"):
        (tmp_path / "track.npz").write_bytes(damage)
        with pytest.raises(Problem, match="damaged"):
            load_track(tmp_path / "track.npz")
    with pytest.raises(Problem, match="missing"):
        load_track(tmp_path / "gone.npz")
