"""Whatever a user hands over: one sentence, exit status 2, and the project is as it was."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from studio.domain.sequence import Flag
from studio.media import VideoWriter, read_frames
from studio.project.sequence_files import load_sequence


def _grey(path: Path, frames: int) -> Path:
    with VideoWriter(path, 96, 96, Fraction(25)) as writer:
        for i in range(frames):
            writer.write(np.full((96, 96, 3), 60 + 4 * i, np.uint8))
    return path


def _text(folder: Path) -> Path:
    file = folder / "notes.mp4"
    file.write_text("this is not a video\n" * 200)
    return file


def _empty(folder: Path) -> Path:
    file = folder / "empty.mp4"
    file.touch()
    return file


def _missing(folder: Path) -> Path:
    return folder / "missing 🎬.mp4"


def _folder(folder: Path) -> Path:
    (folder / "a folder.mp4").mkdir()
    return folder / "a folder.mp4"


def _truncated(folder: Path) -> Path:
    whole = _grey(folder / "whole.mp4", 12)
    cut = folder / "cut.mp4"
    # Without its index, which phones write last, nothing can be read.
    cut.write_bytes(whole.read_bytes()[:300])
    return cut


def _zero_frames(folder: Path) -> Path:
    import av

    file = folder / "zero.mkv"
    with av.open(str(file), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 96, "yuv420p"
        container.start_encoding()
    return file


def _no_face(folder: Path) -> Path:
    return _grey(folder / "nobody.mp4", 12)


def _picture(folder: Path) -> Path:
    file = folder / "picture.mp4"
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    return file


BAD: dict[str, tuple[Callable[[Path], Path], str]] = {
    "not a video": (_text, "notes.mp4"),
    "an empty file": (_empty, "empty.mp4"),
    "a missing file": (_missing, "missing 🎬.mp4"),
    "a folder": (_folder, "a folder.mp4"),
    "cut short": (_truncated, "cut.mp4"),
    "no frames": (_zero_frames, "zero.mkv"),
    "no face": (_no_face, "face"),
    "a picture": (_picture, "picture.mp4"),
}


def _everything(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes() if p.is_file() else b""
        for p in folder.rglob("*")
        if p.name != ".lock"
    }


def _is_one_sentence(text: str) -> bool:
    return 20 < len(text) < 300 and "\n" not in text and text.rstrip(" )")[-1] in ".:" and "Error" not in text


@pytest.mark.parametrize("kind", BAD)
def test_import_into_an_empty_home(studio, home, tmp_path, kind):
    make, word = BAD[kind]
    said = studio("import", make(tmp_path), "--subject", "Bob")
    assert said.code == 2
    assert word in said.sentence
    assert _is_one_sentence(said.sentence), said.sentence
    assert not list((home / "subjects").glob("*"))


def test_three_frames_are_too_few(studio, home, tmp_path, sample_clip):
    short = tmp_path / "short.mp4"
    with VideoWriter(short, 256, 256, Fraction(25)) as writer:
        for frame in list(read_frames(sample_clip))[:3]:
            writer.write(frame)
    said = studio("import", short, "--subject", "Bob")
    assert said.code == 2
    assert "3 frames" in said.sentence
    assert not list((home / "subjects").glob("*"))


def test_a_face_that_leaves_half_way_is_flagged(studio, home, tmp_path, sample_clip):
    lost = tmp_path / "lost.mp4"
    with VideoWriter(lost, 256, 256, Fraction(25)) as writer:
        for frame in list(read_frames(sample_clip))[:14]:
            writer.write(frame)
        for _ in range(14):
            writer.write(np.full((256, 256, 3), 90, np.uint8))
    said = studio("import", lost, "--subject", "Bob")
    assert said.code == 0
    sequence = load_sequence(next(home.glob("subjects/bob/clips/*/track/*")))
    missing = (sequence.flags & int(Flag.NO_FACE)) != 0
    assert not missing[:13].any()
    assert missing[15:].all()
    assert "no face was found" in said.out


@pytest.mark.parametrize("kind", ["not a video", "no face"])
def test_import_into_a_project_that_is_in_use(ann, home, tmp_path, kind):
    before = _everything(home)
    said = ann("import", BAD[kind][0](tmp_path), "--subject", "Ann Lee 🎬")
    assert said.code == 2
    assert _everything(home) == before


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["build", "Nobody"], "no subject named 'Nobody'"),
        (["build", "Ann Lee"], "did you mean 'Ann Lee 🎬'"),
        (["build", "Ann Lee 🎬", "--engine", "instnt"], "did you mean 'instant'"),
        (["build", "Ann Lee 🎬", "--preset", "better"], "no preset 'better'"),
        (["build", "Ann Lee 🎬", "--clip", "other.mp4"], "no clip 'other.mp4'"),
        (["build", "Ann Lee 🎬", "--hold-out", "1.5"], "held out"),
        (["build", "Ann Lee 🎬", "--pivots.count", "0"], "'count' of PivotSettings"),
        (["build", "Ann Lee 🎬", "--track.smoothing", "-1"], "'smoothing' of TrackSettings"),
        (["list", "Nobody"], "no subject named 'Nobody'"),
        (["remove", "Nobody"], "no subject named 'Nobody'"),
        (["restore", "Nobody"], "trash does not hold"),
        (["sing"], "no command 'sing'"),
        (["animte"], "did you mean 'animate'"),
        (["build", "ann"], "did you mean 'Ann Lee 🎬'"),
    ],
)
def test_words_that_fit_nothing(ann, home, words, expected):
    before = _everything(home)
    said = ann(*words)
    assert said.code == 2
    assert expected in said.sentence
    assert _everything(home) == before


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["animate"], "animate needs NAME and -o FILE."),
        (["animate", "A", "-o", "x.mp4", "--size", "big"], "--size must be a whole number, not 'big'."),
        (["animate", "A", "-o", "x.mp4", "--turn", "far"], "--turn must be a number, not 'far'."),
        (["animate", "A", "-o", "x.mp4", "--quality", "huge"], "choose from small, good, best."),
        (["animate", "A", "-o", "x.mp4", "--siz", "5"], "Did you mean --size?"),
        (["animate", "A", "B", "-o", "x.mp4"], "animate has no use for B."),
        (["animate", "A", "-o"], "-o/--output needs a value."),
        (["import", "a.mp4"], "import needs --subject STR."),
    ],
)
def test_options_without_sense_are_answered(studio, words, expected):
    said = studio(*words)
    assert said.code == 2
    assert expected in said.sentence
    assert said.err.count("\n") == 1
    assert f"python main.py {words[0]} --help" in said.sentence


@pytest.mark.parametrize(
    "words", [["import"], ["import", "a.mp4"], ["build", "Ann", "--pivots.count", "many"]]
)
def test_options_that_do_not_parse(studio, home, words):
    said = studio(*words)
    assert said.code == 2
    assert said.err
    assert not home.exists()


@pytest.mark.parametrize(
    ("number", "word"), [(errno.ENOSPC, "full"), (errno.EROFS, "read-only"), (errno.EACCES, "permission")]
)
def test_a_disk_that_says_no(ann, home, tmp_path, sample_clip, monkeypatch, number, word):
    before = _everything(home)
    other = tmp_path / "other.mp4"
    other.write_bytes(sample_clip.read_bytes() + b"\0")

    def refuse(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    for words in (
        ["import", other, "--subject", "Ann Lee 🎬"],
        ["import", other, "--subject", "Bob"],
        ["build", "Ann Lee 🎬", "--preset", "best"],
        ["remove", "Ann Lee 🎬"],
    ):
        said = ann(*words)
        assert said.code == 2, words
        assert word in said.sentence
        assert _is_one_sentence(said.sentence), said.sentence
    after = {name: data for name, data in _everything(home).items() if not name.startswith("trash")}
    assert {name: data for name, data in after.items() if name in before} == before
    assert not any(name.endswith(".json") for name in after.keys() - before.keys())


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_home_that_is_a_file(studio, home, sample_clip, place, capfd):
    from pipelines.cli import main

    home.parent.mkdir(exist_ok=True)
    (home.parent / "file").write_text("in the way")
    code = main(["import", str(sample_clip), "--subject", "Ann", "--home", str(home.parent / place)])
    said = capfd.readouterr().err
    assert code == 2
    assert "--home" in said
    assert "Traceback" not in said
    assert (home.parent / "file").read_text() == "in the way"


def test_a_damaged_subject_is_told_and_the_others_are_listed(ann, home):
    ann("import", "nothing.mp4", "--subject", "Bob")
    broken = home / "subjects" / "bob"
    broken.mkdir()
    (broken / "subject.json").write_text("{")
    said = ann("list")
    assert said.code == 0
    assert "Ann Lee 🎬" in said.out
    assert str(broken / "subject.json") in said.err
