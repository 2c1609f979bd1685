"""``edit`` from a terminal: what is found is kept, and shown by every command that shows a person."""

from __future__ import annotations

import json
import re
from dataclasses import fields, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipelines.build_job import find_avatar
from pipelines.cli.editing import FINDERS, Do, Find, _typed
from pipelines.control_file import STRONG
from pipelines.edit_avatar import edited, person_colours, put_edit
from pipelines.edit_sheet import CELL, COLUMNS, STRENGTHS, TITLE, place
from studio.assets import AssetLibrary
from studio.domain.avatar import Avatar
from studio.domain.camera import Similarity, View
from studio.domain.edits import Edit, EditStack, LatentShift, Recolour, Relight, ShapeShift
from studio.domain.progress import silent
from studio.editing.attributes import ATTRIBUTES
from studio.editing.catalog import METHODS
from studio.editing.colours import LOOKS, REGIONS, lab_of
from studio.editing.method import Workplace
from studio.editing.shapes import SHAPES, ShapeWish
from studio.media import read_frames
from studio.project.avatar_files import load_avatar
from studio.project.edit_files import load_edits
from studio.project.store import Store
from tests.cli.edited_home import NAME, instant_files, write_home


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return instant_files(tmp_path_factory.mktemp("instant") / "base")


@pytest.fixture
def lee(home: Path, base: Path, studio, monkeypatch: pytest.MonkeyPatch):
    """Commands in a home with a person of two avatars, the instant one being the newest."""
    monkeypatch.setattr("os.fsync", lambda number: None)
    write_home(home, base)
    return studio


def _avatar(home: Path, engine: str | None = None) -> Avatar:
    return find_avatar(Store(home).find(NAME), engine)


def _edits(home: Path, engine: str | None = None) -> EditStack:
    return load_edits(_avatar(home, engine).folder)


def _names(home: Path, engine: str | None = None) -> list[str]:
    return [edit.name for edit in _edits(home, engine).edits]


def test_a_shape_is_found_and_listed(lee, home):
    said = lee("edit", NAME, "--shape", "chubby", "--strength", 0.5)
    assert said.code == 0, said.err
    assert "edit_chubby of the instant avatar" in said.out
    edit = _edits(home).find("chubby")
    assert (edit.method, edit.strength, edit.title) == ("shape", 0.5, "Chubby")
    listed = lee("edit", NAME, "--list")
    assert listed.code == 0
    assert "chubby" in listed.out
    assert "0.5" in listed.out
    assert "chubby  0.5  Chubby" in lee("list").out
    controls = lee("controls", NAME).out
    assert "edit_chubby" in controls
    assert "rests at 0.5" in controls
    assert _names(home, "pvp") == []


def test_coefficients_and_titles(lee, home):
    assert lee("edit", NAME, "--shape", "0:1.5 3:-2", "--title", "Meine Nase 鼻").code == 0
    edit = _edits(home).find("meine_nase")
    assert isinstance(edit.effect, ShapeShift)
    identity = edit.effect.identity
    assert (identity[0], identity[3]) == (1.5, -2.0)
    assert edit.title == "Meine Nase 鼻"


def test_colours_and_lights(lee, home):
    said = lee("edit", NAME, "--recolour", "person", "--to", "7A3B10", "--strength", 0.5)
    assert said.code == 0, said.err
    assert lee("edit", NAME, "--relight", "left").code == 0
    assert lee("edit", NAME, "--relight=-0.5,0.2,0", "--title", "Window").code == 0
    assert lee("edit", NAME, "--recolour", "tanned").code == 0
    colour, light, own, tanned = _edits(home).edits
    assert [edit.method for edit in (colour, light, own, tanned)] == [
        "recolour",
        "relight",
        "relight",
        "recolour",
    ]
    assert isinstance(colour.effect, Recolour)
    assert isinstance(own.effect, Relight)
    assert isinstance(light.effect, Relight)
    assert isinstance(tanned.effect, Recolour)
    assert (colour.effect.region, colour.strength) == ("person", 0.5)
    # The picture's mean colour and the shift lead to the colour that was asked for.
    mean = person_colours(_avatar(home))["person"].lab
    assert np.add(mean, colour.effect.shift) == pytest.approx(lab_of("#7a3b10"), abs=0.01)
    assert light.effect.direction[0] < 0
    assert (own.effect.direction, own.name) == ((-0.5, 0.2, 0.0), "window")
    assert (tanned.effect.region, tanned.title) == ("skin", "Tanned")


