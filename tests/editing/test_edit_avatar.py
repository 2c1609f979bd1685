"""The edits of an avatar as commands and the window manage them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines import runner
from pipelines.edit_avatar import (
    copy_edits,
    edited,
    find_edit,
    find_name,
    free_name,
    order_edits,
    put_edit,
    remove_edit,
    rename_edit,
    set_strength,
    switch_edit,
)
from pipelines.edit_job import edit_job, read_found
from pipelines.job import read_status, request
from pipelines.run import DEFECT, FINISHED, INTERRUPTED, PROBLEM, run_job
from studio.domain.avatar import Avatar
from studio.domain.camera import Similarity, View
from studio.domain.edits import Edit, EditStack, LatentShift, Recolour, ShapeShift
from studio.domain.problem import Problem
from studio.editing.catalog import METHODS
from studio.project.avatar_files import load_avatar, save_avatar
from studio.project.edit_files import load_edits, unknown_edits
from studio.project.store import Store, SubjectFolder
from studio.warping.warp_files import link_parts
from tests.editing.fake_methods import FakeWish, spec

STAGE = View(Similarity(1.0, 0.0, 0.0, 0.0), 64, 64)


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda number: None)


@pytest.fixture
def subject(home: Path) -> SubjectFolder:
    return Store(home).add("Ann Lee 🎬")


def _avatar(subject: SubjectFolder, engine: str = "instant") -> Avatar:
    folder = subject.avatar(engine, "0123")
    folder.mkdir(parents=True)
    save_avatar(folder, Avatar(subject.name, engine, "0123", folder, STAGE))
    return load_avatar(folder)


@pytest.fixture
def avatar(subject: SubjectFolder) -> Avatar:
    return _avatar(subject)


def _edit(name: str, title: str = "", **changes) -> Edit:
    shape = ShapeShift(np.ones(3, np.float32), "builtin-1")
    return replace(Edit(name, title or name.capitalize(), "shape", shape), **changes)


GLASSES = _edit("glasses", "with round glasses", strength=0.5, suggested=(0.0, 0.8))
STACK = (GLASSES, _edit("beard"), _edit("hair", effect=Recolour("hair", (1.0, 2.0, 3.0)), method="recolour"))


@pytest.fixture
def dressed(avatar: Avatar) -> Avatar:
    for edit in STACK:
        put_edit(avatar, edit)
    return avatar


def _names(avatar: Avatar) -> list[str]:
    return [edit.name for edit in load_edits(avatar.folder).edits]


def test_an_avatar_is_opened_for_people_with_its_edits_and_loaded_without(dressed: Avatar):
    assert edited(dressed).edits == EditStack(STACK)
    assert load_avatar(dressed.folder).edits == EditStack()
    assert dressed.edits == EditStack(), "an avatar is a value"


def test_what_is_changed_is_returned_and_stored(dressed: Avatar):
    for change in (
        lambda: set_strength(dressed, "glasses", -0.25),
        lambda: switch_edit(dressed, "beard", on=False),
        lambda: order_edits(dressed, ["hair", "beard"]),
        lambda: rename_edit(dressed, "beard", "  Full\n beard "),
        lambda: remove_edit(dressed, "hair"),
    ):
        assert change().edits == load_edits(dressed.folder)
    glasses, beard = load_edits(dressed.folder).find("glasses"), load_edits(dressed.folder).find("beard")
    assert (glasses.strength, beard.on, beard.title) == (-0.25, False, "Full beard")
    assert _names(dressed) == ["beard", "glasses"]


def test_a_strength_switches_on_and_keeps_within_limits(dressed: Avatar):
    switch_edit(dressed, "glasses", on=False)
    assert set_strength(dressed, "glasses", 2.0).edits.find("glasses").on
    for strength in (2.01, -9.0, float("nan")):
        with pytest.raises(Problem, match=r"from -2 to 2.*0 to 0\.8 is suggested"):
            set_strength(dressed, "glasses", strength)


@pytest.mark.parametrize(
    "act",
    [
        lambda avatar, name: set_strength(avatar, name, 0.1),
        lambda avatar, name: switch_edit(avatar, name, on=True),
        lambda avatar, name: order_edits(avatar, ["beard", name]),
        lambda avatar, name: rename_edit(avatar, name, "New"),
        remove_edit,
        find_name,
    ],
)
def test_an_edit_that_is_not_there_is_told_with_the_nearest(dressed: Avatar, act):
    with pytest.raises(Problem, match="no edit “glases”; did you mean “glasses”"):
        act(dressed, "glases")
    assert load_edits(dressed.folder) == EditStack(STACK)
    for name in _names(dressed):
        remove_edit(dressed, name)
    if act is not find_name:
        with pytest.raises(Problem, match=r"has no edits yet|no edit"):
            act(dressed, "glases")


def test_an_order_names_each_once(dressed: Avatar):
    with pytest.raises(Problem, match="“beard” twice"):
        order_edits(dressed, ["beard", "hair", "beard"])


@pytest.mark.parametrize("title", ["", "  \n", "a\0b"])
def test_a_title_can_be_read(dressed: Avatar, title: str):
    with pytest.raises(Problem, match="title"):
        rename_edit(dressed, "beard", title)


def test_an_edit_is_meant_by_name_control_or_title(dressed: Avatar):
    for words in ("glasses", "edit_glasses", "with round glasses", "With  Round GLASSES"):
        assert find_name(dressed, words) == "glasses"
    put_edit(dressed, _edit("second", "With round glasses"))
    with pytest.raises(Problem, match="by its name: glasses, second"):
        find_name(dressed, "with round glasses")


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("With round eyeglasses", "with_round_eyeglasses"),
        ("mit Brille 眼鏡", "mit_brille"),
        ("眼鏡", "edit"),
        ("Größer & älter!", "grosser_alter"),
        ("  __x__ ", "x"),
        ("a" * 500, "a" * 32),
    ],
)
def test_names_are_made_from_titles(title: str, name: str):
    assert free_name(title, ()) == name
    assert free_name(title, (name, f"{name}_2")) == f"{name}_3"
    Edit(name, title, "m", GLASSES.effect)  # such a name is accepted


def test_what_a_newer_program_made_is_removed_or_told(dressed: Avatar):
    file = dressed.folder / "edits" / "edits.json"
    content = json.loads(file.read_text())
    content["edits"].append({"name": "hologram", "title": "As a hologram", "effect": {"kind": "hologram"}})
    file.write_text(json.dumps(content))
    assert find_name(dressed, "as a hologram") == "hologram"
    with pytest.raises(Problem, match="newer version"):
        switch_edit(dressed, "hologram", on=False)
    assert remove_edit(dressed, "hologram").edits == EditStack(STACK)
    assert unknown_edits(dressed.folder) == ()


def test_shapes_and_colours_go_to_another_engine_and_latents_do_not(subject: SubjectFolder, dressed: Avatar):
    other = _avatar(subject, "pvp")
    put_edit(dressed, _edit("old", "older", effect=LatentShift(np.ones((1, 4), np.float32))))
    put_edit(other, _edit("beard", "Moustache"))
    put_edit(other, replace(GLASSES, name="spectacles", strength=0.1))
    done = copy_edits(dressed, other)
    assert done.avatar.edits == load_edits(other.folder)
    assert [(e.name, e.title, e.strength) for e in done.avatar.edits.edits] == [
        ("beard", "Moustache", 1.0),
        ("spectacles", "with round glasses", 0.5),
        ("beard_2", "Beard", 1.0),
        ("hair", "Hair", 1.0),
    ]
    assert "“older” cannot be copied, because latents of one generator" in done.refused
    assert done.titles == ("with round glasses", "Beard", "Hair")
    assert copy_edits(dressed, other).avatar.edits == done.avatar.edits, "once more is the same"


def test_what_cannot_be_copied_at_all(subject: SubjectFolder, avatar: Avatar):
    other = _avatar(subject, "pvp")
    with pytest.raises(Problem, match="no edits to copy"):
        copy_edits(avatar, other)
    with pytest.raises(Problem, match="same avatar"):
        copy_edits(avatar, avatar)
    put_edit(other, _edit("old", "older", effect=LatentShift(np.ones((1, 4), np.float32))))
    with pytest.raises(Problem, match="“older” cannot be copied"):
        copy_edits(other, avatar)
    assert not (avatar.folder / "edits").exists()


def test_what_stands_on_an_avatar_does_not_take_its_edits(dressed: Avatar, tmp_path: Path):
    (dressed.folder / "pivots").mkdir()
    (dressed.folder / "pivots" / "0.png").write_bytes(b"picture")
    (tmp_path / "base").mkdir()
    link_parts(dressed.folder, tmp_path / "base")
    assert {p.relative_to(tmp_path / "base").as_posix() for p in (tmp_path / "base").rglob("*")} == {
        "pivots",
        "pivots/0.png",
    }


def test_edits_of_an_avatar_that_is_gone(avatar: Avatar):
    import shutil

    shutil.rmtree(avatar.folder)
    with pytest.raises(Problem, match="is gone"):
        put_edit(avatar, GLASSES)


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    for one in (
        spec("plain"),
        spec("latent", generator=True),
        spec("absent", missing="It is not here: get it."),
    ):
        monkeypatch.setitem(METHODS, one.id, one)


def test_finding_gives_a_name_the_method_and_the_wish(
    fakes, subject: SubjectFolder, avatar: Avatar, home: Path
):
    wish = FakeWish("mit Brille 眼鏡")
    edit = find_edit(subject, avatar, "plain", wish, home)
    assert (edit.name, edit.title, edit.method) == ("mit_brille", "mit Brille 眼鏡", "plain")
    assert edit.found["wish"]["prompt"] == "mit Brille 眼鏡"
    assert load_edits(avatar.folder) == EditStack(), "found, not stored"
    put_edit(avatar, edit)
    assert find_edit(subject, avatar, "plain", wish, home).name == "mit_brille", (
        "the same again takes its place"
    )
    assert find_edit(subject, avatar, "plain", wish, home, title="Spectacles").name == "spectacles"
    assert find_edit(subject, avatar, "plain", FakeWish("mit Brille"), home).name == "mit_brille_2"


def test_what_cannot_be_found_is_a_sentence(fakes, subject: SubjectFolder, avatar: Avatar, home: Path):
    for method, words in (
        ("absent", "It is not here"),
        ("latent", r"generator \(pvp\), and this one is instant.*build 'Ann Lee 🎬' --engine pvp"),
        ("magic", "no way to edit named 'magic'"),
    ):
        with pytest.raises(Problem, match=words):
            find_edit(subject, avatar, method, FakeWish(), home)
        with pytest.raises(Problem, match=words):
            edit_job(subject, avatar, method, FakeWish())
    assert not (avatar.folder / "edits").exists()
    assert not (subject.path / "jobs").exists()


def test_a_job_finds_an_edit_and_gives_it_to_the_avatar(fakes, subject: SubjectFolder, avatar: Avatar):
    put_edit(avatar, GLASSES)
    job = edit_job(subject, avatar, "plain", FakeWish("smile", ticks=3), strength=-0.75)
    assert run_job(job) == FINISHED
    assert _names(avatar) == ["glasses", "smile"]
    assert read_found(job) == load_edits(avatar.folder).find("smile")
    assert read_found(job).strength == -0.75


def test_the_same_wish_again_begins_anew_and_takes_its_own_place(fakes, subject, avatar: Avatar):
    job = edit_job(subject, avatar, "plain", FakeWish("smile"))
    run_job(job)
    put_edit(avatar, GLASSES)
    remove_edit(avatar, "smile")
    assert edit_job(subject, avatar, "plain", FakeWish("smile")) == job
    assert read_status(job).state == "queued"
    assert run_job(job) == FINISHED
    assert _names(avatar) == ["glasses", "smile"]
    other = edit_job(subject, avatar, "plain", FakeWish("smile"), title="Grin", strength=0.25)
    assert other != job
    run_job(other)
    assert load_edits(avatar.folder).find("grin").strength == 0.25


def test_a_job_that_was_stopped_goes_on_from_what_its_method_kept(fakes, subject, avatar: Avatar):
    wish = FakeWish("smile", ticks=40, seconds=0.05)
    job = edit_job(subject, avatar, "plain", wish)
    import threading

    worker = threading.Thread(target=run_job, args=(job,))
    worker.start()
    while not (avatar.folder / "edits" / "cache" / "counted").exists():
        worker.join(0.02)
        assert worker.is_alive()
    request(job, "stop")
    worker.join()
    assert read_status(job).state == "stopped"
    assert load_edits(avatar.folder) == EditStack()
    assert edit_job(subject, avatar, "plain", wish) == job
    assert run_job(job) == FINISHED
    assert 0 < read_found(job).found["begun"] < 40


@pytest.mark.parametrize(
    ("trouble", "code", "words"),
    [
        ("problem", PROBLEM, "wish for something else"),
        ("memory", PROBLEM, "the avatar is as it was; close other programs"),
        ("defect", DEFECT, "a defect of ours"),
    ],
)
def test_what_goes_wrong_leaves_the_avatar_as_it_was(fakes, subject, avatar: Avatar, trouble, code, words):
    put_edit(avatar, GLASSES)
    job = edit_job(subject, avatar, "plain", FakeWish("smile", ticks=2, trouble=trouble))
    assert run_job(job) == code
    assert words in read_status(job).message
    assert load_edits(avatar.folder) == EditStack((GLASSES,))
    assert not (job / "found").exists()
    with pytest.raises(Problem, match="has found no edit"):
        read_found(job)


def test_a_strength_beyond_what_was_found_is_told(fakes, subject, avatar: Avatar):
    job = edit_job(subject, avatar, "plain", FakeWish("smile"), strength=5.0)
    assert run_job(job) == PROBLEM
    assert "from -2 to 2, not 5" in read_status(job).message
    assert load_edits(avatar.folder) == EditStack()


def test_a_cancelled_job_leaves_nothing(fakes, subject, avatar: Avatar):
    job = edit_job(subject, avatar, "plain", FakeWish("smile", ticks=3))
    request(job, "cancel")
    assert run_job(job) == INTERRUPTED
    assert read_status(job).state == "cancelled"
    assert load_edits(avatar.folder) == EditStack()
    runner.discard(job)
