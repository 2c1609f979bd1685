from __future__ import annotations

import json
import os
import signal
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from pipelines import export_video
from pipelines.cli import demonstrating, importing
from pipelines.evaluation_report import is_better
from pipelines.import_job import import_clip
from studio.domain.problem import Problem
from studio.media import VideoWriter, probe, read_frames
from studio.metrics import METRICS


def _controls(folder: Path, **changes: object) -> Path:
    file = folder / "controls.json"
    content = {
        "rate": "30000/1001",
        "keyframes": [{"time": 0, "yaw": -5}, {"time": 0.4, "yaw": 5, "smile": 0.5}],
        **changes,
    }
    file.write_text(json.dumps(content))
    return file


def _everything(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes() if p.is_file() else b""
        for p in folder.rglob("*")
        if p.name != ".lock"
    }


def test_a_control_file_becomes_a_video_of_its_exact_rate(ann, tmp_path):
    out = tmp_path / "out 🎬.mp4"
    said = ann("animate", "Ann Lee 🎬", "--controls", _controls(tmp_path), "-o", out, "--size", 128)
    assert said.code == 0
    info = probe(out)
    assert (info.width, info.height, info.rate, info.frames) == (128, 128, Fraction(30000, 1001), 12)
    first, *_, last = read_frames(out)
    assert np.abs(first.astype(int) - last).mean() > 1.0, "the head turned"


def test_a_clip_that_a_subject_has_is_not_tracked_again(ann, home, tmp_path, sample_clip):
    out = tmp_path / "out.mp4"
    said = ann("animate", "Ann Lee 🎬", "--drive", sample_clip, "-o", out, "--size", 128)
    assert said.code == 0
    assert not (home / "driving").exists()
    info = probe(out)
    assert (info.frames, info.rate, info.has_sound) == (40, Fraction(25), True)


def test_an_expression_space_that_is_not_there_is_said_before_any_tracking(ann, home, tmp_path, sample_clip):
    out = tmp_path / "out.mp4"
    words = ("--drive", sample_clip, "--expression-space", "clebs", "-o", out)
    said = ann("animate", "Ann Lee 🎬", *words)
    assert said.code == 2
    assert "train-people CORPUS --engine export3d" in said.err
    said = ann("animate", "Ann Lee 🎬", *words, "--space-model", "unknown")
    assert said.code == 2
    assert "base model" in said.err
    assert not out.exists()
    assert not (home / "driving").exists()


def test_a_strangers_clip_is_tracked_once_and_is_no_subject(ann, home, tmp_path, sample_clip):
    other = tmp_path / "other.mp4"
    with VideoWriter(other, 256, 256, Fraction(25)) as writer:
        for frame in list(read_frames(sample_clip))[:12]:
            writer.write(np.ascontiguousarray(frame[:, ::-1]))
    out = tmp_path / "out.mp4"
    words = ["animate", "Ann Lee 🎬", "--drive", other, "-o", out, "--size", 96, "--pose", "absolute"]
    assert ann(*words).code == 0
    assert probe(out).frames == 12
    kept = _everything(home)
    out.unlink()
    again = ann(*words)
    assert again.code == 0
    assert "Finding the face" not in again.err
    assert _everything(home) == kept
    assert ann("list").out.count("clip ") == 1


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "either --drive CLIP or --controls FILE"),
        (["--drive", "a.mp4", "--controls", "b.json"], "one of them, not both"),
        (["--drive", "missing.mp4"], "missing.mp4"),
        (["--controls", "missing.json"], "missing.json"),
        (["--controls", "TEXT"], "JSON"),
        (["--controls", "UNKNOWN"], "Did you mean"),
        (["--drive", "TEXT"], "cannot be read as a video"),
        (["--drive", "GREY"], "face"),
        (["--controls", "GOOD", "--engine", "pvp"], "no pvp avatar"),
    ],
)
def test_what_cannot_drive_writes_nothing(ann, home, tmp_path, words, expected):
    unknown = tmp_path / "unknown"
    unknown.mkdir()
    (tmp_path / "text.mp4").write_text("not { json and no video")
    with VideoWriter(tmp_path / "grey.mp4", 96, 96, Fraction(25)) as writer:
        for _ in range(12):
            writer.write(np.full((96, 96, 3), 90, np.uint8))
    places = {
        "TEXT": tmp_path / "text.mp4",
        "GREY": tmp_path / "grey.mp4",
        "GOOD": _controls(tmp_path),
        "UNKNOWN": _controls(unknown, keyframes=[{"time": 0, "yaww": 5}]),
    }
    out = tmp_path / "videos" / "out.mp4"
    out.parent.mkdir()
    before = _everything(home)
    said = ann("animate", "Ann Lee 🎬", *[places.get(word, word) for word in words], "-o", out)
    assert said.code == 2
    assert expected in said.sentence
    assert not list(out.parent.iterdir())
    after = {name: data for name, data in _everything(home).items() if data or not name.startswith("driving")}
    assert after == before