def test_edits_are_managed_by_name_and_by_title(lee, home):
    for shape in ("chubby", "large_eyes", "full_lips"):
        assert lee("edit", NAME, "--shape", shape).code == 0
    assert lee("edit", NAME, "--order", "full_lips", "Large eyes").code == 0
    assert _names(home) == ["full_lips", "large_eyes", "chubby"]
    assert lee("edit", NAME, "--off", "Full lips").code == 0
    assert not _edits(home).find("full_lips").on
    assert "off" in lee("edit", NAME, "--list").out
    assert lee("edit", NAME, "--on", "edit_full_lips", "--strength", -0.25).code == 0
    assert (_edits(home).find("full_lips").on, _edits(home).find("full_lips").strength) == (True, -0.25)
    assert lee("edit", NAME, "--rename", "chubby", "--title", "Pausbacken").code == 0
    assert _edits(home).find("chubby").title == "Pausbacken"
    said = lee("edit", NAME, "--remove", "pausbacken")
    assert said.code == 0
    assert "2 edits left" in said.out
    assert _names(home) == ["full_lips", "large_eyes"]


def test_the_same_wish_again_takes_its_own_place(lee, home):
    for strength in (0.25, 0.75):
        lee("edit", NAME, "--shape", "chubby", "--strength", strength)
    assert [(edit.name, edit.strength) for edit in _edits(home).edits] == [("chubby", 0.75)]


def test_edits_go_to_another_engine_but_latents_stay(lee, home):
    lee("edit", NAME, "--engine", "pvp", "--shape", "chubby")
    older = Edit("older", "older", "direction-file", LatentShift(np.ones((1, 8), np.float32)))
    put_edit(_avatar(home, "pvp"), older)
    said = lee("edit", NAME, "--engine", "pvp", "--copy-to", "instant")
    assert said.code == 0
    assert "“older” cannot be copied" in said.err
    assert _names(home, "instant") == ["chubby"]
    again = lee("edit", NAME, "--engine", "pvp", "--copy-to", "pvp")
    assert again.code == 2
    assert "same avatar" in again.sentence


def _controls(folder: Path, **keyframe: float) -> Path:
    file = folder / "controls.json"
    content = {"rate": 10, "keyframes": [{"time": 0, **keyframe}, {"time": 0.3}]}
    file.write_text(json.dumps(content))
    return file


def _film(lee, folder: Path, name: str, *words: object, **keyframe: float) -> np.ndarray:
    out = folder / f"{name}.mp4"
    controls = _controls(folder, **keyframe)
    said = lee("animate", NAME, "--controls", controls, "-o", out, "--size", 128, "--quality", "best", *words)
    assert said.code == 0, said.err
    return np.stack(list(read_frames(out))).astype(int)


@pytest.mark.parametrize("engine", ["instant", "pvp"])
@pytest.mark.parametrize(
    "wish", [("--shape", "chubby"), ("--relight", "left"), ("--recolour", "person", "--to", "#40c060")]
)
def test_films_show_edits_at_rest_and_as_keyframes_say(lee, home, tmp_path, engine, wish):
    def film(name: str, **keyframe: float) -> np.ndarray:
        return _film(lee, tmp_path, name, "--engine", engine, **keyframe)

    plain = film("plain")
    assert lee("edit", NAME, "--engine", engine, *wish, "--strength", 1, "--title", "chubby").code == 0
    chubby = film("chubby")
    assert np.abs(chubby - plain).mean() > 0.1
    assert np.array_equal(film("zero", edit_chubby=0), plain), "strength 0 is no change at all"
    assert np.array_equal(film("one", edit_chubby=1), chubby)
    lee("edit", NAME, "--engine", engine, "--off", "chubby")
    assert np.array_equal(film("off"), plain)
    assert np.array_equal(film("on in the file", edit_chubby=1), chubby)
    lee("edit", NAME, "--engine", engine, "--remove", "chubby")
    assert np.array_equal(film("removed"), plain)


