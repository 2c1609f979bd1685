"""Written files: exact rate, true colours, sound in step, and never half a file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import psutil
import pytest

from studio.domain.problem import Problem
from studio.media import CODECS, VideoWriter, probe, read_frames
from studio.media import encoder as encoder_module
from studio.media.encoder import NoRoom, write_failure
from studio.media.timeline import read_timeline

NTSC = Fraction(30000, 1001)


def write(path, pictures, rate=Fraction(25), **more):
    pictures = list(pictures)
    height, width = pictures[0].shape[:2]
    return fill(VideoWriter(path, width, height, rate, **more), pictures)


def fill(writer, pictures):
    with writer:
        for picture in pictures:
            writer.write(picture)
    return writer


def names_in(folder):
    return sorted(each.name for each in folder.iterdir() if each.name != "home")


@pytest.mark.parametrize(
    "rate", [NTSC, Fraction(24000, 1001), Fraction(25), Fraction(240), Fraction(2209, 100), Fraction(25, 2)]
)
def test_the_rate_stays_exact_and_no_frame_drifts(tmp_path, spell, spelled, rate):
    first, second = tmp_path / "one.mp4", tmp_path / "two.mp4"
    write(first, [spell(n % 256) for n in range(300)], rate)
    assert probe(first).rate == rate
    write(second, read_frames(first), probe(first).rate)
    assert probe(second).rate == rate
    with av.open(str(second)) as file:
        assert file.streams.video[0].average_rate == rate
    line = read_timeline(second)
    # Exact in every frame, so exact after ten minutes as well.
    assert [int(stamp) * line.time_base for stamp in line.stamps] == [n / rate for n in range(300)]
    assert [spelled(picture) for picture in read_frames(second)] == [n % 256 for n in range(300)]


@pytest.mark.slow
def test_ten_minutes_last_ten_minutes(tmp_path):
    path = tmp_path / "long.mp4"
    picture = np.zeros((64, 64, 3), np.uint8)
    fill(VideoWriter(path, 64, 64, NTSC, quality="small"), (picture for _ in range(17982)))
    line = read_timeline(path)
    assert len(line) == 17982
    assert int(line.stamps[-1]) * line.time_base == 17981 / NTSC


@pytest.mark.parametrize("quality", ["small", "good", "best"])
def test_colours_survive_and_the_file_says_bt709(tmp_path, quality):
    colours = np.array(
        [(16, 16, 16), (128, 128, 128), (240, 240, 240), (200, 150, 125), (40, 90, 200)], np.uint8
    )
    picture = np.ascontiguousarray(np.repeat(np.repeat(colours[None], 64, 0), 32, 1))
    path = tmp_path / "colours.mp4"
    write(path, [picture] * 3, quality=quality)
    shown = next(read_frames(path))
    middles = shown[32, 16::32].astype(int)
    assert np.abs(middles - colours).max() <= 3
    with av.open(str(path)) as file:
        context = file.streams.video[0].codec_context
        assert (context.pix_fmt, context.profile) == ("yuv420p", "High")
        assert (context.colorspace, context.color_primaries, context.color_trc, context.color_range) == (
            1,
            1,
            1,
            1,
        )


def test_better_quality_is_nearer_and_larger(tmp_path):
    rng = np.random.default_rng(2)
    pictures = [
        np.kron(rng.integers(0, 256, (24, 24, 3)), np.ones((4, 4, 1))).astype(np.uint8) for _ in range(10)
    ]
    sizes, errors = [], []
    for quality in ("small", "good", "best"):
        path = tmp_path / f"{quality}.mp4"
        write(path, pictures, quality=quality)
        sizes.append(path.stat().st_size)
        errors.append(np.mean([(a.astype(float) - b) ** 2 for a, b in zip(read_frames(path), pictures)]))
    assert sizes == sorted(sizes)
    assert errors == sorted(errors, reverse=True)


@pytest.mark.parametrize(("width", "height"), [(33, 35), (34, 35), (33, 34), (1, 1)])
def test_odd_sizes_repeat_their_last_row_and_column(tmp_path, width, height):
    picture = np.full((height, width, 3), 60, np.uint8)
    picture[:, width - 1] = 200
    path = tmp_path / "odd.mp4"
    write(path, [picture] * 2, quality="best")
    shown = next(read_frames(path)).astype(int)
    rows, columns = height + height % 2, width + width % 2
    assert shown.shape == (rows, columns, 3)
    expected = np.pad(picture, ((0, rows - height), (0, columns - width), (0, 0)), mode="edge")
    assert np.abs(shown - expected).max() < 12


def test_the_index_comes_before_the_pictures(tmp_path, spell):
    path = tmp_path / "fast.mp4"
    write(path, [spell(n) for n in range(5)])
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


# Sound


RATE = 48000


def click_at(seconds, length):
    sound = np.random.default_rng(0).normal(0, 0.002, round(length * RATE))
    start = round(seconds * RATE)
    sound[start : start + 48] = 0.95
    return sound


def flash_and_click(path):
    """Seconds at which the picture turns white and the sound is loudest, on the file's own clock."""
    with av.open(str(path)) as file:
        flash = next(
            frame.time for frame in file.decode(video=0) if frame.to_ndarray(format="gray").mean() > 128
        )
    loudest = (0.0, 0.0)
    with av.open(str(path)) as file:
        for part in file.decode(audio=0):
            level = np.abs(part.to_ndarray()).max(0).astype(float)
            if np.issubdtype(part.to_ndarray().dtype, np.integer):
                level /= 32768
            if level.max() > loudest[0]:
                loudest = (level.max(), part.time + level.argmax() / part.sample_rate)
    assert loudest[0] > 0.3
    return flash, loudest[1]


