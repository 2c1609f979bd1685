"""``edit`` with what needs a generator: found in a job, from words, attributes, components and files."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipelines.build_job import find_avatar
from pipelines.edit_avatar import edited, put_edit
from pipelines.edit_person import latent_person
from pipelines.latent_sheets import COMPONENTS, STRENGTHS
from studio.domain.avatar import Avatar
from studio.domain.edits import Edit, EditStack, LatentMap, LatentShift, Recolour, StyleShift
from studio.domain.rendering import RenderRequest
from studio.editing.contact_sheet import place
from studio.editing.interfacegan import InterfaceGanWish, shown_to_judge
from studio.engines.catalog import engine_spec
from studio.project.edit_files import load_edits
from studio.project.store import Store
from tests.cli.edited_home import NAME, instant_files, write_home
from tests.editing.tiny_clip import CONFIG, tiny_clip, write_open_clip
from tests.engines.pvp.small_avatar import SIDE

PVP = (NAME, "--engine", "pvp")
W_DIM = 8


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return instant_files(tmp_path_factory.mktemp("instant") / "base")


@pytest.fixture
def lee(home: Path, base: Path, studio, monkeypatch: pytest.MonkeyPatch):
    """Commands in a home with a person who has a generator."""
    monkeypatch.setattr("os.fsync", lambda number: None)
    write_home(home, base)
    return studio


def _edits(home: Path) -> EditStack:
    return load_edits(find_avatar(Store(home).find(NAME), "pvp").folder)


def _changes(home: Path, name: str) -> float:
    """Mean grey levels by which an edit at its strength changes the neutral face."""
    avatar = edited(find_avatar(Store(home).find(NAME), "pvp"))
    engine = engine_spec("pvp").load(avatar)
    states = engine.sheet.neutral(), engine.sheet.state({f"edit_{name}": 0.0})
    with_it, without = (engine.render(RenderRequest(s, avatar.stage)).image.astype(int) for s in states)
    engine.close()
    return float(np.abs(with_it - without).mean())


def test_a_component_from_its_sheet(lee, home, tmp_path):
    out = tmp_path / "components.png"
    said = lee("edit", *PVP, "--components", out)
    assert said.code == 0, said.err
    sheet = cv2.imread(str(out))
    top, left, side = place(COMPONENTS - 1, len(STRENGTHS) - 1, SIDE)
    assert sheet.shape[0] >= top + side
    assert sheet.shape[1] >= left + side
    said = lee("edit", *PVP, "--component", 2, "--title", "Wilder", "--strength", -1.25)
    assert said.code == 0, said.err
    edit = _edits(home).find("wilder")
    assert isinstance(edit.effect, LatentShift)
    assert (edit.method, edit.strength, edit.found["wish"]["component"]) == ("ganspace", -1.25, 2)
    assert _changes(home, "wilder") > 0.02
    assert "is edit_wilder of the pvp avatar" in said.out


def test_an_attribute_of_pictures(lee, home):
    words = ("--attribute", "brightness", "--against", "contrast")
    few = ("--wish.samples", 60, "--wish.no-keep-pose-and-expression")
    said = lee("edit", *PVP, *words, *few)
    assert said.code == 0, said.err
    edit = _edits(home).find("brightness")
    assert edit.method == "interfacegan"
    assert edit.found["wish"]["without"] == ["contrast"]
    assert edit.found["wish"]["samples"] == 60


def test_samples_to_judge_become_a_direction(lee, home, tmp_path):
    assert lee("edit", *PVP, "--samples", tmp_path / "samples.png").code == 0
    assert cv2.imread(str(tmp_path / "samples.png")).shape[1] > 10 * SIDE
    few = lee("edit", *PVP, "--like", "1,2", "--dislike", "3")
    assert few.code == 2
    assert "2 likes and 1 dislikes are too few" in few.sentence
    person = latent_person(find_avatar(Store(home).find(NAME), "pvp"), "cpu")
    # Somebody who likes large numbers.
    order = shown_to_judge(person, InterfaceGanWish()).ws.mean((1, 2)).argsort().tolist()
    likes, dislikes = (",".join(map(str, some)) for some in (order[-15:], order[:15]))
    quick = ("--wish.samples", 60, "--wish.no-keep-pose-and-expression")
    said = lee("edit", *PVP, "--like", likes, "--dislike", dislikes, "--title", "Prettier", *quick)
    assert said.code == 0, said.err
    assert _edits(home).find("prettier").found["likes"] == order[-15:]


def _direction(folder: Path, rows: np.ndarray) -> Path:
    np.save(folder / "older.npy", rows)
    return folder / "older.npy"


def test_a_direction_from_a_file(lee, home, tmp_path):
    rows = np.random.default_rng(0).normal(size=(1, W_DIM)).astype(np.float32)
    said = lee("edit", *PVP, "--direction", _direction(tmp_path, rows), "--title", "older 眼")
    assert said.code == 0, said.err
    edit = _edits(home).find("older")
    assert isinstance(edit.effect, LatentShift)
    shift = edit.effect.rows[0]
    assert shift @ rows[0] / np.linalg.norm(shift) / np.linalg.norm(rows) == pytest.approx(1.0, abs=1e-5)
    assert _changes(home, "older") > 0.02


class Evil:
    """Makes a folder where it is unpickled."""

    def __init__(self, where: Path) -> None:
        self.where = where

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.where),)


@pytest.mark.parametrize("kind", ["shape", "pickle", "numpy pickle", "text", "not finite", "zero"])
def test_files_that_are_no_direction_for_this_person(lee, home, tmp_path, kind):
    witness = tmp_path / "ran"
    file = tmp_path / ("older.npy" if kind != "pickle" else "older.pt")
    expected = ""
    if kind == "shape":
        np.save(file, np.ones((1, 512), np.float32))
        expected = f"latents of shape [{2 * (SIDE.bit_length() - 1) - 2}, {W_DIM}]"
    elif kind == "pickle":
        file.write_bytes(pickle.dumps(Evil(witness)))
    elif kind == "numpy pickle":
        np.save(file, np.array([Evil(witness)], object), allow_pickle=True)
    elif kind == "text":
        file.write_text("older")
    else:
        np.save(file, np.full((1, W_DIM), np.nan if kind == "not finite" else 0.0, np.float32))
    said = lee("edit", *PVP, "--direction", file)
    assert said.code == 2, said
    assert expected in said.sentence
    assert file.name in said.sentence
    assert len(said.sentence) < 400
    assert not witness.exists()
    assert _edits(home) == EditStack()


@pytest.fixture
def clip(home: Path, lee) -> Path:
    """A CLIP of toy size among the home's weights."""
    return write_open_clip(home / "weights", tiny_clip())


