"""A volume that was tuned to edits shows them by itself; the original stays."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipelines.bake_edits import bake
from pipelines.bake_job import BAKED_INTO
from pipelines.bake_volume import judged_of, moments_of
from pipelines.bake_volume_settings import VolumeFitSettings
from pipelines.build_job import BAKED
from studio.domain.avatar import Avatar
from studio.domain.edits import Edit, EditStack, LatentShift, Recolour, Relight, ShapeShift
from studio.domain.problem import Problem
from studio.domain.progress import Interrupted
from studio.engines.tri2plane import engine as tri2plane
from studio.engines.tri2plane.artefact import load_tri2plane, save_tri2plane
from studio.engines.tri2plane.engine import Tri2PlaneEngine
from studio.engines.tri2plane.person import VolumePerson
from studio.head import builtin_head
from studio.project.avatar_files import load_avatar, save_avatar
from studio.project.store import SubjectFolder
from studio.warping.reshape import reread, shape_change
from tests.editing.test_bake_edits import files_of
from tests.editing.test_person import clip
from tests.engines.tri2plane.small_volume import (
    lively,
    random_network,
    random_parts,
    request_of,
    small_person,
    write_base,
)
from tests.training.filmed_person import LEARNT, write_tracking
from tests.warping.average_person import STAGE, average_person, motion_of

FEW = VolumeFitSettings(minutes=5.0, steps=1, pictures=24, batch=1, learning_rate=1e-9, standing_rate=1e-9)
"""So little that nothing is learnt."""
SOME = replace(FEW, steps=40, batch=2, learning_rate=4e-3, standing_rate=4e-2)
RED = Edit("red", "Red", "test", Recolour("person", (8.0, 40.0, 20.0)), 0.9)
IDENTITY = np.random.default_rng(3).normal(0.0, 2.0, 6).astype(np.float32)
WIDE = Edit("wide", "Wide", "test", ShapeShift(IDENTITY, builtin_head().id), 0.8)


@pytest.fixture(autouse=True)
def _quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda number: None)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_base(tmp_path_factory.mktemp("instant") / "base")


@pytest.fixture
def subject(tmp_path: Path) -> SubjectFolder:
    folder = tmp_path / "subjects" / "ann"
    (folder / "clips" / "film" / "track").mkdir(parents=True)
    write_tracking(folder / "clips" / "film" / "track" / "tracked")
    return SubjectFolder(folder, "Ann Lee")


@pytest.fixture
def avatar(subject: SubjectFolder, base: Path) -> Avatar:
    folder = subject.avatar("tri2plane", "abc")
    folder.mkdir(parents=True)
    save_tri2plane(folder, random_parts(base), base)
    lineage = {
        "inputs": {"clip": "film", "track": "tracked", "instant": "i"},
        "settings": {"a": 1},
        "held_out": 0.0,
        "learnt_from": [0, LEARNT],
        "rest_camera": [750.0, 96.0, 100.0],
    }
    save_avatar(folder, Avatar("Ann Lee", "tri2plane", "abc", folder, STAGE, lineage))
    return load_avatar(folder)


NONE = EditStack()


def frame(folder: Path, edits: EditStack = NONE, yaw: float = 6.0) -> np.ndarray:
    """A lively frame, with edits at rest."""
    drawing = Tri2PlaneEngine(load_tri2plane(folder), "cpu", edits)
    image = drawing.render(request_of(lively(yaw))).image
    drawing.close()
    return image.astype(int)


def test_colours_are_trained_in_and_what_is_left_is_measured(subject, avatar):
    before, told = files_of(avatar.folder), []
    edited = replace(avatar, edits=EditStack((RED,)))
    copied = bake(
        subject, edited, progress=lambda done, total, what: told.append(what), device="cpu", volume=SOME
    )
    said = [
        "Recolouring pictures",
        "Drawing pictures with the edits",
        "training the edits in",
        "Looking at the copy",
    ]
    assert [what for k, what in enumerate(told) if what in said and what not in told[:k]] == said
    assert files_of(avatar.folder) == before
    assert (copied.engine, copied.edits, copied.lineage[BAKED]["from"]) == (
        *("tri2plane", EditStack(), "tri2plane-abc"),
    )
    figures = copied.lineage[BAKED]["figures"]["volume"]
    assert figures["steps"] == SOME.steps
    assert figures["changed"] > 5.0
    assert figures["levels"] < 0.35 * figures["changed"]
    # What is said of the clip's moments holds for another one.
    plain, wanted, got = frame(avatar.folder), frame(avatar.folder, EditStack((RED,))), frame(copied.folder)
    changed = np.abs(wanted - plain).mean()
    assert changed > 0.5 * figures["changed"]
    assert np.abs(got - wanted).mean() < 0.45 * changed
    notes = " ".join(load_tri2plane(copied.folder).notes)
    assert "Baked into this copy: “Red” at 0.9." in notes
    assert f"differ from the edited ones by {figures['levels']:.2f} levels of 255" in notes
    # Warping, which shows around the volume, has it in its pictures.
    own, other = (load_tri2plane(one.folder).base.textures for one in (avatar, copied))
    assert np.abs(own[..., :3].astype(int) - other[..., :3]).mean() > 1.0


def test_figures_are_what_pictures_of_moments_that_were_left_out_differ_by(subject, avatar):
    edited = replace(avatar, edits=EditStack((RED,)))
    copied = bake(subject, edited, device="cpu", volume=FEW)
    figures = copied.lineage[BAKED]["figures"]["volume"]
    # Untaught, it shows no edit but in what is warped around it, so nearly all of the change is missing.
    assert 0.5 * figures["changed"] < figures["levels"] <= figures["changed"]
    few = moments_of(clip(60), load_tri2plane(avatar.folder), FEW)
    assert len(few) == FEW.pictures
    left = judged_of(len(few))
    assert 0.1 < len(left) / len(few) < 0.3


def displaced(person: VolumePerson) -> np.ndarray:
    """``[V, 2]`` where the maps lead the vertices of a lively face that are well inside of it."""
    face = person.neutral if person.change is None else person.neutral + person.change
    posed = person.model.deform(face, lively())[0]
    maps = person.zero_pose().maps(lively()).displacement[0]
    column, row = np.moveaxis(person.grid.to_pixels(posed)[:, :2] - 0.5, 1, 0)
    near = maps[:, row.round().astype(int), column.round().astype(int)].T
    return (posed + near)[:, :2]


def test_a_shape_is_one_more_way_back_to_the_same_canonical_face():
    person = small_person(192)
    mesh = average_person()
    change = shape_change(mesh, "Wide", WIDE.effect)[: len(person.neutral)]
    reshaped = replace(person, change=change)
    middle = np.abs(person.canonical[:, 0]) < 0.04  # cheeks turn away, and a map has one place for many there
    for one in (person, reshaped):
        away = np.linalg.norm(displaced(one) - person.canonical[:, :2], axis=1)[middle]
        assert np.median(away) < 1e-3
    own = person.zero_pose().maps(motion_of([0.0]))
    assert np.abs(own.displacement - reshaped.zero_pose().maps(motion_of([0.0])).displacement).max() > 2e-3


def test_a_shape_costs_nothing_and_further_edits_begin_at_it(subject, avatar, base, monkeypatch):
    standing = random_network()  # what its planes hold is everywhere the same in every moment
    with torch.no_grad():
        planes: Any = standing.generator.to_planes
        for to_plane in planes:
            last: Any = to_plane.further[-1] if len(to_plane.further) else to_plane.first
            last.weight.zero_()
    for file in ("tri2plane.json", "tri2plane.safetensors", "person.npz"):
        (avatar.folder / file).unlink()
    shutil.rmtree(avatar.folder / "base")
    save_tri2plane(avatar.folder, random_parts(base, standing), base)
    edited = replace(avatar, edits=EditStack((WIDE,)))
    copied = bake(subject, edited, device="cpu", volume=FEW)
    parts = load_tri2plane(copied.folder)
    change = 0.8 * shape_change(parts.base.mesh, "Wide", WIDE.effect)
    np.testing.assert_allclose(np.asarray(parts.base.change), change, atol=1e-7)
    np.testing.assert_allclose(
        np.asarray(parts.person.change), change[: len(parts.person.neutral)], atol=1e-7
    )
    calls: list[tuple[np.ndarray, np.ndarray]] = []

    def seen(image, cover, behind, triangles, own, other):
        calls.append((own, other))
        return reread(image, cover, behind, triangles, own, other)

    monkeypatch.setattr(tri2plane, "reread", seen)
    plain, got = frame(avatar.folder), frame(copied.folder)
    assert calls == []
    # Untaught, the head model alone leads what this fog holds of a face nearer to where the edit has it.
    wanted = frame(avatar.folder, EditStack((WIDE,)))
    calls.clear()
    left, changed = (np.abs(one - wanted)[70:130, 70:130].mean() for one in (got, plain))
    assert left < 0.88 * changed
    more = replace(WIDE, name="more", strength=0.5)
    frame(copied.folder, EditStack((more,)))
    frame(avatar.folder, EditStack((replace(WIDE, strength=0.8),)))
    frame(avatar.folder, EditStack((replace(WIDE, strength=1.3),)))
    (built, further), (own, as_baked), (_, both) = calls
    assert np.abs(built - own).max() > 1.0
    np.testing.assert_allclose(built, as_baked, atol=0.01)
    np.testing.assert_allclose(further, both, atol=0.01)
    # And it can be baked on.
    again = bake(subject, replace(copied, edits=EditStack((more,))), device="cpu", volume=FEW)
    np.testing.assert_allclose(
        np.asarray(load_tri2plane(again.folder).base.change), 1.3 / 0.8 * change, atol=1e-6
    )


def test_who_stops_it_finds_nothing_half_done_and_goes_on(subject, avatar, tmp_path):
    lamp = Edit("lamp", "Lamp", "test", Relight((0.5, 0.1, 0.2)), 0.9)
    edited = replace(avatar, edits=EditStack((lamp,)))
    settings = replace(SOME, steps=8)

    def stop(done: int, total: int | None, what: str) -> None:
        if what == "training the edits in" and done > 400:
            raise Interrupted

    with pytest.raises(Interrupted):
        bake(subject, edited, progress=stop, device="cpu", volume=settings, scratch=tmp_path / "kept")
    assert subject.avatars() == (avatar.folder,)
    resumed: list[int] = []

    def watch(done: int, total: int | None, what: str) -> None:
        if what == "training the edits in":
            resumed.append(done)

    copied = bake(subject, edited, progress=watch, device="cpu", volume=settings, scratch=tmp_path / "kept")
    assert min(done for done in resumed if done) > 400  # thousandths: it did not begin again
    whole = bake(subject, edited, device="cpu", volume=replace(settings, minutes=6.0))
    assert whole.key != copied.key
    one, other = (load_tri2plane(x.folder).network.state_dict() for x in (copied, whole))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert bake(subject, edited, device="cpu", volume=settings) == copied


def test_latents_are_refused(subject, avatar):
    rows = Edit("rows", "Rows", "test", LatentShift(np.zeros((1, 8), np.float32)))
    with pytest.raises(Problem, match=r"“Rows” cannot be baked into an avatar of the engine tri2plane"):
        bake(subject, replace(avatar, edits=EditStack((rows, RED))), device="cpu", volume=FEW)
    assert set(BAKED_INTO["tri2plane"]) == {ShapeShift, Recolour, Relight}


def test_an_avatar_of_which_nothing_was_baked_is_read_as_before(avatar):
    parts = load_tri2plane(avatar.folder)
    assert parts.person.change is None
    assert json.loads((avatar.folder / "tri2plane.json").read_text())["schema_version"] == 1
