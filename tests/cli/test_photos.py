"""From a photo to a film: an avatar at once, driven; what one picture cannot do is said in a sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from studio.media import probe, read_selected
from studio.project.avatar_files import load_avatar
from studio.project.store import Store

NAME = "Ann 📷"


@pytest.fixture(scope="session")
def portrait(sample_clip: Path) -> np.ndarray:
    """A frame of the sample."""
    ((_, picture),) = read_selected(sample_clip, [0])
    return picture


@pytest.fixture
def photo(portrait: np.ndarray, tmp_path: Path) -> Path:
    """It as a telephone leaves it: lying on its side, with a note of that."""
    file = tmp_path / "me 📷.jpg"
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(np.rot90(portrait)).save(file, exif=exif, quality=95)
    return file


def test_a_photo_becomes_avatars_and_a_film(studio, home, photo, sample_clip, tmp_path) -> None:
    from tests.engines.semantic.one_person import shelve

    base = shelve(home)
    card = {
        "title": "Semantic prior, tiny at 64²",
        "parameters": 1,
        "data": {"identities": 4, "clips": 4, "frames": 40},
        "making": {"steps": 2, "best_step": None, "seconds": 3.0},
        "figures": {},
    }
    (base.folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    said = studio("import", photo, "--subject", NAME)
    assert said.code == 0, said.err
    a_try = "About the base model “tiny”: It has learnt from 4 people for 2 steps: a try, not a model to use."
    assert said.err.count(a_try) == 1
    (made,) = home.glob("subjects/*/avatars/semantic-*/semantic.json")
    assert json.loads(made.read_text(encoding="utf-8"))["notes"] == [a_try]
    assert "Avatars are ready: Instant and One picture (semantic)." in said.out
    assert "does not show" not in said.out
    listed = studio("controls", NAME, "--engine", "semantic").out
    assert "with the range that one picture carries well" in listed
    assert listed.count("  good ") == 6  # turns, travel and size; nothing is known of expressions
    (subject,) = Store(home).subjects().subjects
    engines = [load_avatar(folder).engine for folder in subject.avatars()]
    assert engines == ["instant", "semantic"]
    assert studio("import", photo, "--subject", NAME).out.startswith(f"{NAME} has this clip, tracked")

    for engine in engines:
        out = tmp_path / f"{engine}.mp4"
        words = ("--drive", sample_clip, "--engine", engine, "--range", "0:3", "--size", "96", "-o", out)
        said = studio("animate", NAME, *words)
        assert said.code == 0, said.err
        assert probe(out).frames == 4

    said = studio("build", NAME, "--engine", "semantic", "--semantic.model", "nobody")
    assert (said.code, said.sentence) == (2, "There is no base model 'nobody': choose one of tiny.")
    said = studio("build", NAME, "--engine", "semantic", "--semantic.frame", "4")
    assert said.code == 2
    assert "Frame 4 cannot be the picture, because the clip ends with frame 0" in said.sentence
    shelve(home, "better", seed=7)
    said = studio("build", NAME, "--engine", "semantic", "--semantic.model", "better")
    assert said.code == 0
    references = {load_avatar(folder).lineage["inputs"].get("base_model") for folder in subject.avatars()}
    assert len(references) == 3  # the instant one has none


def test_a_photo_is_drawn_by_nofa_at_once_and_fitted_when_asked_for(
    studio, home, photo, sample_clip, tmp_path
) -> None:
    from studio.engines.nofa.own_weights import FILE
    from tests.engines.nofa.shelved_nofa import shelve

    title = "One picture in 3D, fitted to you (NOFA)"
    base = shelve(home)
    said = studio("import", photo, "--subject", NAME)
    assert said.code == 0, said.err
    assert f"Avatars are ready: Instant and {title}." in said.out
    (subject,) = Store(home).subjects().subjects
    (drawn,) = (folder for folder in subject.avatars() if folder.name.startswith("nofa"))
    assert not (drawn / FILE).exists()

    def film(name: str) -> np.ndarray:
        """The second frame of one driven by the sample."""
        out = tmp_path / name
        words = ("--drive", sample_clip, "--engine", "nofa", "--range", "0:2", "--size", "96", "-o", out)
        said = studio("animate", NAME, *words)
        assert said.code == 0, said.err
        ((_, picture),) = read_selected(out, [1])
        return picture.astype(int)

    at_once = film("at_once.mp4")
    few = (
        *("--nofa.tune.loop.steps", "3", "--nofa.tune.loop.batch", "2", "--nofa.tune.moments", "2"),
        *("--nofa.tune.learning-rate", "0.003", "--nofa.tune.held", "0.0"),
    )
    said = studio("build", NAME, "--engine", "nofa", *few)
    assert said.code == 0, said.err
    assert said.err.count("ArcFace's weights are not on this machine") == 1
    (fitted,) = (f for f in subject.avatars() if f.name.startswith("nofa") and f != drawn)
    card = json.loads((fitted / "nofa.json").read_text(encoding="utf-8"))
    assert card["figures"]["optimised"] == "compensation"
    assert card["figures"]["fine_tuning_steps"] == 3
    assert {"psnr_before", "psnr_after"} <= card["figures"].keys()
    assert any("ArcFace" in note for note in card["notes"])
    # Its weights are its own: the base model is as it was.
    assert (fitted / FILE).is_file()
    assert sum(file.stat().st_size for file in fitted.rglob("*")) < 2_000_000
    assert shelved_digest(base) == base.digest

    listed = studio("controls", NAME, "--engine", "nofa").out
    assert "orbit_yaw" in listed
    assert np.abs(at_once - film("fitted.mp4")).mean() > 0.05
    again = studio("build", NAME, "--engine", "nofa", *few)
    assert again.code == 0
    assert len([f for f in subject.avatars() if f.name.startswith("nofa")]) == 2
    # Which of them is which can be told from the list.
    shown = [line.split() for line in studio("list", NAME).out.splitlines() if "nofa" in line]
    assert {line[2]: " ".join(line[3:]) for line in shown} == {
        drawn.name.removeprefix("nofa-"): "draft",
        fitted.name.removeprefix("nofa-"): "settings of its own",
    }
    said = studio("build", NAME, "--engine", "nofa", "--nofa.tune.learning-rate", "-1")
    assert said.code == 2


def shelved_digest(model) -> str:
    """Of the weights as they are now."""
    import hashlib

    return hashlib.sha256((model.folder / "network.safetensors").read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ("build", NAME, "--engine", "pvp"),
            "Personal prior (PVP) learns from a clip, and this is",
        ),
        (("build", NAME, "--engine", "tri2plane"), "learns from a clip, and this is one photo"),
        (("build", NAME, "--engine", "semantic"), "It needs a base model that was trained on many people"),
        (("build", NAME, "--engine", "nofa"), "train-people CORPUS --engine nofa"),
        (("evaluate", NAME), "A photo is one picture, so nothing can be kept back to judge its avatars by"),
        (("build", NAME, "--hold-out", "0.2"), "A photo is one picture"),
        (("sweep", NAME), "A photo shows one moment"),
    ],
)
def test_what_one_picture_cannot_do_is_said(studio, photo_home, words, sentence) -> None:
    said = studio(*words)
    assert said.code == 2
    assert sentence in said.sentence
    assert said.sentence.endswith(".")


def test_a_photo_does_not_drive(studio, photo_home, photo, tmp_path) -> None:
    said = studio("animate", NAME, "--drive", photo, "-o", tmp_path / "out.mp4")
    assert said.code == 2
    assert "is a photo, and what drives an avatar has to move" in said.sentence
    assert not (tmp_path / "out.mp4").exists()


def test_several_faces_are_told(studio, home, portrait, tmp_path) -> None:
    two = tmp_path / "two.png"
    Image.fromarray(np.concatenate([portrait, portrait[:, ::-1]], 1)).save(two)
    said = studio("import", two, "--subject", "Two")
    assert said.code == 0, said.err
    assert "The photo shows 2 faces; number" in said.out
    assert "--person 0 or 1, from left to right, takes another one." in said.out
    assert studio("import", two, "--subject", "Two", "--person", "1").code == 0


def _wall(folder: Path) -> Path:
    file = folder / "wall.png"
    Image.fromarray(np.random.default_rng(0).integers(90, 110, (200, 200, 3), np.uint8)).save(file)
    return file


def _cut(folder: Path) -> Path:
    file = folder / "cut.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)).save(file)
    file.write_bytes(file.read_bytes()[:3000])
    return file


def _dance(folder: Path) -> Path:
    file = folder / "dance.webp"
    first, second = (Image.new("RGB", (64, 64), colour) for colour in ("red", "blue"))
    first.save(file, save_all=True, append_images=[second])
    return file


def _letter(folder: Path) -> Path:
    file = folder / "letter.jpg"
    file.write_text("Dear all, this is no picture.\n" * 50, encoding="utf-8")
    return file


def _nothing(folder: Path) -> Path:
    file = folder / "nothing.png"
    file.touch()
    return file


def _album(folder: Path) -> Path:
    (folder / "album.jpg").mkdir()
    return folder / "album.jpg"


def _stamp(folder: Path) -> Path:
    file = folder / "stamp.gif"
    Image.new("RGB", (64, 64), "red").save(file)
    return file


def _scan(folder: Path) -> Path:
    file = folder / "scan.tiff"
    Image.new("RGB", (64, 64), "red").save(file)
    return file


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (_wall, "No face was found in this photo"),
        (_cut, "damaged or cut short"),
        (_dance, "is animated"),
        (_letter, "“letter.jpg” cannot be read as a photo"),
        (_nothing, "“nothing.png” is empty"),
        (_album, "is a folder; choose a photo file"),
        (_stamp, "“stamp.gif” is a GIF of one picture"),
        (_scan, "“scan.tiff” cannot be read as a photo"),
    ],
)
def test_what_is_no_photo_of_a_face_leaves_nothing_behind(
    studio, home, tmp_path, make: Callable[[Path], Path], sentence
) -> None:
    said = studio("import", make(tmp_path), "--subject", "Bob")
    assert said.code == 2
    assert sentence in said.sentence
    assert "video" not in said.sentence or make is _dance
    assert not list((home / "subjects").glob("*"))


def test_a_face_too_small_is_told_with_its_height(studio, home, portrait, tmp_path) -> None:
    from PIL import ImageOps

    file = tmp_path / "far.png"
    small = Image.fromarray(portrait).resize((72, 72), Image.Resampling.LANCZOS)
    ImageOps.expand(small, 100, (128, 128, 128)).save(file)
    said = studio("import", file, "--subject", "Bob")
    assert said.code == 2
    assert "pixels high" in said.sentence or "No face was found in this photo" in said.sentence
    assert not list((home / "subjects").glob("*"))


def test_heic_without_its_decoder_says_what_to_do(studio, home, portrait, tmp_path, monkeypatch) -> None:
    import sys

    import pi_heif  # noqa: F401  (there is one, so its absence is made)

    file = tmp_path / "me.heic"
    file.write_bytes(b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(200))
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    said = studio("import", file, "--subject", "Bob")
    assert said.code == 2
    assert "is a HEIC photo, and what reads those is not installed; save it as JPEG or PNG" in said.sentence


@pytest.fixture
def photo_home(studio, photo) -> None:
    """The photo, imported where there is no base model."""
    said = studio("import", photo, "--subject", NAME)
    assert said.code == 0, said.err
    assert "The avatar is ready: Instant." in said.out


def test_a_clips_best_frame_becomes_an_avatar_and_is_measured_beside_another(ann, home, tmp_path) -> None:
    from tests.engines.semantic.one_person import shelve

    shelve(home)
    figures = tmp_path / "figures.json"
    words = ("--engine", "semantic", "--beside", "instant:draft", "--json", figures)
    said = ann("evaluate", "Ann Lee 🎬", *words)
    assert said.code == 0, said.err
    measured = json.loads(figures.read_text())
    assert measured["metrics"]["psnr"] > 10.0
    assert measured["beside_engine"] == "instant:draft"
    (subject,) = Store(home).subjects().subjects
    avatar = next(a for a in map(load_avatar, subject.avatars()) if a.engine == "semantic")
    first, past = avatar.lineage["learnt_from"]
    assert past == first + 1
    assert past <= 0.8 * 40  # nothing of the held-out end was looked at
    assert ann("build", "Ann Lee 🎬", "--engine", "semantic", "--semantic.frame", "3").code == 0
    named = load_avatar(subject.avatars()[-1])
    assert named.lineage["learnt_from"] == [3, 4]
