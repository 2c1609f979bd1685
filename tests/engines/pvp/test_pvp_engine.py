"""The engine shows what the networks say, where the crop is, and nothing else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from studio.domain.avatar import Avatar
from studio.domain.camera import Similarity, View
from studio.domain.problem import Problem
from studio.domain.rendering import RenderRequest
from studio.engines.engine import Engine
from studio.engines.pvp.artefact import PvpParts, load_pvp, save_pvp
from studio.engines.pvp.engine import PvpEngine
from studio.engines.pvp.mappers import mapper_inputs
from studio.engines.pvp.painter import Painter
from studio.engines.pvp.spec import SPEC
from studio.head.neutral_crop import aligned_crop
from studio.warping.lay_over import FADE
from studio.warping.warper import Warper
from tests.engines.pvp.small_avatar import (
    RANGE,
    SIDE,
    constant_painter,
    crop_request,
    moment,
    parts_of,
    random_painter,
    random_pretrained,
    write_base,
)
from tests.warping.average_person import STAGE, ask, average_person

EDGE = int(np.ceil(FADE * SIDE)) + 1
INNER = (slice(EDGE, -EDGE), slice(EDGE, -EDGE))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_base(tmp_path_factory.mktemp("instant") / "base")


def engine_of(parts: PvpParts) -> PvpEngine:
    return PvpEngine(parts, "cpu")


def signed(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image).permute(2, 0, 1)[None].float() / 127.5 - 1.0


def levels(picture: torch.Tensor) -> np.ndarray:
    return ((picture.clamp(-1, 1)[0].permute(1, 2, 0) + 1.0) * 127.5).numpy()


def slowly(
    parts: PvpParts, request: RenderRequest, yaw: float | None = None, eyes: bool = True
) -> np.ndarray:
    """``[R, R, 3]`` levels: the plain networks on the guide; ``yaw``: what the mappers are told instead."""
    motion = moment(request.state["yaw"])
    told = motion if yaw is None else replace(motion, angles=motion.angles * 1.0)
    if yaw is not None:
        told.angles[:, 0] = yaw
    pose, face = (torch.from_numpy(x) for x in mapper_inputs(told, eyes))
    generator = parts.generator
    with torch.no_grad():
        ws = parts.mappers.ws(pose, face)
        if not isinstance(generator, Painter):
            return levels(generator(ws, None))
        guide = signed(Warper(parts.base).render(request).image)
        colour, flow = generator.correction(ws, guide)
        return levels(generator.corrected(guide, parts.strength * colour, parts.strength * flow))


@pytest.mark.parametrize(("strength", "eyes"), [(1.0, True), (0.5, False)])
def test_a_frame_is_what_the_painter_makes_of_the_guide(base: Path, strength: float, eyes: bool):
    parts = parts_of(base, random_painter(), strength, eyes)
    request = crop_request(moment())
    expected = slowly(parts, request, eyes=eyes)
    warped = Warper(parts.base).render(request).image
    shown = engine_of(parts).render(request).image
    assert np.abs(expected[INNER] - warped[INNER]).mean() > 8.0  # there is something to get wrong
    assert np.abs(shown[INNER] - expected[INNER]).max() < 1.2
    # Towards the sides it fades into what warping draws.
    off = np.abs(shown.astype(int) - warped)
    assert off[[0, -1]].max() <= 2
    assert off[:, [0, -1]].max() <= 2


def test_a_pretrained_crop_is_shown_as_it_is(base: Path):
    for generator in (random_pretrained(32, 32), random_pretrained(64, 32)):
        parts = parts_of(base, generator)
        request = crop_request(moment(), 32)
        inner = (slice(4, -4), slice(4, -4))
        shown = engine_of(parts).render(request).image
        expected = slowly(parts, request)
        assert expected.std() > 5.0
        assert np.abs(shown[inner] - expected[inner]).max() < 1.2


def test_beyond_the_clips_turns_the_mappers_are_told_the_last_that_they_know(base: Path):
    parts = parts_of(base, random_painter())
    request = crop_request(moment(28.0))
    shown = engine_of(parts).render(request).image
    known = slowly(parts, request, yaw=RANGE[1][1])
    beyond = slowly(parts, request)
    assert np.abs(shown[INNER] - known[INNER]).max() < 1.2
    assert np.abs(shown[INNER] - beyond[INNER]).max() > 5.0


def test_without_strength_a_frame_is_the_warped_one(base: Path):
    parts = parts_of(base, random_painter(), strength=0.0)
    warper, engine = Warper(parts.base), engine_of(parts)
    for yaw in (-9.0, 6.0, 25.0):
        request = ask(moment(yaw))
        frame = engine.render(request)
        plain = warper.render(request)
        assert np.array_equal(frame.image, plain.image)
        assert frame.alpha is not None
        assert plain.alpha is not None
        assert np.array_equal(frame.alpha, plain.alpha)
        assert frame.request is request


def test_equal_requests_give_equal_frames(base: Path):
    parts = parts_of(base, random_painter())
    engine = engine_of(parts)
    first = engine.render(ask(moment())).image
    other = engine.render(ask(moment(-5.0))).image
    assert not np.array_equal(first, other)
    assert np.array_equal(engine.render(ask(moment())).image, first)
    assert np.array_equal(engine_of(parts).render(ask(moment())).image, first)


def test_the_same_is_shown_at_another_size(base: Path):
    parts = parts_of(base, random_painter(), strength=0.3)
    engine, warper = engine_of(parts), Warper(parts.base)
    half = View(Similarity(0.5, 0.0, 0.0, 0.0), STAGE.width // 2, STAGE.height // 2)
    large, small = (engine.render(ask(moment(), view)).image.astype(float) for view in (STAGE, half))
    averaged = large.reshape(half.height, 2, half.width, 2, 3).mean((1, 3))
    plain = warper.render(ask(moment())).image.astype(float)
    assert np.abs(large - plain).mean() > 4.0
    assert np.abs(small - averaged).mean() < 1.5
    # Also where the view is turned and only a part of the crop is in it.
    turned = View(Similarity(1.0, 0.0, -60.0, -70.0), 48, 40)
    part = engine.render(ask(moment(), turned)).image
    assert np.abs(part.astype(float) - large[70:110, 60:108]).mean() < 1.0


def test_the_crops_edge_does_not_show(base: Path):
    tint = 0.08
    parts = parts_of(base, constant_painter(tint))
    motion = moment(zoom=0.6)  # all four sides are in the picture
    change = (
        engine_of(parts).render(ask(motion)).image.astype(int) - Warper(parts.base).render(ask(motion)).image
    )
    crop = aligned_crop(average_person().neutral_face, motion)
    y, x = np.mgrid[: STAGE.height, : STAGE.width] + 0.5
    place = crop.apply(np.stack([x, y], -1))
    outside = ((place < 0) | (place > 1)).any(-1)
    deep = ((place > FADE) & (place < 1 - FADE)).all(-1)
    assert outside.mean() > 0.2
    assert deep.mean() > 0.2
    assert (change[outside] == 0).all()
    assert np.abs(change[deep] - tint * 127.5).max() <= 1.0
    assert max(np.abs(np.diff(change, axis=axis)).max() for axis in (0, 1)) <= 2


def test_a_flow_moves_the_picture_by_its_share_of_the_crop(base: Path):
    parts = parts_of(base, constant_painter(flow=0.02))
    motion = moment(zoom=0.6)
    shown = engine_of(parts).render(ask(motion)).image.astype(float)
    plain = Warper(parts.base).render(ask(motion)).image.astype(float)
    crop = aligned_crop(average_person().neutral_face, motion)
    # Rightwards in the crop is along its own turned axis; the middle of the crop is deep inside.
    step = 0.02 / crop.scale * np.array([np.cos(crop.angle), -np.sin(crop.angle)])
    middle = crop.inverse().apply(np.array([[0.5, 0.5]], np.float32))[0]
    y, x = np.mgrid[-15:16, -15:16]
    y, x = y + int(middle[1]), x + int(middle[0])

    def sampled(image: np.ndarray, dx: float, dy: float) -> np.ndarray:
        at_x, at_y = x + dx, y + dy
        x0, y0 = np.floor(at_x).astype(int), np.floor(at_y).astype(int)
        fx, fy = (at_x - x0)[..., None], (at_y - y0)[..., None]
        top = image[y0, x0] * (1 - fx) + image[y0, x0 + 1] * fx
        return top * (1 - fy) + (image[y0 + 1, x0] * (1 - fx) + image[y0 + 1, x0 + 1] * fx) * fy

    assert np.abs(shown[y, x] - sampled(plain, *step)).max() < 1.5
    assert np.abs(shown[y, x] - sampled(plain, *-step)).mean() > 1.0


@pytest.fixture
def saved(base: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "pvp-abc"
    folder.mkdir()
    save_pvp(folder, parts_of(base, random_painter(), 0.75), base)
    return folder


@pytest.mark.parametrize("make", [random_painter, lambda: random_pretrained(64, 32)])
def test_an_avatar_comes_back_from_disk_as_it_was(base: Path, tmp_path: Path, make: Callable[[], Painter]):
    parts = parts_of(base, make(), 0.75)
    folder = tmp_path / "avatar"
    folder.mkdir()
    save_pvp(folder, parts, base)
    loaded = load_pvp(folder)
    for name in ("kind", "pose_range", "strength", "notes", "figures"):
        assert getattr(loaded, name) == getattr(parts, name), name
    before, after = (engine_of(p).render(ask(moment())).image for p in (parts, loaded))
    assert np.array_equal(before, after)
    for part in (loaded.generator, loaded.mappers):
        assert not part.training


def test_it_outlives_the_instant_avatar_that_it_stands_on(base: Path, tmp_path: Path):
    instant = Path(shutil.copytree(base, tmp_path / "instant"))
    (instant / "avatar.json").write_text("{}")
    (instant / "made.json").write_text("{}")
    folder = tmp_path / "pvp"
    folder.mkdir()
    save_pvp(folder, parts_of(base, random_painter()), instant)
    before = engine_of(load_pvp(folder)).render(ask(moment())).image
    shutil.rmtree(instant)
    assert np.array_equal(engine_of(load_pvp(folder)).render(ask(moment())).image, before)
    # Another avatar's card inside of this one would be taken for an avatar.
    assert not (folder / "base" / "avatar.json").exists()
    assert not (folder / "base" / "made.json").exists()


def test_the_catalog_opens_it(saved: Path):
    engine: Engine = SPEC.load(Avatar("Ann", "pvp", "abc", saved, STAGE))
    assert engine.sheet == Warper(load_pvp(saved).base).sheet
    assert isinstance(engine, PvpEngine)
    assert engine.notes == ("A note.",)
    assert engine.render(ask(moment())).image.shape == (STAGE.height, STAGE.width, 3)
    engine.close()


def _halve(path: Path) -> None:
    # The file may be linked to another avatar's: it is replaced, not written into.
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data[: len(data) // 2])


def _card(change: Callable[[dict], object]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        card = json.loads((folder / "pvp.json").read_text("utf-8"))
        changed = change(card)
        (folder / "pvp.json").write_text(json.dumps(card if changed is None else changed), "utf-8")

    return apply


def _tensors(change: Callable[[dict], object]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        tensors = load_file(folder / "pvp.safetensors")
        change(tensors)
        save_file(tensors, folder / "pvp.safetensors")

    return apply


DAMAGE: dict[str, Callable[[Path], None]] = {
    "no card": lambda folder: (folder / "pvp.json").unlink(),
    "half a card": lambda folder: _halve(folder / "pvp.json"),
    "a list": _card(lambda card: [1]),
    "no generator": _card(lambda card: card.pop("generator") and None),
    "another shape": _card(lambda card: card["generator"]["shape"].update(w_dim=16)),
    "an impossible shape": _card(lambda card: card["generator"]["shape"].update(resolution=100)),
    "an unknown prior": _card(lambda card: card["generator"].update(kind="oracle")),
    "half a range": _card(lambda card: card.update(pose_range=[[1.0], [2.0]])),
    "no strength": _card(lambda card: card.update(strength=None)),
    "no weights": lambda folder: (folder / "pvp.safetensors").unlink(),
    "half the weights": lambda folder: _halve(folder / "pvp.safetensors"),
    "no pivots": _tensors(lambda tensors: tensors.pop("mappers.pivots")),
    "a weight less": _tensors(lambda tensors: tensors.pop("generator.encoder.stem.weight")),
    "no base": lambda folder: shutil.rmtree(folder / "base"),
    "half a base": lambda folder: _halve(folder / "base" / "warp.npz"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_avatar_is_named(saved: Path, damage: str):
    DAMAGE[damage](saved)
    with pytest.raises(Problem, match=r"damaged.*build it again") as caught:
        load_pvp(saved)
    assert "\n" not in str(caught.value)


def test_an_avatar_of_another_version_is_refused_in_words(saved: Path):
    _card(lambda card: card.update(schema_version=99))(saved)
    with pytest.raises(Problem, match="another version"):
        load_pvp(saved)