QUICK = {
    "global": ("--wish.samples", 4, "--wish.probes", 2, "--wish.deviation-samples", 32),
    "optimise": ("--wish.steps", 3, "--wish.pictures", 2),
    "mapper": ("--wish.steps", 3, "--wish.samples", 4),
}
EFFECTS = {"global": StyleShift, "optimise": LatentShift, "mapper": LatentMap}


@pytest.mark.parametrize("how", QUICK)
def test_words(lee, home, clip, how):
    said = lee("edit", *PVP, "--text", "with round eyeglasses", "--strength", 0.5, "--how", how, *QUICK[how])
    assert said.code == 0, said.err
    edit = _edits(home).find("with_round_eyeglasses")
    assert isinstance(edit.effect, EFFECTS[how])
    assert (edit.method, edit.strength) == (f"styleclip-{how}", 0.5)
    assert edit.title == "with round eyeglasses"
    assert _changes(home, edit.name) > 0.0


def test_words_of_another_alphabet_are_taken_with_a_warning(lee, home, clip):
    said = lee(
        "edit", *PVP, "--text", "mit Brille 眼鏡", "--neutral", "a face", "--beta", 0, *QUICK["global"]
    )
    assert said.code == 0, said.err
    assert "CLIP was taught with English sentences" in said.err
    edit = _edits(home).find("mit_brille")
    assert edit.found["wish"]["neutral"] == "a face"
    assert (edit.found["wish"]["auto_beta"], edit.found["wish"]["beta"]) == (False, 0.0)


def test_more_words_than_clip_reads(lee, home, clip):
    said = lee("edit", *PVP, "--text", "very " * 120 + "old")
    assert said.code == 2
    assert "more than the 75 that CLIP reads" in said.sentence
    assert _edits(home) == EditStack()


