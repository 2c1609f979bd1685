"""What methods see of a PVP avatar is what its engine draws, over what its clip showed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipelines import edit_person
from pipelines.edit_person import SPREAD, PvpPerson, latent_person
from studio.domain.avatar import Avatar
from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem
from studio.editing.person import LatentPerson
from studio.engines.pvp.artefact import PvpParts, save_pvp
from studio.engines.pvp.engine import PvpEngine
from studio.engines.pvp.mappers import mapper_inputs, within_range
from studio.warping.lay_over import FADE
from tests.engines.pvp.small_avatar import (
    RANGE,
    SIDE,
    crop_request,
    parts_of,
    random_painter,
    random_pretrained,
    write_base,
)
from tests.training.filmed_person import FRAMES, LEARNT, filmed_motion, write_tracking
from tests.warping.average_person import CAMERA, STAGE

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_base(tmp_path_factory.mktemp("instant") / "base")


@pytest.fixture(params=["painter", "pretrained", "pretrained shown smaller"])
def parts(request: pytest.FixtureRequest, base: Path) -> PvpParts:
    if request.param == "painter":
        return parts_of(base, random_painter(), 0.5)
    return parts_of(base, random_pretrained(32 if request.param == "pretrained" else 64, 32))


def clip(frames: int = 40) -> HeadMotion:
    """Turns from side to side, talks and blinks; the head stays upright and in the middle."""
    time = np.arange(frames)
    motion = HeadMotion.neutral(frames, CAMERA)
    motion.angles[:, 0] = 14.0 * np.sin(time / 5)
    motion.angles[:, 1] = 6.0 * np.cos(time / 3)
    motion.jaw[:, 0] = 0.1 + 0.1 * np.sin(time / 2)
    motion.expression[:, :3] = np.stack([np.sin(time), np.cos(time), np.sin(time / 3)], 1)
    motion.eyelids[:, 0] = 0.3 + 0.3 * np.sin(time)
    return motion


def person_of(parts: PvpParts, motion: HeadMotion | None = None) -> PvpPerson:
    return PvpPerson(parts, clip() if motion is None else motion, CPU)


def told(parts: PvpParts, motion: HeadMotion) -> torch.Tensor:
    """``[T, num_ws, w_dim]`` what the mappers say of frames."""
    pose, face = (torch.from_numpy(x) for x in mapper_inputs(within_range(motion, RANGE), eyes=True))
    with torch.no_grad():
        return parts.mappers.ws(pose, face)


def places_of(ws: torch.Tensor, known: torch.Tensor) -> list[int]:
    """Which of the known latents ``[T, …]`` each is; every one must be there."""
    away = (ws[:, None] - known[None]).abs().flatten(2).amax(2)
    assert float(away.amin(1).max()) < 1e-4
    return away.argmin(1).tolist()


def test_its_shape_is_the_networks(parts: PvpParts):
    person: LatentPerson = person_of(parts)
    network: Any = parts.generator
    plain = network.synthesis.styles(torch.zeros(1, person.num_ws, person.w_dim))
    assert person.style_widths == tuple(style.shape[1] for style in plain)
    assert person.style_rows == tuple(network.synthesis.style_rows())
    assert (person.num_ws, person.w_dim) == (network.num_ws, network.w_dim)
    assert person.resolution == network.resolution
    assert person.moments == 16
    ws = person.sample(3, 0).ws
    assert torch.allclose(person.styles(ws), torch.cat(network.synthesis.styles(ws), 1))


def test_usual_moments_are_drawn_as_the_engine_shows_them(parts: PvpParts):
    motion = clip()
    person, engine = person_of(parts, motion), PvpEngine(parts, "cpu")
    usual = person.usual(5)
    assert len(usual) == 5
    with torch.no_grad():
        pictures = person.draw(usual.ws, usual.moments)
    side = person.resolution
    edge = int(np.ceil(FADE * side)) + 1
    inner = slice(edge, -edge), slice(edge, -edge)
    for place, picture in zip(places_of(usual.ws, told(parts, motion)), pictures, strict=True):
        shown = engine.render(crop_request(motion.take(slice(place, place + 1)), side)).image
        levels = ((picture.clamp(-1, 1).permute(1, 2, 0) + 1) * 127.5).numpy()
        assert np.abs(levels[inner] - shown[inner]).max() < 1.5


def test_moments_are_spread_over_the_clip_the_most_typical_first(base: Path):
    yaw = [*np.linspace(-4.0, 4.0, 30), -14.0, 14.0, 12.0]
    motion = HeadMotion.neutral(len(yaw), CAMERA)
    motion.angles[:, 0] = yaw
    motion.expression[:, 0] = np.array(yaw) / 4.0
    parts = parts_of(base, random_pretrained())
    person = person_of(parts, motion)
    usual = person.usual(99)
    assert len(usual) == person.moments == 16
    assert usual.moments.tolist() == list(range(16))
    found = [yaw[place] for place in places_of(usual.ws, told(parts, motion))]
    assert len(set(found)) == 16
    assert {-14.0, 14.0, 12.0} <= set(found)
    assert np.all(np.diff(np.abs(found)) > -0.3)
    # Fewer frames than moments, and frames that are all alike.
    assert person_of(parts, motion.take(slice(0, 5))).moments == 5
    assert person_of(parts, motion.take(np.zeros(9, np.int64))).moments == 1


def test_samples_are_the_clips_own_frames_each_in_the_moment_most_like_it(base: Path, monkeypatch):
    monkeypatch.setattr(edit_person, "SPREAD", 0.0)
    parts, motion = parts_of(base, random_pretrained()), clip()
    person = person_of(parts, motion)
    samples = person.sample(200, 1)
    known = told(parts, motion)
    places = places_of(samples.ws, known)
    assert len(set(places)) > 30
    moments = places_of(person.usual(16).ws, known)
    features = np.concatenate([motion.angles / 10.0, motion.jaw * 10.0, motion.expression], 1)
    own = np.array([moments[m] for m in samples.moments.tolist()])
    alike = np.linalg.norm(features[places] - features[own], axis=1)
    others = np.linalg.norm(features[places] - features[np.roll(own, 1)], axis=1)
    assert alike.mean() < 0.5 * others.mean()
    # A moment's own frame is shown in that moment.
    for place, moment in zip(places, samples.moments.tolist(), strict=True):
        if place in moments:
            assert moments[moment] == place


def test_samples_stray_with_the_pivots_covariance(base: Path):
    parts = parts_of(base, random_painter())
    motion = clip().take(np.full(8, 7))
    person = person_of(parts, motion)
    samples = person.sample(6000, 3)
    stray = (samples.ws - told(parts, motion)[:1]).flatten(1).double()
    pivots = parts.mappers.pivots.flatten(1).double()
    centred = pivots - pivots.mean(0)
    wanted = SPREAD**2 * centred.T @ centred / len(pivots)
    assert float(stray.mean(0).abs().max()) < 0.1
    assert float((stray.T @ stray / len(stray) - wanted).abs().max()) < 0.1 * float(wanted.abs().max())
    # They never leave what the pivots span.
    inside = stray @ torch.linalg.pinv(centred) @ centred
    assert float((stray - inside).abs().max()) < 1e-4
    assert bool((samples.moments == 0).all())


def test_the_same_seed_gives_the_same_samples_and_another_others(parts: PvpParts):
    person, again = person_of(parts), person_of(parts)
    first, second = person.sample(7, 5), again.sample(7, 5)
    torch.manual_seed(99)
    assert torch.equal(first.ws, second.ws)
    assert torch.equal(first.moments, second.moments)
    assert torch.equal(person.sample(7, 5).ws, first.ws)
    assert not torch.equal(person.sample(7, 6).ws, first.ws)


def test_pictures_of_styles_are_pictures_of_latents_and_both_have_slopes(parts: PvpParts):
    person = person_of(parts)
    samples = person.sample(3, 0)
    ws = samples.ws.clone().requires_grad_()
    styles = person.styles(ws.detach()).requires_grad_()
    direct, through = person.draw(ws, samples.moments), person.draw_styles(styles, samples.moments)
    assert direct.shape == (3, 3, person.resolution, person.resolution)
    assert torch.allclose(direct, through, atol=1e-5)
    towards = torch.randn(direct.shape, generator=torch.Generator().manual_seed(0))
    for leaf, picture in ((ws, direct), (styles, through)):
        (picture * towards).sum().backward()
        assert leaf.grad is not None
    # Along the slope pictures change as it says.
    assert ws.grad is not None
    step = 1e-2 * ws.grad / ws.grad.norm()
    with torch.no_grad():
        ahead, back = (person.draw(ws + sign * step, samples.moments) for sign in (1, -1))
    change = float(((ahead - back) * towards).sum()) / 2
    assert change == pytest.approx(1e-2 * float(ws.grad.norm()), rel=0.05)


def test_many_are_drawn_in_pieces_with_the_same_pictures_and_slopes(parts: PvpParts, monkeypatch):
    person = person_of(parts)
    samples = person.sample(5, 0)
    whole = samples.ws.clone().requires_grad_()
    pictures = person.draw(whole, samples.moments)
    pictures.square().sum().backward()
    monkeypatch.setattr(edit_person, "AT_ONCE", 2 * person.resolution**2)
    most, drawn = [0], PvpPerson._drawn

    def counted(self: PvpPerson, styles: torch.Tensor, moments: torch.Tensor) -> torch.Tensor:
        most.append(len(styles))
        return drawn(self, styles, moments)

    monkeypatch.setattr(PvpPerson, "_drawn", counted)
    pieces = samples.ws.clone().requires_grad_()
    again = person.draw(pieces, samples.moments)
    again.square().sum().backward()
    assert max(most) == 2
    assert torch.allclose(again, pictures, atol=1e-5)
    assert pieces.grad is not None
    assert whole.grad is not None
    assert torch.allclose(pieces.grad, whole.grad, rtol=1e-3, atol=1e-3 * float(whole.grad.abs().max()))


def test_a_painter_shows_another_guide_in_each_moment_and_others_do_not(parts: PvpParts):
    person = person_of(parts)
    ws = person.usual(1).ws.expand(2, -1, -1)
    with torch.no_grad():
        one, other = person.draw(ws, torch.tensor([0, 9]))
    different = float((one - other).abs().mean())
    assert different > 0.02 if parts.kind == "scratch" else different < 1e-5


def test_the_avatar_is_left_as_it_is(parts: PvpParts):
    generator: Any = parts.generator
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    person = person_of(parts)
    ws = person.sample(2, 0).ws.requires_grad_()
    person.draw(ws, torch.zeros(2, dtype=torch.int64)).sum().backward()
    assert all(torch.equal(before[name], value) for name, value in generator.state_dict().items())
    assert all(value.grad is None and value.requires_grad for value in generator.parameters())
    with pytest.raises(ValueError, match="moments must be"):
        person.draw(ws, torch.zeros(3, dtype=torch.int64))


@pytest.fixture
def avatar(base: Path, tmp_path: Path) -> Avatar:
    """A painter's avatar in its subject's folder, with its tracked clip."""
    subject = tmp_path / "subjects" / "ann"
    folder = subject / "avatars" / "pvp-abc"
    folder.mkdir(parents=True)
    save_pvp(folder, parts_of(base, random_painter(), 0.5), base)
    (subject / "clips" / "film" / "track").mkdir(parents=True)
    write_tracking(subject / "clips" / "film" / "track" / "tracked")
    lineage = {"inputs": {"clip": "film", "track": "tracked"}, "learnt_from": [0, LEARNT]}
    return Avatar("Ann Lee", "pvp", "abc", folder, STAGE, lineage)


def test_an_avatars_person_knows_the_frames_that_it_has_learnt_from(avatar: Avatar, monkeypatch):
    monkeypatch.setattr(edit_person, "SPREAD", 0.0)
    person = latent_person(avatar, "cpu")
    assert person.resolution == SIDE
    motion = filmed_motion()
    known = told(parts_of(avatar.folder / "base", random_painter()), motion)
    places = places_of(person.sample(400, 0).ws, known)
    assert max(places) < LEARNT < FRAMES
    assert len(set(places)) > 25
    assert max(places_of(person.usual(16).ws, known)) < LEARNT


def test_an_engine_without_a_generator_is_told_which_has_one(avatar: Avatar):
    other = Avatar("Ann Lee", "instant", "abc", avatar.folder, STAGE, avatar.lineage)
    with pytest.raises(Problem, match=r"instant.*no generator.*pvp has one.*build 'Ann Lee' --engine pvp"):
        latent_person(other)


def test_a_generator_that_is_not_shown_is_refused(base: Path):
    with pytest.raises(Problem, match=r"not shown.*shape and colour"):
        person_of(parts_of(base, random_painter(), 0.0))
    assert person_of(parts_of(base, random_pretrained(), 0.0)).moments == 16