def film_with_flash(clip, path, flash, delay=Fraction(0), codec="aac"):
    """Two seconds at 25 frames/s whose frame ``flash`` is white while the sound clicks; the first picture
    comes ``delay`` seconds after the first sound."""
    pictures = [np.full((64, 64, 3), 255 if n >= flash else 0, np.uint8) for n in range(50)]
    at = delay + Fraction(flash, 25)
    return clip(
        path,
        pictures,
        stamps=[round(1000 * (delay + Fraction(n, 25))) for n in range(50)],
        time_base=Fraction(1, 1000),
        rate=Fraction(25),
        sound=click_at(float(at), 2.5 + float(delay)),
        sound_codec=codec,
    )


@pytest.mark.parametrize(
    ("name", "delay", "codec"),
    [
        ("plain.mp4", Fraction(0), "aac"),
        ("late.mp4", Fraction(1, 5), "aac"),
        ("late.mkv", Fraction(3, 10), "aac"),
        ("raw.mov", Fraction(0), "pcm_s16le"),
        ("web.webm", Fraction(1, 5), "libopus"),
    ],
)
@pytest.mark.parametrize("skipped", [0, 10])
def test_sound_stays_with_the_picture(tmp_path, clip, name, delay, codec, skipped):
    source = film_with_flash(
        lambda *a, **k: clip(*a, **k, codec="libvpx-vp9" if name.endswith("webm") else "libx264"),
        tmp_path / name,
        25,
        delay,
        codec,
    )
    flash, click = flash_and_click(source)
    assert abs(flash - click) < 0.005, "the clip made for this test is itself in step"
    path = tmp_path / "out.mp4"
    start = Fraction(skipped, 25)
    write(path, read_frames(source, skipped), sound_from=source, sound_start=start)
    flash, click = flash_and_click(path)
    assert flash == pytest.approx((25 - skipped) / 25, abs=1e-6)
    assert abs(flash - click) < 0.006
    with av.open(str(path)) as file:
        voice = file.streams.audio[0]
        assert voice.codec_context.name == "aac"
        length = float(voice.duration * voice.time_base)
    assert abs(length - (50 - skipped) / 25) < 0.045, "cut to the picture's length"


def test_sound_that_begins_after_the_picture_waits_for_it(tmp_path, clip, spell):
    # The sound's own clock starts late: pictures from 0, sound from 0.4 s.
    source = film_with_flash(clip, tmp_path / "source.mkv", 25)
    late = tmp_path / "late.mkv"
    subprocess.run(
        [
            *(encoder_module.program(), "-loglevel", "error", "-i", str(source), "-itsoffset", "0.4"),
            *("-i", str(source), "-map", "0:v", "-map", "1:a", "-c", "copy", str(late)),
        ],
        check=True,
    )
    flash, click = flash_and_click(late)
    path = tmp_path / "out.mp4"
    write(path, read_frames(late), sound_from=late)
    after = flash_and_click(path)
    assert after[1] - after[0] == pytest.approx(click - flash, abs=0.006)
    assert click - flash == pytest.approx(0.4, abs=0.006)


