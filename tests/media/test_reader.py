"""Frames: the right ones, in order, however they are reached, in flat memory."""

from __future__ import annotations

from fractions import Fraction
from itertools import islice

import numpy as np
import psutil
import pytest

from studio.media import probe, read_frames, read_selected
from studio.media.reader import Film
from studio.media.timeline import read_timeline

MILLISECOND = Fraction(1, 1000)


def numbers(path, spelled, **limits):
    return [spelled(picture) for picture in read_frames(path, **limits)]


def test_variable_times_are_shown_at_the_right_moment(tmp_path, clip, spell, spelled):
    # A phone in the dark: 30 frames/s with frames left out. Slot of each: 0 1 2 4 5 6 9 10 11 12.
    stamps = [0, 33, 67, 133, 167, 200, 300, 333, 367, 400]
    path = clip(
        tmp_path / "dark.mp4", [spell(n + 1) for n in range(10)], stamps=stamps, time_base=MILLISECOND
    )
    info = probe(path)
    assert (info.rate, info.variable_rate, info.frames) == (Fraction(30), True, 13)
    assert numbers(path, spelled) == [1, 2, 3, 3, 4, 5, 6, 6, 6, 7, 8, 9, 10]


def test_crowded_times_skip_frames(tmp_path, clip, spell, spelled):
    stamps = [0, 100, 200, 300, 340, 400, 500, 600]
    path = clip(tmp_path / "crowded.mkv", [spell(n) for n in range(8)], stamps=stamps, time_base=MILLISECOND)
    assert probe(path).rate == 10
    assert numbers(path, spelled) == [0, 1, 2, 4, 5, 6, 7]


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), Fraction(25), Fraction(60000, 1001), Fraction(240)])
@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
def test_constant_rates_are_read_one_to_one(tmp_path, clip, spell, spelled, rate, suffix):
    path = clip(tmp_path / f"steady.{suffix}", [spell(n) for n in range(40)], rate=rate)
    info = probe(path)
    assert (info.rate, info.frames, info.variable_rate, info.truncated) == (rate, 40, False, False)
    assert info.seconds == pytest.approx(float(40 / rate))
    assert numbers(path, spelled) == list(range(40))


@pytest.mark.parametrize(
    ("codec", "suffix", "pixels"),
    [
        ("libx264", "mp4", "yuv420p"),
        ("libx265", "mov", "yuv420p10le"),
        ("libvpx-vp9", "webm", "yuv420p"),
        ("libsvtav1", "mp4", "yuv420p"),
        ("mpeg4", "avi", "yuv420p"),
        ("prores_ks", "mov", "yuv422p10le"),
    ],
)
def test_every_usual_codec_and_container(tmp_path, clip, spell, spelled, codec, suffix, pixels):
    path = clip(tmp_path / f"clip.{suffix}", [spell(n) for n in range(12)], codec=codec, pixels=pixels)
    info = probe(path)
    assert (info.width, info.height, info.rate, info.frames) == (64, 64, Fraction(30), 12)
    assert info.bit_depth == (10 if "10" in pixels else 8)
    assert numbers(path, spelled) == list(range(12))


def test_a_late_first_frame_is_frame_zero(tmp_path, clip, spell, spelled):
    stamps = [500 + 40 * n for n in range(10)]
    path = clip(tmp_path / "late.mkv", [spell(n) for n in range(10)], stamps=stamps, time_base=MILLISECOND)
    info = probe(path)
    assert (info.rate, info.frames, info.start) == (Fraction(25), 10, Fraction(1, 2))
    assert numbers(path, spelled) == list(range(10))


def test_an_edit_list_hides_what_was_trimmed_away(tmp_path, clip, spell, spelled):
    # ffmpeg's copying cut keeps packets from the keyframe on and hides the first ones with an edit list.
    import subprocess

    from studio.media.encoder import program

    whole = clip(
        tmp_path / "whole.mp4",
        [spell(n) for n in range(60)],
        rate=Fraction(25),
        options={"g": "20", "bf": "2"},
    )
    part = tmp_path / "part.mp4"
    subprocess.run(
        [program(), "-loglevel", "error", "-ss", "1.2", "-i", str(whole), "-c", "copy", str(part)], check=True
    )
    assert numbers(part, spelled) == list(range(30, 60))
    assert [spelled(picture) for _, picture in read_selected(part, [0, 3, 29])] == [30, 33, 59]