def test_a_control_file_that_names_an_edit_that_is_not_there(lee, tmp_path):
    out = tmp_path / "out.mp4"
    words = ("animate", NAME, "-o", out, "--controls")
    said = lee(*words, _controls(tmp_path, edit_glasses=1))
    assert said.code == 2
    assert "names “edit_glasses”, and this avatar has no such edit" in said.sentence
    lee("edit", NAME, "--shape", "chubby")
    said = lee(*words, _controls(tmp_path, edit_chuby=1))
    assert said.code == 2
    assert "did you mean “edit_chubby”?" in said.sentence
    said = lee(*words, _controls(tmp_path, edit_chubby=1.75))
    assert said.code == 0
    assert f"{STRONG}: edit_chubby 1.75 (suggested -0.5 to 0.5)" in said.err
    assert "Far beyond" not in said.err


def test_who_rests_an_edit_beyond_what_is_suggested_is_told_so_wherever_it_shows(lee, home, tmp_path):
    said = lee("edit", NAME, "--shape", "chubby")
    assert STRONG not in said.err
    assert _edits(home).find("chubby").strength == 0.5, "what is suggested, where nothing is said"
    words = f"{STRONG}: edit_chubby 1.5 (suggested -0.5 to 0.5)."
    assert words in lee("edit", NAME, "--shape", "chubby", "--strength", 1.5).err
    lee("edit", NAME, "--off", "chubby")
    assert words in lee("edit", NAME, "--on", "chubby").err
    assert STRONG not in lee("edit", NAME, "--on", "chubby", "--strength", -0.5).err
    lee("edit", NAME, "--on", "chubby", "--strength", 1.5)
    keys = _controls(tmp_path, yaw=3)
    said = lee("animate", NAME, "--controls", keys, "-o", tmp_path / "a.mp4", "--size", 128)
    assert words in said.err


def test_all_that_is_missing_is_named_at_once(lee):
    said = lee("edit", NAME, "--engine", "instant", "--text", "with glasses")
    assert said.code == 2
    assert re.search(
        r"Besides, Words, as a direction works .* build it with python main.py build .*pvp$", said.sentence
    )
    assert "Editing by words is off because" in said.sentence
    other = lee("edit", NAME, "--engine", "instant", "--attribute", "smile").sentence
    assert other.startswith("Learnt direction (InterfaceGAN) works with an avatar that has a generator")


def test_a_sheet_shows_each_edit_alone_and_then_all(lee, home, tmp_path):
    for shape in ("chubby", "large_eyes"):
        lee("edit", NAME, "--shape", shape, "--strength", 1)
    lee("edit", NAME, "--off", "large_eyes")
    out = tmp_path / "sheet.png"
    assert lee("edit", NAME, "--sheet", out).code == 0
    sheet = cv2.imread(str(out)).astype(int)
    assert sheet.shape[:2] == (3 * (TITLE + STRENGTHS + 3 * CELL), COLUMNS * CELL)

    def picture(strip: int, pose: int, column: int) -> np.ndarray:
        top, left = place(strip, pose, column, 3, View(Similarity(1.0, 0.0, 0.0, 0.0), CELL, CELL))
        return sheet[top : top + CELL - 24, left : left + CELL]  # without the pose's name

    middle = COLUMNS // 2  # strength 0 of -1 to 1, for what rests at 1 is shown, too
    for pose in range(3):
        assert np.array_equal(picture(0, pose, middle), picture(1, pose, middle)), "alone is alone"
        assert np.array_equal(picture(2, pose, 0), picture(0, pose, middle)), "nothing of all is nothing"
        assert np.array_equal(picture(2, pose, -1 % COLUMNS), picture(0, pose, -1 % COLUMNS)), "one is off"
        steps = [np.abs(picture(0, pose, k) - picture(0, pose, middle)).mean() for k in range(COLUMNS)]
        assert steps[0] > steps[1] > 0 < steps[3] < steps[4], "more strength is more change"
        assert np.abs(picture(0, pose, 0) - picture(1, pose, 0)).mean() > 0.1
    assert np.abs(picture(0, 0, middle) - picture(0, 1, middle)).mean() > 1, "poses differ"
    said = lee("edit", NAME, "--sheet", out)
    assert said.code == 2
    assert "--overwrite" in said.sentence
    assert lee("edit", NAME, "--sheet", out, "--overwrite").code == 0