def test_without_a_clip(lee, home):
    said = lee("edit", *PVP, "--text", "old")
    assert said.code == 2
    assert "put it into" in said.sentence
    assert not list(home.glob("subjects/*/jobs/*"))
    assert "put it into" in lee("edit", "--methods").out


def test_a_clip_of_another_architecture(lee, home):
    config = {**CONFIG, "vision_cfg": {**CONFIG["vision_cfg"], "width": 96}}
    write_open_clip(home / "weights", tiny_clip(), config)
    said = lee("edit", *PVP, "--text", "old")
    assert said.code == 2, said
    assert "open_clip" in said.sentence
    assert len(said.sentence) < 500
    assert _edits(home) == EditStack()


def test_beta_belongs_to_directions(lee, home, clip):
    for words, expected in (
        (["--how", "mapper", "--beta", 0.1], "leave it out with --how mapper"),
        (["--beta", 3], "--beta must be from 0 to 1"),
        (["--how", "magic"], "--how cannot be 'magic': choose from global, optimise, mapper, learnt"),
    ):
        said = lee("edit", *PVP, "--text", "old", *words)
        assert said.code == 2
        assert expected in said.sentence


def test_a_worker_of_its_own_finds_it_too(home, base, studio, workers):
    write_home(home, base)
    said = studio("edit", *PVP, "--component", 1)
    assert said.code == 0, said.err
    assert [edit.name for edit in _edits(home).edits] == ["component_1"]
    assert "job " not in studio("list").out


def _picture(avatar: Avatar) -> np.ndarray:
    engine = engine_spec("pvp").load(avatar)
    image = engine.render(RenderRequest(engine.sheet.neutral(), avatar.stage)).image.astype(int)
    engine.close()
    return image


def test_edits_are_baked_into_a_copy_which_can_go_again(lee, home, tmp_path):
    subject = Store(home).find(NAME)
    assert "nothing to bake" in lee("edit", *PVP, "--bake").sentence
    rows = np.random.default_rng(0).normal(size=(1, W_DIM)).astype(np.float32)
    lee("edit", *PVP, "--direction", _direction(tmp_path, rows), "--title", "older", "--strength", 0.75)
    lee("edit", *PVP, "--shape", "chubby", "--strength", 1)
    lee("edit", *PVP, "--component", 1, "--strength", 0)
    hair = Edit("hair", "Hair", "recolour", Recolour("hair", (9.0, 0.0, 0.0)), on=False)
    put_edit(find_avatar(subject, "pvp"), hair)
    original = find_avatar(subject, "pvp")
    said = lee("edit", *PVP, "--bake")
    assert said.code == 0, said.err
    assert "“older” at 0.75, “Chubby” at 1." in said.out
    copy = find_avatar(subject, "pvp", baked=True)
    assert copy.folder != original.folder
    assert find_avatar(subject, "pvp") == original, "who measures or edits gets the original"
    assert [edit.name for edit in load_edits(copy.folder).edits] == ["hair"], "what is not baked stays"
    assert np.abs(_picture(edited(copy)) - _picture(edited(original))).max() <= 1
    assert np.abs(_picture(copy) - _picture(original)).mean() > 0.02
    assert copy.key in lee("edit", NAME, "--baked").out
    assert "copy with “older” at 0.75, “Chubby” at 1" in lee("list").out
    again = lee("edit", *PVP, "--bake")
    assert again.code == 0
    assert copy.key in again.out

    controls = tmp_path / "controls.json"
    controls.write_text('{"rate": 10, "seconds": 0.3, "keyframes": [{"time": 0, "edit_older": 1}]}')
    film = ("animate", *PVP, "--controls", controls, "-o", tmp_path / "film.mp4", "--size", 64)
    assert "no such edit" in lee(*film, "--baked").sentence, "it is no slider of the copy any more"
    assert lee(*film).code == 0

    assert "no copy with baked edits of key 'fff'" in lee("edit", NAME, "--unbake", "fff").sentence
    removed = lee("edit", NAME, "--unbake", copy.key)
    assert removed.code == 0
    assert not copy.folder.exists()
    assert "no copy with baked edits" in lee("edit", NAME, "--baked").out
    assert "no copy with baked edits" in lee("animate", *film[1:], "--baked", "--overwrite").sentence
    assert lee("restore", f"{NAME}: copy with “older” at 0.75, “Chubby” at 1").code == 0
    assert find_avatar(subject, "pvp", baked=True) == copy
