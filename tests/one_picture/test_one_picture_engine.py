"""An avatar of one picture in its frame: the square laid in, followed, edited, kept on disk and found
again."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from studio.domain.camera import Similarity, View
from studio.domain.edits import Edit, EditStack, Relight, ShapeShift
from studio.domain.problem import Problem
from studio.domain.rendering import RenderRequest
from studio.engines.semantic.base_model import SemanticParts, load_semantic
from studio.engines.semantic.live_picture import LivePicture
from studio.head.builtin import builtin_head
from studio.one_picture.base_models import BaseReference
from studio.one_picture.engine import OnePictureEngine
from studio.one_picture.person_files import save_person
from studio.warping.lay_over import FADE
from studio.warping.warper import Warper
from tests.engines.semantic.one_person import PAPER, WINDOW, a_person, opened, shelve, still
from tests.warping.average_person import SIZE, STAGE, motion_of


def engine_of(parts: SemanticParts, *edits: Edit) -> OnePictureEngine:
    return OnePictureEngine(parts.person, LivePicture(parts, torch.device("cpu")), EditStack(edits))


def ask(engine, quality="full", view=STAGE, **controls):
    return engine.render(RenderRequest(engine.sheet.state(controls), view, quality))


def square(at: Similarity = WINDOW) -> np.ndarray:
    """``[SIZE, SIZE]`` pixels of the stage that are inside the square."""
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    places = at.apply(np.stack([x, y], -1))
    return ((places > 0) & (places < 1)).all(-1)


def test_the_square_is_the_networks_and_the_rest_is_warped() -> None:
    parts = opened(detail=144)
    engine, warped = engine_of(parts), Warper(parts.person.base)
    frame = ask(engine, yaw=10.0, jaw_open=8.0)
    around = ask(warped, yaw=10.0, jaw_open=8.0)
    assert frame.image.shape == (SIZE, SIZE, 3)
    outside = ~square()
    assert np.array_equal(frame.image[outside], around.image[outside])
    assert np.abs(frame.image.astype(int) - around.image)[square()].mean() > 0.8
    assert np.array_equal(frame.alpha, around.alpha)


def test_the_picture_itself_comes_back_whole_and_shows_no_edge() -> None:
    person = a_person(detail=144)
    engine = engine_of(SemanticParts(person, still()))
    picture = person.base.textures[0, ..., :3].astype(int)
    shown = ask(engine).image.astype(int)
    assert np.abs(shown - picture).mean() < 1.5
    # Across the square's border there is no step that the picture does not have.
    left = round(-WINDOW.x / WINDOW.scale)
    ours, theirs = (np.abs(p[:, left] - p[:, left - 1]).mean() for p in (shown, picture))
    assert ours < theirs + 1.0


def test_equal_requests_give_equal_frames_and_both_networks_forms_draw() -> None:
    for shape in (None, PAPER):
        parts = opened() if shape is None else opened(shape=shape)
        one, other = engine_of(parts), engine_of(parts)
        first = ask(one, yaw=15.0, expression_03=2.0)
        ask(one, yaw=-20.0)
        assert np.array_equal(first.image, ask(one, yaw=15.0, expression_03=2.0).image)
        assert np.array_equal(first.image, ask(other, yaw=15.0, expression_03=2.0).image)


def test_a_slow_network_is_left_out_of_drafts() -> None:
    parts = opened(shape=PAPER)
    engine, warped = engine_of(parts), Warper(parts.person.base)
    assert np.array_equal(ask(engine, "draft", yaw=9.0).image, ask(warped, "draft", yaw=9.0).image)
    quick = opened()
    assert not np.array_equal(
        ask(engine_of(quick), "draft", yaw=9.0).image, ask(Warper(quick.person.base), "draft", yaw=9.0).image
    )


def test_any_view_shows_the_same_scene() -> None:
    parts = SemanticParts(a_person(detail=144), still())
    engine = engine_of(parts)
    view = View(Similarity(2.0, 0.0, -100.0, -100.0), SIZE, SIZE)
    large = ask(engine, view=view, yaw=6.0).image.astype(float)
    whole = ask(engine, yaw=6.0).image.astype(float)
    part = whole[50 : 50 + SIZE // 2, 50 : 50 + SIZE // 2]
    small = large.reshape(SIZE // 2, 2, SIZE // 2, 2, 3).mean((1, 3))
    assert np.abs(small - part).mean() < 3.0


def test_the_square_follows_a_head_that_goes_far_and_brings_no_background_along() -> None:
    # Where nothing of the person is, the square is red: that must not be seen elsewhere.
    person = a_person(detail=144)
    picture = person.picture.copy()
    picture[picture[..., 3] < 10, :3] = (255, 0, 0)
    red = SemanticParts(replace(person, picture=picture), still())
    engine = engine_of(red)
    metres = 60.0 / person.base.mesh.rest_camera[0]
    frame = ask(engine, move_x=metres)
    reds = (frame.image[..., 0] > 200) & (frame.image[..., 1] < 60)
    assert reds[square()].mean() < 0.02
    # The face has gone along with it.
    face = slice(60, 140)
    rest = ask(engine_of(SemanticParts(person, still()))).image[face, 66:126].astype(int)
    gone = ask(engine_of(SemanticParts(person, still())), move_x=metres).image[face, 126:186].astype(int)
    assert np.abs(gone - rest).mean() < 12.0


def test_edits_of_shape_and_light_show() -> None:
    model = builtin_head()
    identity = np.zeros(model.identities, np.float32)
    identity[0] = 4.0
    shape = Edit("wide", "Wide", "shape", ShapeShift(identity, model.id), limits=(-2.0, 2.0))
    light = Edit("lit", "Lit", "relight", Relight((0.0, 0.0, 0.6)))
    parts = SemanticParts(a_person(detail=144), still())
    plain = ask(engine_of(parts)).image.astype(int)
    for edit in (shape, light):
        engine = engine_of(parts, edit)
        assert engine.sheet.names[-1] == edit.control_name
        shown = ask(engine, **{edit.control_name: 1.0}).image.astype(int)
        assert np.abs(shown - plain)[square()].mean() > 1.0
        assert np.array_equal(ask(engine, **{edit.control_name: 0.0}).image, plain)


def test_it_is_kept_without_its_network_and_opened_with_it(tmp_path) -> None:
    model = shelve(tmp_path)
    person = a_person(144, BaseReference(model.name, model.digest))
    folder = tmp_path / "subjects" / "ann" / "avatars" / "semantic-1"
    folder.mkdir(parents=True)
    save_person(folder, "semantic", person)
    assert sum(file.stat().st_size for file in folder.rglob("*")) < 400_000
    back = load_semantic(folder)
    assert np.array_equal(back.person.picture, person.picture)
    assert back.person.reference == person.reference
    assert (back.person.notes, back.person.figures) == (person.notes, person.figures)
    assert np.allclose(back.person.window.to_array(), WINDOW.to_array())
    for (name, one), other in zip(back.network.state_dict().items(), opened().network.state_dict().values()):
        assert bool((one == other).all()), name
    assert engine_of(back).notes == ("a note",)


def _saved(tmp_path):
    model = shelve(tmp_path)
    folder = tmp_path / "subjects" / "ann" / "avatars" / "semantic-1"
    folder.mkdir(parents=True)
    save_person(folder, "semantic", a_person(64, BaseReference(model.name, model.digest)))
    return folder, model


def test_a_base_model_that_is_gone_is_told(tmp_path) -> None:
    folder, model = _saved(tmp_path)
    shutil.rmtree(model.folder)
    with pytest.raises(Problem, match="“tiny” that draws this avatar is gone"):
        load_semantic(folder)
    other = tmp_path / "other"
    shelve(other)
    assert load_semantic(folder, other).person.reference.name == "tiny"


@pytest.mark.parametrize("file", ["semantic.json", "picture.png", "base/warp.json"])
@pytest.mark.parametrize("how", ["missing", "cut"])
def test_damage_is_told(tmp_path, file, how) -> None:
    folder, _ = _saved(tmp_path)
    if how == "missing":
        (folder / file).unlink()
    else:
        (folder / file).write_bytes((folder / file).read_bytes()[:40])
    with pytest.raises(Problem, match="damaged") as problem:
        load_semantic(folder)
    assert "build it again" in str(problem.value)


def test_another_version_and_a_picture_that_is_too_small_are_told(tmp_path) -> None:
    folder, _ = _saved(tmp_path)
    card = json.loads((folder / "semantic.json").read_text())
    (folder / "semantic.json").write_text(json.dumps({**card, "schema_version": 99}))
    with pytest.raises(Problem, match="another version"):
        load_semantic(folder)
    (folder / "semantic.json").write_text(json.dumps(card))
    person = a_person(64, BaseReference(name="tiny", digest=card["base_model"]["sha256"]))
    shutil.rmtree(folder)
    folder.mkdir()
    save_person(folder, "semantic", replace(person, picture=person.picture[:32, :32]))
    with pytest.raises(Problem, match="too small"):
        load_semantic(folder)


def test_what_is_closed_draws_no_more() -> None:
    engine = engine_of(opened())
    engine.close()
    with pytest.raises(RuntimeError, match="close"):
        ask(engine)


def test_the_fade_lies_inside_the_square() -> None:
    # What test_the_picture_itself… looks at: beyond it the square shows wholly.
    assert 0.0 < FADE < 0.2
    assert motion_of([0.0]).camera[0, 1] * WINDOW.scale + WINDOW.x == pytest.approx(0.5)


def test_drafts_are_as_coarse_as_the_network() -> None:
    parts = SemanticParts(a_person(detail=144), still())
    draft, full = (ask(engine_of(parts), quality).image.astype(float) for quality in ("draft", "full"))
    picture = parts.person.base.textures[0, ..., :3].astype(float)
    assert np.abs(full - picture).mean() < 0.6 * np.abs(draft - picture).mean()