@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("libx264", {"g": "12", "bf": "3"}),
        ("libx264", {"g": "12", "bf": "3", "x264-params": "open-gop=1"}),
        ("libx265", {"g": "12", "x265-params": "log-level=none:open-gop=1:bframes=3"}),
    ],
)
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_selected_frames_are_the_same_as_in_a_full_read(tmp_path, clip, spell, codec, options, suffix):
    rng = np.random.default_rng(5)
    noise = rng.integers(0, 60, (90, 64, 64, 3)).astype(np.uint8)
    stamps = (np.cumsum(rng.choice([33, 34, 66], 90)) + 70).tolist()
    path = clip(
        tmp_path / f"gops.{suffix}",
        [spell(n) // 2 + noise[n] for n in range(90)],
        stamps=stamps,
        time_base=MILLISECOND,
        codec=codec,
        options=options,
    )
    every = list(read_frames(path))
    assert len(every) == probe(path).frames > 90
    choices = [[0], [len(every) - 1], [7, 7, 8], list(range(0, len(every), 5)), list(range(len(every)))]
    choices += [sorted(rng.choice(len(every), 6, replace=False).tolist()) for _ in range(10)]
    for chosen in choices:
        got = list(read_selected(path, chosen))
        assert [number for number, _ in got] == chosen
        for number, picture in got:
            assert np.array_equal(picture, every[number])
    for start, stop in ((0, 5), (13, 40), (50, None), (len(every) - 1, 10_000), (len(every), None), (9, 9)):
        part = list(read_frames(path, start, stop))
        assert len(part) == len(every[start:stop])
        assert all(np.array_equal(a, b) for a, b in zip(part, every[start:stop]))


def test_selecting_does_not_decode_the_whole_clip(tmp_path, clip, spell, spelled, monkeypatch):
    path = clip(tmp_path / "long.mp4", [spell(n % 256) for n in range(300)], options={"g": "15"})
    decoded = []
    stamped = Film._stamped

    def counting(self, frames):
        for stamp, frame in stamped(self, frames):
            decoded.append(stamp)
            yield stamp, frame

    monkeypatch.setattr(Film, "_stamped", counting)
    assert [spelled(picture) for _, picture in read_selected(path, [100, 290])] == [100, 34]
    assert len(decoded) < 80


def test_a_repeated_frame_is_the_callers_own(tmp_path, clip, spell):
    path = clip(
        tmp_path / "held.mp4", [spell(n) for n in range(4)], stamps=[0, 100, 200, 500], time_base=MILLISECOND
    )
    kept = np.empty(0, np.uint8)
    for index, picture in enumerate(read_frames(path)):
        if index == 2:
            kept = picture.copy()
        if index == 3:
            assert np.array_equal(picture, kept)
        picture[:] = 77


def test_numbers_outside_or_unordered_are_errors(tmp_path, clip, spell):
    path = clip(tmp_path / "few.mp4", [spell(n) for n in range(3)])
    for wrong in ([2, 1], [-1], [3]):
        with pytest.raises(ValueError):
            list(read_selected(path, wrong))
    with pytest.raises(ValueError):
        list(read_frames(path, -1))
    assert list(read_selected(path, [])) == []


@pytest.mark.parametrize(("aspect", "size"), [(Fraction(4, 3), (85, 64)), (Fraction(1, 2), (64, 128))])
def test_pixels_come_out_square(tmp_path, clip, spell, aspect, size):
    path = clip(tmp_path / "wide.mp4", [spell(170)] * 2, aspect=aspect)
    info = probe(path)
    assert (info.width, info.height) == size
    assert next(read_frames(path)).shape == (size[1], size[0], 3)


@pytest.mark.parametrize(("width", "height"), [(35, 33), (33, 48), (48, 33)])
def test_odd_sizes_keep_every_pixel(tmp_path, clip, width, height):
    picture = np.full((height, width, 3), 40, np.uint8)
    picture[:, -1] = 220
    picture[-1] = 220
    path = clip(tmp_path / "odd.mp4", [picture] * 2, pixels="yuv444p")
    shown = next(read_frames(path))
    assert np.abs(shown.astype(int) - picture).max() < 8
    small = clip(tmp_path / "odd.webm", [picture] * 2, codec="libvpx-vp9")
    assert next(read_frames(small)).shape == (height, width, 3)


def test_memory_does_not_grow_with_the_clip(tmp_path, clip):
    picture = np.zeros((720, 1280, 3), np.uint8)
    path = clip(tmp_path / "big.mp4", (picture for _ in range(250)), options={"preset": "ultrafast"})
    process = psutil.Process()
    frames = read_frames(path)
    for _ in islice(frames, 50):
        pass
    before = process.memory_info().rss
    assert sum(1 for _ in frames) == 200  # 550 MB if they were kept
    assert process.memory_info().rss - before < 60e6


def test_reading_can_be_left_half_way(tmp_path, clip, spell):
    path = clip(tmp_path / "left.mp4", [spell(n) for n in range(50)])
    for _ in range(40):
        assert next(iter(read_frames(path))) is not None
    assert len(psutil.Process().open_files()) < 30


def test_real_clips_read_as_their_index_says(shared_clips):
    for path in sorted((shared_clips / "edge").iterdir()):
        info = probe(path)
        count = 0
        for picture in read_frames(path):
            assert picture.shape == (info.height, info.width, 3)
            count += 1
        assert count == info.frames
        assert not info.truncated


def test_a_seek_that_lands_too_late_is_made_good(tmp_path, clip, spell, spelled):
    path = clip(tmp_path / "gops.mp4", [spell(n) for n in range(60)], options={"g": "10"})
    timeline = read_timeline(path)

    class Lying(Film):
        def _seek(self, stamp):
            if not self._may_seek:
                return False
            self._container.seek(int(timeline.keyframes[-1]), stream=self._stream)
            self._frames = self._decode()
            self._current, self._next, self._position = None, None, None
            return True

    film = Lying(path, timeline)
    assert [spelled(film.picture(n)) for n in (3, 27, 59)] == [3, 27, 59]
    film.close()