def test_sound_shorter_than_the_picture_just_ends(tmp_path, clip, spell):
    source = clip(tmp_path / "short.mp4", [spell(1)] * 10, sound=click_at(0.2, 0.4))
    path = tmp_path / "out.mp4"
    write(path, [spell(n) for n in range(50)], sound_from=source)
    assert probe(path).frames == 50
    with av.open(str(path)) as file:
        assert float(file.streams.audio[0].duration * file.streams.audio[0].time_base) < 0.5


def test_a_silent_driver_gives_a_silent_video(tmp_path, clip, spell):
    source = clip(tmp_path / "silent.mp4", [spell(1)] * 5)
    writer = write(tmp_path / "out.mp4", [spell(n) for n in range(5)], sound_from=source)
    assert writer.warnings == []
    assert not probe(tmp_path / "out.mp4").has_sound


def test_a_damaged_sound_track_costs_only_the_sound(tmp_path, clip, spell, monkeypatch):
    source = clip(tmp_path / "source.mp4", [spell(1)] * 10, sound=click_at(0.1, 0.4))
    path = tmp_path / "out.mp4"
    with VideoWriter(path, 64, 64, Fraction(25), sound_from=source) as writer:
        for n in range(10):
            writer.write(spell(n))
        source.write_bytes(b"gone bad" * 100)
    assert "silent" in writer.warnings[0]
    assert probe(path).frames == 10
    assert names_in(tmp_path) == ["out.mp4", "source.mp4"]


# Never half a file


def test_an_exception_leaves_the_old_file_and_nothing_else(tmp_path, spell):
    path = tmp_path / "film.mp4"
    write(path, [spell(7)] * 3)
    before = path.read_bytes()

    def interrupted():
        yield spell(1)
        assert path.read_bytes() == before
        raise KeyboardInterrupt

    writer = VideoWriter(path, 64, 64, Fraction(25))
    with pytest.raises(KeyboardInterrupt):
        fill(writer, interrupted())
    assert path.read_bytes() == before
    assert names_in(tmp_path) == ["film.mp4"]


def test_a_killed_run_leaves_no_file_under_the_name_and_the_next_cleans_up(tmp_path, spell):
    path = tmp_path / "film.mp4"
    code = (
        "import sys, numpy as np; from fractions import Fraction; from pathlib import Path\n"
        "from studio.media import VideoWriter\n"
        "with VideoWriter(Path(sys.argv[1]), 64, 64, Fraction(25)) as writer:\n"
        "    while True:\n"
        "        writer.write(np.zeros((64, 64, 3), np.uint8)); print('.', flush=True)\n"
    )
    root = Path(__file__).resolve().parents[2]
    child = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, cwd=root)
    assert child.stdout is not None
    for _ in range(200):
        assert child.stdout.readline()
    child.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
    child.wait()
    child.stdout.close()
    assert not path.exists()
    aside = next(tmp_path.glob(".film-*"))
    for _ in range(200):  # the orphaned encoder ends when its input does
        if not any(_writes(each, aside) for each in psutil.process_iter(["cmdline"])):
            break
        time.sleep(0.05)
    assert not path.exists()
    write(path, [spell(n) for n in range(4)])
    assert probe(path).frames == 4
    assert names_in(tmp_path) == ["film.mp4"]


def _writes(process, aside):
    return any(str(aside) in part for part in process.info["cmdline"] or ())


def test_no_pictures_is_a_problem(tmp_path):
    with pytest.raises(Problem, match="no picture"), VideoWriter(tmp_path / "none.mp4", 64, 64, Fraction(25)):
        pass
    assert names_in(tmp_path) == []


def test_wrong_shape_or_type_is_a_mistake_of_ours(tmp_path, spell):
    for wrong in (np.zeros((64, 62, 3), np.uint8), np.zeros((64, 64, 3), np.float32)):
        with pytest.raises(ValueError):
            fill(VideoWriter(tmp_path / "x.mp4", 64, 64, Fraction(25)), [wrong])
    with pytest.raises(ValueError):
        VideoWriter(tmp_path / "x.mp4", 0, 64, Fraction(25))
    assert names_in(tmp_path) == []