def test_every_method_is_listed_with_what_it_needs(studio, home):
    said = studio("edit", "--methods")
    assert said.code == 0
    for spec in METHODS.values():
        assert f", {spec.id}: {spec.summary.partition('. ')[0]}" in " ".join(said.out.split())
    # Everything that finds an edit is named as it is typed, and what is missing once, with its purpose.
    for option in FINDERS:
        assert f"--{option} " in said.out
    assert said.out.count("is not on this machine") == 1
    assert "Off: Words, as a direction; Words, by optimisation; Words, as a mapper." in said.out
    assert not home.exists()


def test_help_names_every_shape_look_and_attribute(studio):
    said = " ".join(re.sub(r"[│╭╮╰╯]", " ", studio("edit", "--help").out).split())
    for name in (*(s.name for s in SHAPES), *(one.name for one in LOOKS), *ATTRIBUTES):
        assert name in said


def test_measuring_leaves_edits_out(ann, home, tmp_path):
    """The strongest edit there is changes no figure of an evaluation, and the film very much."""
    name = "Ann Lee 🎬"
    small = ["--size", 64, "--instant.texture-size", 128, "--pivots.count", 6]
    figures = []
    for number in range(2):
        file = tmp_path / f"{number}.json"
        assert ann("evaluate", name, *small, "--json", file).code == 0
        figures.append(json.loads(file.read_text()))
        for folder in Store(home).find(name).avatars():
            if not number:
                put_edit(load_avatar(folder), _chubby())
    for one in figures:
        one.pop("fps", None)
        one.pop("seconds", None)
    assert figures[0]["metrics"] == figures[1]["metrics"]
    assert figures[0]["nearest_frame"] == figures[1]["nearest_frame"]
    avatar = _avatar(home)
    assert len(edited(avatar).edits) == 1


def _chubby() -> Edit:
    spec = METHODS["shape"]
    edit = spec.find(None, ShapeWish("chubby"), Workplace(AssetLibrary(Path()), Path(), silent))
    return replace(edit, strength=2.0)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "Say what to find"),
        ([NAME], "Say what to find"),
        (["--list"], "edit needs NAME"),
        ([NAME, "--shape", "chubby", "--list"], "--shape and --list are several things"),
        ([NAME, "--shape", "chubby", "--text", "old"], "several things"),
        ([NAME, "--list", "--strength", "1"], "--strength says more about"),
        ([NAME, "--shape", "chubby", "--neutral", "a face"], "--neutral says more about --text"),
        ([NAME, "--shape", "chubby", "--beta", "0.1"], "--beta says more about --text"),
        ([NAME, "--shape", "chubby", "--against", "yaw"], "--against says more about --attribute"),
        ([NAME, "--shape", "chubby", "--overwrite"], "--overwrite says more about --sheet"),
        ([NAME, "--list", "--wish.steps", "3"], "--wish.… says more about what is to be found"),
        ([NAME, "--like", "1,2"], "--like needs --dislike"),
        ([NAME, "--rename", "chubby"], "--rename needs --title"),
        ([NAME, "--shape", "chuby"], "did you mean 'chubby'"),
        ([NAME, "--shape", "dragon"], f"there are: {SHAPES[0].name}"),
        ([NAME, "--shape", "0:99"], "Identity coefficient 0 cannot be 99"),
        ([NAME, "--shape", "chubby", "--strength", "9"], "from -2 to 2, not 9"),
        ([NAME, "--shape", "chubby", "--strength", "nan"], "must be a number"),
        ([NAME, "--shape", "chubby", "--strength", "much"], "must be a number"),
        ([NAME, "--shape", "chubby", "--title", "  "], "needs a title"),
        ([NAME, "--recolour", "hair"], "Say which colour: --recolour hair --to"),
        ([NAME, "--recolour", "hiar", "--to", "#fff"], "did you mean 'hair'"),
        ([NAME, "--recolour", "hair", "--to", "#7a3b1"], "'#7a3b1' is no colour"),
        ([NAME, "--recolour", "hair", "--to", "blorange"], "or name one of blond_hair"),
        ([NAME, "--recolour", "hair", "--to", "red_lips"], "red_lips is a look of lips, not of hair"),
        ([NAME, "--shape", "chubby", "--to", "#fff"], "--to says more about --recolour"),
        ([NAME, "--relight", "lft"], "did you mean 'left'"),
        ([NAME, "--relight", "sideways"], "there are: left, right"),
        ([NAME, "--relight", "1,2"], "is no direction of light"),
        ([NAME, "--relight", "0,0,inf"], "is no direction of light"),
        ([NAME, "--relight", "0,0,0"], "needs a direction"),
        ([NAME, "--attribute", "smiel"], "did you mean 'smile'"),
        ([NAME, "--attribute", "smile"], "has a generator (pvp), and this one is instant"),
        ([NAME, "--component", "0"], "numbered from 1"),
        ([NAME, "--component", "2"], "has a generator (pvp), and this one is instant"),
        ([NAME, "--components", "OUT"], "has a generator (pvp), and this one is instant"),
        ([NAME, "--samples", "OUT"], "has a generator (pvp), and this one is instant"),
        ([NAME, "--direction", "missing.npy"], "There is no file missing.npy"),
        ([NAME, "--like", "1,two", "--dislike", "3"], "named by their numbers"),
        ([NAME, "--remove", "chubby"], "has no edits yet"),
        ([NAME, "--on", "chubby"], "has no edits yet"),
        ([NAME, "--order", "a", "b"], "has no edits yet"),
        ([NAME, "--copy-to", "pvp"], "no edits to copy"),
        ([NAME, "--copy-to", "pvpp"], "did you mean 'pvp'"),
        ([NAME, "--copy-to", "tri2plane"], "no tri2plane avatar yet"),
        ([NAME, "--engine", "instnt", "--list"], "did you mean 'instant'"),
        ([NAME, "--clip", "other.mp4", "--list"], "no clip 'other.mp4'"),
        ([NAME, "--sheet", "OUT"], "has no edits to show yet"),
        ([NAME, "--sheet", "sheet.jpg"], "let it end in .png"),
        ([NAME, "--lst"], "edit has no use for --lst"),
        (["Nobody", "--list"], "no subject named 'Nobody'"),
    ],
)
def test_what_makes_no_sense_is_one_sentence_and_changes_nothing(lee, home, tmp_path, words, expected):
    out = tmp_path / "out.png"
    before = {path: path.stat().st_mtime_ns for path in home.rglob("*") if path.name != ".lock"}
    said = lee("edit", *[out if word == "OUT" else word for word in words])
    assert said.code == 2, said
    assert expected in said.sentence
    assert len(said.sentence) < 400
    assert said.err.count("\n") == 1
    after = {path: path.stat().st_mtime_ns for path in home.rglob("*") if path.name != ".lock"}
    new = {path.name for path in after.keys() - before.keys()}
    assert new <= {"edits", "cache", "lock"}
    assert not out.exists()


