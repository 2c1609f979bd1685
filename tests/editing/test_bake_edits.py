"""A baked copy draws what the edited avatar draws, for nothing; the original stays."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipelines import bake_edits
from pipelines.bake_edits import bake
from pipelines.bake_job import baked_into
from pipelines.bake_latents import FitSettings, edited_latents, latents_baked, style_shift
from pipelines.build_job import BAKED
from pipelines.edit_person import PvpPerson, latent_person
from studio.domain.avatar import Avatar
from studio.domain.edits import (
    Edit,
    EditStack,
    LatentMap,
    LatentShift,
    Recolour,
    Relight,
    ShapeShift,
    StyleShift,
)
from studio.domain.problem import Problem
from studio.domain.progress import Interrupted
from studio.domain.rendering import RenderRequest
from studio.engines.instant.spec import SPEC as INSTANT
from studio.engines.pvp.artefact import PvpParts, load_pvp, save_pvp
from studio.engines.pvp.engine import PvpEngine
from studio.engines.pvp.latent_edits import LatentEdits
from studio.engines.pvp.live_network import LiveNetwork
from studio.engines.pvp.mappers import mapper_inputs
from studio.engines.pvp.spec import SPEC
from studio.head import builtin_head
from studio.project.avatar_files import load_avatar, save_avatar
from studio.project.store import SubjectFolder
from studio.warping.warp_files import link_parts, load_parts
from tests.editing.test_person import CPU, clip
from tests.engines.pvp.small_avatar import (
    SIDE,
    moment,
    parts_of,
    random_painter,
    random_pretrained,
    write_base,
)
from tests.engines.pvp.test_latent_edits import effect_of
from tests.training.filmed_person import LEARNT, write_tracking
from tests.warping.average_person import STAGE, ask

GUIDE = np.random.default_rng(2).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
QUICK = FitSettings(steps=40, batch=16)


@pytest.fixture(autouse=True)
def _quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda number: None)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_base(tmp_path_factory.mktemp("instant") / "base")


@pytest.fixture(params=["painter", "pretrained shown smaller"])
def parts(request: pytest.FixtureRequest, base: Path) -> PvpParts:
    return small_parts(base, request.param)


def small_parts(base: Path, kind: str) -> PvpParts:
    """An avatar whose mappers know the clip that they were made from."""
    made = parts_of(base, random_painter() if kind == "painter" else random_pretrained(64, 32))
    made.mappers.expression.standardise_by(mapper_inputs(clip(), eyes=True)[1])
    return made


def edit(parts: PvpParts, name: str, kind: str, strength: float, seed: int = 0) -> Edit:
    return Edit(name, name.title(), "test", effect_of(parts, kind, seed), strength)


def shifts(parts: PvpParts) -> EditStack:
    """One of each kind that bakes exactly, and one that is switched off."""
    return EditStack((
        edit(parts, "everywhere", "w", 0.6, 1),
        edit(parts, "rows", "w+", -0.7, 2),
        edit(parts, "style", "style", 0.5, 3),
        replace(edit(parts, "hidden", "w", 1.0, 4), on=False),
    ))  # fmt: skip


def with_map(parts: PvpParts) -> EditStack:
    return EditStack((edit(parts, "rows", "w+", 0.4, 1), edit(parts, "map", "map", 0.7, 2)))


def network_pictures(parts: PvpParts, stack: EditStack | None = None) -> np.ndarray:
    """What the network says of frames at the strengths at which edits rest, within the range of pictures."""
    network = LiveNetwork(parts, CPU, stack)
    strengths = None if stack is None else np.array([e.control.default for e in stack.edits], np.float32)
    guide = GUIDE if network.needs_guide else None
    others = clip(200)
    frames = [others.take(slice(t, t + 1)) for t in (101, 113, 137, 150, 168, 190)]
    return np.stack([network.begin(one, guide, strengths)() for one in frames]).clip(-1, 1)


def test_directions_bake_exactly(parts: PvpParts):
    stack = shifts(parts)
    shown = [(e.effect, e.strength) for e in stack.edits if e.on]
    baked, figures = latents_baked(parts, shown, clip())
    assert figures == {}
    edited, plain = network_pictures(parts, stack), network_pictures(parts)
    copied = network_pictures(baked)
    assert np.abs(edited - plain).mean() > 0.02
    assert np.abs(copied - edited).max() < 1e-4 * max(1.0, np.abs(edited).max())
    assert np.array_equal(network_pictures(parts), plain)


def test_the_pivots_move_by_the_direction_and_the_biases_by_the_style(parts: PvpParts):
    rows, style = effect_of(parts, "w+", 2), effect_of(parts, "style", 3)
    assert isinstance(rows, LatentShift)
    assert isinstance(style, StyleShift)
    baked, _ = latents_baked(parts, [(rows, 0.5), (style, -2.0)], clip())
    assert torch.allclose(baked.mappers.pivots, parts.mappers.pivots + 0.5 * torch.from_numpy(rows.rows))
    plain, copied = (dict(p.generator.named_parameters()) for p in (parts, baked))
    changed = torch.cat([copied[n] - plain[n] for n in plain if n.endswith("affine.bias")])
    assert torch.allclose(changed, torch.from_numpy(-2.0 * style.channels), atol=1e-5)
    others = [n for n in plain if not n.endswith("affine.bias")]
    assert all(torch.equal(copied[n], plain[n]) for n in others)


def test_a_mapper_is_trained_in_and_what_is_missing_is_measured(parts: PvpParts):
    changes = [(e.effect, e.strength) for e in with_map(parts).edits]
    motion = clip(60)
    settings = FitSettings(steps=300, batch=32)
    baked, figures = latents_baked(parts, changes, motion, settings)
    still = replace(settings, steps=1, mapper_rate=0.0, pivot_rate=0.0)
    barely, untrained = latents_baked(parts, changes, motion, still)
    assert figures["fit"] < 0.6 * untrained["fit"] < 0.6
    assert figures["levels"] < 0.25 * figures["changed"]
    assert figures["levels"] < untrained["levels"]
    # Measured once more, on other frames, by what the live network draws of the edit itself.
    stack = with_map(parts)
    edited, plain, copied = network_pictures(parts, stack), network_pictures(parts), network_pictures(baked)
    assert np.abs(copied - edited).mean() < 0.35 * np.abs(plain - edited).mean()
    assert np.abs(network_pictures(barely) - edited).mean() > np.abs(copied - edited).mean()
    again, same = latents_baked(parts, changes, motion, settings)
    assert same == figures
    assert torch.equal(again.mappers.pivots, baked.mappers.pivots)


def test_what_is_said_of_the_pictures_is_so(parts: PvpParts):
    changes = [(e.effect, e.strength) for e in with_map(parts).edits]
    changes.append((effect_of(parts, "style", 5), 0.5))
    motion = clip(60)
    baked, figures = latents_baked(parts, changes, motion, QUICK)
    # Frames left out of the fit: four runs that are a fifth of the clip.
    from pipelines.training_frames import validation_blocks

    left = motion.take(validation_blocks(60, 0.2, 4))
    person, copied = PvpPerson(parts, left, CPU), PvpPerson(baked, left, CPU)
    usual = person.usual(16)
    with torch.no_grad():
        styles = person.styles(edited_latents(changes, usual.ws)) + style_shift(changes, parts)
        wanted = person.draw_styles(styles, usual.moments).clamp(-1, 1)
        shown = copied.draw(copied.usual(16).ws, usual.moments).clamp(-1, 1)
        plain = person.draw(usual.ws, usual.moments).clamp(-1, 1)
    assert figures["levels"] == pytest.approx(127.5 * float((shown - wanted).abs().mean()), rel=1e-4)
    assert figures["changed"] == pytest.approx(127.5 * float((plain - wanted).abs().mean()), rel=1e-4)


@pytest.fixture
def subject(tmp_path: Path) -> SubjectFolder:
    folder = tmp_path / "subjects" / "ann"
    (folder / "clips" / "film" / "track").mkdir(parents=True)
    write_tracking(folder / "clips" / "film" / "track" / "tracked")
    return SubjectFolder(folder, "Ann Lee")


def make_avatar(subject: SubjectFolder, base: Path, parts: PvpParts, stack: EditStack) -> Avatar:
    folder = subject.avatar("pvp", "abc")
    folder.mkdir(parents=True)
    save_pvp(folder, parts, base)
    lineage = {
        "inputs": {"clip": "film", "track": "tracked", "instant": "i"},
        "settings": {"a": 1},
        "held_out": 0.0,
        "learnt_from": [0, LEARNT],
        "rest_camera": [750.0, 96.0, 100.0],
    }
    save_avatar(folder, Avatar("Ann Lee", "pvp", "abc", folder, STAGE, lineage))
    return replace(load_avatar(folder), edits=stack)


def files_of(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_copy_shows_what_the_edited_avatar_shows_and_the_original_stays(subject, base, parts):
    avatar = make_avatar(subject, base, parts, shifts(parts))
    before = files_of(avatar.folder)
    copied = bake(subject, avatar, device="cpu")
    assert copied.folder == subject.avatar("pvp", copied.key)
    assert copied.key != avatar.key
    assert copied.edits == EditStack()
    assert (copied.subject, copied.engine, copied.stage) == ("Ann Lee", "pvp", avatar.stage)
    assert copied.lineage["inputs"] == {"clip": "film", "track": "tracked", "instant": "i", "avatar": "abc"}
    assert copied.lineage["learnt_from"] == [0, LEARNT]
    assert copied.lineage[BAKED]["from"] == "pvp-abc"
    assert [one["name"] for one in copied.lineage[BAKED]["edits"]] == ["everywhere", "rows", "style"]
    edited, shown, plain = (
        PvpEngine(load_pvp(one.folder), "cpu", stack)
        for one, stack in ((avatar, avatar.edits), (copied, EditStack()), (avatar, EditStack()))
    )
    assert shown.sheet == plain.sheet
    for yaw in (-9.0, 6.0):
        wanted = edited.render(replace(ask(moment(yaw)), state=resting(edited, yaw))).image.astype(int)
        got = shown.render(ask(moment(yaw))).image
        assert np.abs(got - wanted).max() <= 1
        assert (got != wanted).mean() < 0.002
        assert np.abs(wanted - plain.render(ask(moment(yaw))).image).mean() > 1.0
    assert "Baked into this copy: “Everywhere” at 0.6" in " ".join(load_pvp(copied.folder).notes)
    assert files_of(avatar.folder) == before
    # It is an avatar like any other: others can be found for it, and removing it leaves the original.
    assert latent_person(copied, "cpu").num_ws == parts.mappers.pivots.shape[1]
    assert SPEC.load(copied).sheet == plain.sheet


def resting(engine: PvpEngine, yaw: float) -> Any:
    """The state of a moment with edits at rest."""
    own = ask(moment(yaw)).state
    return engine.sheet.state(dict(zip(own.names, own.values.tolist(), strict=True)))


def test_a_copy_costs_no_more_than_an_avatar_without_edits(subject, base, parts, monkeypatch):
    avatar = make_avatar(subject, base, parts, with_map(parts))
    copied = bake(subject, avatar, settings=QUICK, device="cpu")
    for one, other in zip(
        load_pvp(copied.folder).generator.state_dict().values(),
        parts.generator.state_dict().values(),
        strict=True,
    ):
        assert one.shape == other.shape
    monkeypatch.setattr(LatentEdits, "_moved", None)
    network = LiveNetwork(load_pvp(copied.folder), CPU, copied.edits)
    shifted = network._edits.shift(np.zeros(0, np.float32))
    assert shifted is None
    network.begin(moment(), GUIDE if network.needs_guide else None, np.zeros(0, np.float32))()


def test_baking_again_finds_the_copy_and_names_do_not_matter(subject, base, parts, monkeypatch):
    stack = with_map(parts)
    avatar = make_avatar(subject, base, parts, stack)
    first = bake(subject, avatar, settings=QUICK, device="cpu")
    before = files_of(first.folder)
    monkeypatch.setattr(bake_edits, "BAKERS", {})
    assert bake(subject, avatar, settings=QUICK, device="cpu") == first
    renamed = EditStack(tuple(replace(e, name=f"other_{e.name}", title="?") for e in stack.edits))
    assert bake(subject, replace(avatar, edits=renamed), settings=QUICK, device="cpu") == first
    assert files_of(first.folder) == before
    keys = {first.key}
    monkeypatch.undo()
    keys.add(bake(subject, avatar, {"rows": 0.5}, settings=QUICK, device="cpu").key)
    keys.add(bake(subject, avatar, {"map": 0.0}, settings=QUICK, device="cpu").key)
    keys.add(bake(subject, avatar, settings=replace(QUICK, steps=41), device="cpu").key)
    back = EditStack(stack.edits[::-1])
    keys.add(bake(subject, replace(avatar, edits=back), settings=QUICK, device="cpu").key)
    assert len(keys) == 5
    # How mappers are trained in says nothing where there is none.
    one = bake(subject, avatar, {"map": 0.0}, settings=QUICK, device="cpu")
    assert bake(subject, avatar, {"map": 0.0}, device="cpu") == one


def shape(name: str, seed: int, strength: float) -> Edit:
    chance = np.random.default_rng(seed)
    effect = ShapeShift(chance.normal(0.0, 1.5, 8).astype(np.float32), builtin_head().id)
    return Edit(name, name.title(), "test", effect, strength)


def rendered(avatar: Avatar) -> np.ndarray:
    """A lively frame with edits at rest, as whoever shows an avatar gets it."""
    engine = SPECS[avatar.engine].load(avatar)
    own = ask(moment()).state
    state = engine.sheet.state(dict(zip(own.names, own.values.tolist(), strict=True)))
    image = engine.render(RenderRequest(state, STAGE)).image
    engine.close()
    return image.astype(int)


SPECS = {"pvp": SPEC, "instant": INSTANT}


@pytest.mark.parametrize("engine", ["instant", "pvp"])
def test_shapes_are_baked_into_what_is_drawn_on(subject, base, engine):
    parts = small_parts(base, "painter")
    stack = EditStack((shape("wide", 1, 0.8), shape("chin", 2, -0.5)))
    if engine == "pvp":
        stack = stack.put(edit(parts, "style", "style", 0.5, 3))
    avatar = make_avatar(subject, base, parts, stack)
    if engine == "instant":
        avatar = instant_avatar(subject, base, avatar)
    before = files_of(avatar.folder)
    copied = bake(subject, avatar, device="cpu")
    plain, edited = rendered(replace(avatar, edits=EditStack())), rendered(avatar)
    assert np.abs(edited - plain).mean() > 1.0
    got = rendered(copied)
    assert np.abs(got - edited).max() <= 1
    assert (got != edited).mean() < 0.002
    assert files_of(avatar.folder) == before
    assert sorted(p.name for p in copied.folder.iterdir()) == sorted(p.name for p in avatar.folder.iterdir())
    # A copy can be edited and baked on.
    more = EditStack((shape("more", 5, 1.0),))
    again = bake(subject, replace(copied, edits=more), device="cpu")
    wanted = rendered(replace(copied, edits=more))
    assert np.abs(rendered(again) - wanted).max() <= 1
    assert np.abs(wanted - got).mean() > 0.5


@pytest.mark.parametrize("engine", ["instant", "pvp"])
def test_colours_and_lights_are_baked_into_the_pictures_that_warping_reads(subject, base, engine):
    parts = small_parts(base, "painter")
    dark = Edit("dark", "Dark", "t", Recolour("person", (-14.0, 6.0, -9.0)), 0.8)
    lamp = Edit("lamp", "Lamp", "t", Relight((0.5, 0.1, 0.2), 0.1, (1.0, 0.9, 0.6)), 0.9)
    stack = EditStack((dark, lamp, shape("wide", 1, 0.8)))
    avatar = make_avatar(subject, base, parts, stack)
    if engine == "instant":
        avatar = instant_avatar(subject, base, avatar)
    before = files_of(avatar.folder)
    told: list[str] = []
    copied = bake(subject, avatar, progress=lambda done, total, what: told.append(what), device="cpu")
    assert {"Recolouring pictures", "Looking at the copy"} <= set(told)
    assert files_of(avatar.folder) == before
    figures = copied.lineage[BAKED]["figures"]["colours"]
    assert figures["changed"] > 4.0
    assert figures["levels"] < 0.25 * figures["changed"]
    # What is said of the clip's moments holds for another one, with the shape in it.
    plain = rendered(replace(avatar, edits=EditStack((stack.edits[2],))))
    edited, got = rendered(avatar), rendered(copied)
    changed = np.abs(edited - plain).mean()
    assert changed > 0.5 * figures["changed"]
    assert np.abs(got - edited).mean() < 0.3 * changed
    # Where nobody is, nothing has another colour.
    folder = copied.folder if engine == "instant" else copied.folder / "base"
    original = avatar.folder if engine == "instant" else avatar.folder / "base"
    assert (folder / "plate.png").read_bytes() == (original / "plate.png").read_bytes()
    if engine == "pvp":
        notes = " ".join(load_pvp(copied.folder).notes)
        assert f"differ from the edited ones by {figures['levels']:.2f} levels" in notes


def test_a_generator_that_draws_by_itself_is_not_recoloured(subject, base):
    parts = small_parts(base, "pretrained")
    stack = EditStack((Edit("red", "Red", "t", Recolour("skin", (0.0, 9.0, 0.0))),))
    avatar = make_avatar(subject, base, parts, stack)
    with pytest.raises(Problem, match=r"“Red” cannot be baked.*draws the face by itself"):
        bake(subject, avatar, device="cpu")
    assert subject.avatars() == (avatar.folder,)
    assert Recolour not in baked_into(avatar)
    assert {LatentShift, StyleShift, LatentMap, ShapeShift} <= set(baked_into(avatar))
    (avatar.folder / "pvp.json").write_text("{}")
    with pytest.raises(Problem, match=r"damaged.*build it again"):
        baked_into(avatar)


def instant_avatar(subject: SubjectFolder, base: Path, avatar: Avatar) -> Avatar:
    """The instant avatar that another one stands on, with its edits."""
    folder = subject.avatar("instant", "def")
    folder.mkdir()
    link_parts(base, folder)
    made = replace(avatar, engine="instant", key="def", folder=folder)
    save_avatar(folder, made)
    return made


def test_a_baked_shape_of_another_mesh_is_damage(tmp_path, base):
    (tmp_path / "copy").mkdir()
    link_parts(base, tmp_path / "copy", np.zeros((5, 3), np.float32))
    with pytest.raises(Problem, match=r"damaged.*another mesh"):
        load_parts(tmp_path / "copy")
    assert load_parts(base).change is None


def test_what_cannot_be_baked_is_said_before_anything_is_done(subject, base, parts):
    stack = EditStack((edit(parts, "rows", "w+", 0.4), edit(parts, "style", "style", 0.5)))
    avatar = make_avatar(subject, base, parts, stack)

    def refused(words: str, *given: Any, **rest: Any) -> None:
        with pytest.raises(Problem, match=words):
            bake(subject, *given, **{"device": "cpu", **rest})

    off = EditStack(tuple(replace(e, on=False) for e in stack.edits))
    refused("nothing to bake", replace(avatar, edits=EditStack()))
    refused("nothing to bake", replace(avatar, edits=off))
    refused(r"no edit named 'glasses'.*rows, style", avatar, {"glasses": 1.0})
    refused("from -2 to 2, not 9", avatar, {"rows": 9.0})
    for engine in ("instant", "tri2plane", "other"):
        words = f"“Rows” cannot be baked into an avatar of the engine {engine} yet"
        refused(words, replace(avatar, engine=engine))
    misfit = replace(stack.edits[0], effect=LatentShift(np.zeros((1, 512), np.float32)))
    refused("1 × 512 numbers", replace(avatar, edits=EditStack((misfit,))))
    assert subject.avatars() == (avatar.folder,)


def test_who_stops_it_finds_nothing_half_done(subject, base, parts):
    avatar = make_avatar(subject, base, parts, with_map(parts))

    def stop(done: int, total: int | None, what: str) -> None:
        if done == 20:
            raise Interrupted

    with pytest.raises(Interrupted):
        bake(subject, avatar, progress=stop, settings=QUICK, device="cpu")
    assert subject.avatars() == (avatar.folder,)
    assert [p.name for p in (subject.path / "avatars").iterdir()] == ["pvp-abc"]


def _bake_until_killed(subject: SubjectFolder, avatar: Avatar, reached: str) -> None:
    """In a process of its own: stands still where files are half written."""

    def halt(folder: Path, *_: Any) -> None:
        (folder / "half").write_text("written")
        Path(reached).touch()
        time.sleep(600)

    setattr(bake_edits, "save_avatar", halt)  # noqa: B010
    bake(subject, avatar, settings=QUICK, device="cpu")


def test_a_kill_leaves_nothing_that_is_taken_for_a_copy(subject, base, tmp_path):
    parts = parts_of(base, random_painter())
    avatar = make_avatar(subject, base, parts, shifts(parts))
    reached = tmp_path / "reached"
    process = multiprocessing.get_context("spawn").Process(
        target=_bake_until_killed, args=(subject, avatar, str(reached))
    )
    process.start()
    while not reached.exists():
        assert process.is_alive()
        time.sleep(0.05)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    process.join()
    left = [p.name for p in (subject.path / "avatars").iterdir()]
    assert len(left) == 2
    assert subject.avatars() == (avatar.folder,)  # which also tidies up
    copied = bake(subject, avatar, device="cpu")
    assert not (copied.folder / "half").exists()
    assert sorted(p.name for p in (subject.path / "avatars").iterdir()) == sorted(
        [copied.folder.name, "pvp-abc"]
    )


def test_a_map_is_needed_for_a_fit(parts: PvpParts):
    """A mapper at no strength changes nothing and is not fitted."""
    mapper = effect_of(parts, "map")
    assert isinstance(mapper, LatentMap)
    baked, figures = latents_baked(parts, [(mapper, 0.0)], clip())
    assert figures == {}
    assert torch.equal(baked.mappers.pivots, parts.mappers.pivots)