# Where it cannot be written


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(Problem, match="no folder"):
        VideoWriter(tmp_path / "nowhere" / "film.mp4", 64, 64, Fraction(25))
    (tmp_path / "file").touch()
    with pytest.raises(Problem, match="no folder"):
        VideoWriter(tmp_path / "file" / "film.mp4", 64, 64, Fraction(25))


def test_a_folder_of_that_name_is_not_replaced(tmp_path):
    (tmp_path / "film.mp4").mkdir()
    with pytest.raises(Problem, match="is a folder"):
        VideoWriter(tmp_path / "film.mp4", 64, 64, Fraction(25))


def test_a_folder_without_permission(tmp_path, monkeypatch):
    closed = tmp_path / "closed"
    closed.mkdir()
    closed.chmod(0o500)
    if os.access(closed, os.W_OK):  # the administrator may write everywhere
        monkeypatch.setattr(
            Path, "write_bytes", lambda *_: (_ for _ in ()).throw(PermissionError(13, "Denied"))
        )
    with pytest.raises(Problem, match="may not be written"):
        VideoWriter(closed / "film.mp4", 64, 64, Fraction(25))


@pytest.mark.parametrize("name", ["film.avi", "film", "film.gif"])
def test_a_name_the_codec_does_not_suit(tmp_path, name):
    with pytest.raises(Problem, match=r"must end in \.mp4"):
        VideoWriter(tmp_path / name, 64, 64, Fraction(25))


def test_a_driver_that_is_no_video(tmp_path):
    with pytest.raises(Problem, match="no file"):
        VideoWriter(tmp_path / "film.mp4", 64, 64, Fraction(25), sound_from=tmp_path / "gone.mp4")
    assert names_in(tmp_path) == []


@pytest.mark.skipif(os.name != "posix", reason="file size limits are a POSIX matter")
def test_an_encoder_that_dies_is_a_problem_and_leaves_nothing(tmp_path):
    # A limit on file size stops the encoder in the middle, as a full disk would.
    code = (
        "import resource, sys, numpy as np; from fractions import Fraction; from pathlib import Path\n"
        "from studio.media import VideoWriter; from studio.domain.problem import Problem\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "rng = np.random.default_rng(0)\n"
        "try:\n"
        "    with VideoWriter(Path(sys.argv[1]), 256, 256, Fraction(25)) as writer:\n"
        "        for _ in range(400): writer.write(rng.integers(0, 256, (256, 256, 3)).astype(np.uint8))\n"
        "except Problem as problem: print(problem)\n"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "film.mp4")],
        check=True,
        capture_output=True,
        text=True,
        cwd=root,
    )
    assert "could not be written" in done.stdout
    assert done.stderr == ""
    assert names_in(tmp_path) == []


def test_a_full_disk_is_said_to_be_full(tmp_path):
    full = write_failure(tmp_path / "film.mp4", "[out#0] Error writing trailer: No space left on device\n")
    assert isinstance(full, NoRoom)
    assert "disk is full" in str(full)
    other = write_failure(tmp_path / "film.mp4", "x\nUnknown encoder\n")
    assert not isinstance(other, NoRoom)
    assert "Unknown encoder" in str(other)


def test_names_of_any_kind(tmp_path, spell):
    for name in ("mein film 🎬.mp4", "-y.mp4", "100%d.mp4", "a:b.MP4", "n" * 240 + ".mp4", "it's “q”.mov"):
        write(tmp_path / name, [spell(3)] * 2)
        assert probe(tmp_path / name).frames == 2
    assert len(names_in(tmp_path)) == 6


def test_memory_does_not_grow_with_the_film(tmp_path):
    process = psutil.Process()
    picture = np.zeros((720, 1280, 3), np.uint8)
    with VideoWriter(tmp_path / "big.mp4", 1280, 720, Fraction(25), quality="small") as writer:
        for _ in range(30):
            writer.write(picture)
        before = process.memory_info().rss
        for _ in range(120):  # 330 MB if they were kept
            writer.write(picture)
        assert process.memory_info().rss - before < 40e6


def test_the_codec_table_is_complete():
    for key, codec in CODECS.items():
        assert key == codec.id
        assert set(codec.qualities) == {"small", "good", "best"}
        assert all("{" not in text for text in codec.encoder_arguments("good"))