@pytest.mark.parametrize(
    ("place", "expected"), [("", "is a folder"), ("nowhere/out.mp4", "no folder"), ("out.avi", "end in .mp4")]
)
def test_a_place_that_cannot_be_written_is_told_before_any_work(ann, tmp_path, place, expected):
    said = ann("animate", "Ann Lee 🎬", "--controls", _controls(tmp_path), "-o", tmp_path / place)
    assert said.code == 2
    assert expected in said.sentence


@pytest.mark.parametrize("size", [0, -5, 62, 333, 4098, 100_000])
def test_a_size_that_makes_no_picture_is_refused(ann, tmp_path, size):
    out = tmp_path / "out.mp4"
    words = ["--controls", _controls(tmp_path), "-o", out, "--size", size]
    said = ann("animate", "Ann Lee 🎬", *words)
    assert said.code == 2
    assert f"{size} pixels" in said.sentence
    assert not out.exists()


def test_ctrl_c_while_rendering_leaves_no_half_video(ann, tmp_path, monkeypatch):
    real = export_video.stage_view

    def interrupted(*args):
        os.kill(os.getpid(), signal.SIGINT)
        return real(*args)

    monkeypatch.setattr(export_video, "stage_view", interrupted)
    out = tmp_path / "videos" / "out.mp4"
    out.parent.mkdir()
    said = ann("animate", "Ann Lee 🎬", "--controls", _controls(tmp_path), "-o", out)
    assert said.code == 130
    assert said.sentence.startswith("Stopped.")
    assert not list(out.parent.iterdir())


@pytest.mark.parametrize("link", [False, True])
@pytest.mark.parametrize("what", ["--drive", "--controls"])
def test_what_is_read_is_never_written_to(ann, tmp_path, sample_clip, what, link):
    source = tmp_path / "driver.mp4"
    source.write_bytes(sample_clip.read_bytes())
    before = source.read_bytes()
    out = source
    if link:
        out = tmp_path / "other name.mp4"
        out.symlink_to(source)
    said = ann("animate", "Ann Lee 🎬", what, source, "-o", out, "--overwrite")
    assert said.code == 2
    assert "to be read" in said.sentence
    assert source.read_bytes() == before


def test_an_existing_file_is_replaced_only_when_asked_to(ann, home, tmp_path):
    precious = tmp_path / "original.mp4"
    precious.write_bytes(b"the only copy")
    words = ["animate", "Ann Lee 🎬", "--controls", _controls(tmp_path), "--size", 96, "-o"]
    said = ann(*words, precious)
    assert said.code == 2
    assert "add --overwrite" in said.sentence
    assert precious.read_bytes() == b"the only copy"
    assert ann(*words, precious, "--overwrite").code == 0
    assert probe(precious).frames == 12
    (imported,) = home.glob("subjects/*/clips/*/source.mp4")
    before = imported.read_bytes()
    said = ann(*words, imported, "--overwrite")
    assert said.code == 2
    assert "among the projects" in said.sentence
    assert imported.read_bytes() == before


def test_the_demo_replaces_only_its_own_file(studio, home, tmp_path, monkeypatch):
    began = []

    def begin(*_, **__):
        began.append(1)
        raise Problem("This is far enough.")

    monkeypatch.setattr("pipelines.make_sample.make_sample", begin)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo.mp4").write_bytes(b"of last time")
    assert studio("demo").sentence == "This is far enough."
    (tmp_path / "holiday.mp4").write_bytes(b"the only copy")
    said = studio("demo", "-o", "holiday.mp4")
    assert (said.code, len(began)) == (2, 1)
    assert "add --overwrite" in said.sentence
    assert studio("demo", "-o", "holiday.mp4", "--overwrite").sentence == "This is far enough."


def test_a_sheet_is_a_png_and_no_result_replaces_a_clip(ann, tmp_path):
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"the only copy")
    refused: tuple[tuple[list[object], str], ...] = (
        (["--sheet", tmp_path / "s.jpg"], "end in .png"),
        (["--video", clip], "add --overwrite"),
        (["--json", clip], "no .json file"),
        (["--json", tmp_path / "nowhere" / "figures.json"], "no folder"),
    )
    for words, expected in refused:
        said = ann("evaluate", "Ann Lee 🎬", *words)
        assert said.code == 2
        assert expected in said.sentence
    assert clip.read_bytes() == b"the only copy"