@pytest.mark.parametrize("words", [["--text", "", "--engine", "pvp"], ["--text", "  . ", "--engine", "pvp"]])
def test_a_text_without_words(lee, home, words):
    said = lee("edit", NAME, *words)
    assert said.code == 2
    assert "holds no words" in said.sentence
    assert not list(home.glob("subjects/*/jobs/*"))


def test_a_text_of_five_hundred_words(lee, home):
    said = lee("edit", NAME, "--engine", "pvp", "--text", "very " * 500 + "old")
    assert said.code == 2
    assert "say it in a few words" in said.sentence


def test_the_methods_own_settings_are_explained_and_checked(lee, home):
    said = lee("edit", NAME, "--component", 1, "--help")
    assert said.code == 0
    assert "--wish.rows" in said.out
    said = lee("edit", NAME, "--engine", "pvp", "--component", 1, "--wish.samples", 1)
    assert said.code == 2
    assert "'samples' of GanSpaceWish" in said.sentence
    said = lee("edit", NAME, "--engine", "pvp", "--component", 1, "--wish.size", 1)
    assert said.code == 2
    assert "no use for --wish.size" in said.sentence


def test_the_page_about_editing_names_every_option_and_everything_that_can_be_named():
    page = (Path(__file__).resolve().parents[2] / "docs" / "editing.md").read_text(encoding="utf-8")
    options = [f"--{_typed(one.name)}" for one in (*fields(Find), *fields(Do)) if one.name != "overwrite"]
    assert [option for option in options if option not in page] == []
    names = [*ATTRIBUTES, *REGIONS, *(look.name for look in LOOKS), *(shape.name for shape in SHAPES)]
    assert [name for name in names if name not in page] == []