def test_notes_name_what_cannot_be_followed(ann, tmp_path):
    keys = [{"time": 0, "yaw": 0}, {"time": 0.4, "yaw": 500, "smile": 0.2}]
    out = tmp_path / "out.mp4"
    words = ["--controls", _controls(tmp_path, keyframes=keys), "-o", out, "--size", 96]
    said = ann("animate", "Ann Lee 🎬", *words)
    assert said.code == 0
    assert said.err.count("Held at the limit: yaw at 75 degrees (the file asks for 500).") == 1
    assert said.err.count("Far beyond what the avatar's clip showed") == 1
    assert "smile" not in said.err


def test_ctrl_c_between_two_reports_is_not_lost(studio, home, sample_clip, monkeypatch):
    """The signal comes when the copy is done and nobody will report progress any more."""
    real = import_clip

    def interrupted(*args):
        done = real(*args)
        os.kill(os.getpid(), signal.SIGINT)
        return done

    monkeypatch.setattr(importing, "import_clip", interrupted)
    said = studio("import", sample_clip, "--subject", "Bob")
    assert said.code == 130
    assert said.sentence.startswith("Stopped.")
    assert not list(home.glob("subjects/*/clips/*/track/*"))
    monkeypatch.undo()
    assert studio("list").out.count("clip ") == 1


def test_ctrl_c_that_a_library_swallows_is_not_lost(studio, tmp_path, sample_clip, monkeypatch):
    def swallow(*_):
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.2)
        except BaseException:
            return

    monkeypatch.setattr(importing, "with_whole_path", swallow)
    said = studio("import", sample_clip, "--subject", "Bob")
    assert said.code == 130
    assert said.sentence.startswith("Stopped.")


def test_evaluate_judges_by_frames_the_avatar_never_saw(ann, home, tmp_path):
    file = tmp_path / "figures.json"
    words = ["evaluate", "Ann Lee 🎬", "--preset", "draft", "--size", 96, "--json", file]
    said = ann(*words)
    assert said.code == 0
    assert "1 clips" not in said.out
    assert "1 of 1" not in said.out
    figures = json.loads(file.read_text())
    pairs = [(m, figures["metrics"].get(m.id), figures["nearest_frame"].get(m.id)) for m in METRICS]
    wins = [is_better(m, a, b) for m, a, b in pairs if a is not None and b is not None]
    assert said.out.startswith(f"Better than the nearest frame on {sum(wins)} of {len(wins)} measures")
    assert said.out.count("| yes |") == sum(wins)
    assert said.out.count("| no |") == len(wins) - sum(wins)
    assert {"engine", "resolution", "frames", "fps", "metrics", "nearest_frame"} <= set(figures)
    assert (figures["engine"], figures["resolution"], figures["held_out"]) == ("instant", 96, [32, 39])
    assert figures["settings"]["train"] == [0, 32]
    assert 10 < figures["metrics"]["psnr"] < 60
    assert figures["nearest_frame"].keys() == figures["metrics"].keys()
    assert "without the last 20 %" in ann("list").out
    assert "nothing to do" in ann("build", "Ann Lee 🎬", "--preset", "draft").out
    several = ann("evaluate", "Ann Lee 🎬", "Ann Lee 🎬", "--preset", "draft", "--json", file)
    assert several.code == 2
    assert "--report" in several.sentence
    assert "NAME" in ann("evaluate").sentence
    report = tmp_path / "report"
    twice = ["evaluate", "Ann Lee 🎬", "Ann Lee 🎬", "--preset", "draft", "--size", 96, "--report", report]
    assert ann(*twice).code == 0
    mean = json.loads((report / "evaluations.json").read_text())["mean"]
    assert mean["metrics"]["psnr"] == pytest.approx(figures["metrics"]["psnr"], abs=1e-6)
    assert mean["clips"]["psnr"] == 2
    assert "PSNR" in (report / "evaluations.md").read_text(encoding="utf-8")
    for share in (0, 0.3):
        said = ann("evaluate", "Ann Lee 🎬", "--held-out", share)
        assert said.code == 2
        assert "at most 0.2" in said.sentence


@pytest.mark.slow
def test_the_demo_in_an_empty_home(studio, workers, tmp_path):
    out = tmp_path / "demo.mp4"
    assert studio("demo", "--headless", "-o", out).code == 0
    assert probe(out).frames == 350
    assert demonstrating.SUBJECT in studio("list").out
