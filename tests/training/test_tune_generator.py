"""Pivotal tuning on a tiny generator whose answers are known."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pipelines.prior_settings import TUNE_LOOP, TuneSettings
from pipelines.training.loop import Batch
from pipelines.tune_generator import (
    Anchors,
    BlendedAnchors,
    MappedAnchors,
    PivotPictures,
    TuneBook,
    Tuning,
    held_latents,
    tune_generator,
)
from studio.domain.progress import Interrupted

SIDE, ROWS, WIDTH, COUNT = 8, 3, 6, 5


class _Tiny(nn.Module):
    """Styles and guide to pictures; enough weights to show a few pivots exactly."""

    num_ws, w_dim, resolution = ROWS, WIDTH, SIDE

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Linear(ROWS * WIDTH, 48)
        self.last = nn.Linear(48, 3 * SIDE * SIDE)

    def forward(self, ws: Tensor, guide: Tensor | None) -> Tensor:
        picture = self.last(torch.sin(self.first(ws.flatten(1)))).reshape(-1, 3, SIDE, SIDE)
        return picture if guide is None else picture + 0.5 * guide


def _l1(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).abs().mean((1, 2, 3))


def _pictures(guided: bool = False) -> PivotPictures:
    rng = np.random.default_rng(1)
    real = rng.integers(60, 200, (COUNT, SIDE, SIDE, 3)).astype(np.uint8)
    latents = torch.from_numpy(rng.normal(size=(COUNT, ROWS, WIDTH))).float()
    guide = rng.integers(0, 255, (COUNT, SIDE, SIDE, 3)).astype(np.uint8) if guided else None
    return PivotPictures(latents, real, guide)


def _settings(batch: int = 1, steps_per_image: int = 300, **changes: object) -> TuneSettings:
    loop = dataclasses.replace(TUNE_LOOP, batch=batch)
    return dataclasses.replace(
        TuneSettings(learning_rate=3e-3, steps_per_image=steps_per_image, loop=loop),
        **changes,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(("batch", "guided"), [(1, False), (2, True)])
def test_all_pivots_reach_the_threshold_and_are_then_left_alone(tmp_path: Path, batch: int, guided: bool):
    generator = _Tiny()
    tuned = tune_generator(generator, _pictures(guided), _l1, _settings(batch), tmp_path)
    assert tuned.before.min() > 0.1
    assert tuned.after.max() < 0.03
    assert tuned.loop.reason == "done"
    assert tuned.steps.max() < 300
    # Each image is skipped once when it is found to be good, and once more after each time it was spoilt.
    assert (tuned.skips >= 1).all()
    assert tuned.skips.max() <= 10
    assert int((tuned.steps + tuned.skips).sum()) >= tuned.loop.steps
    assert int((tuned.steps + tuned.skips).sum()) <= tuned.loop.steps * batch


def test_what_was_good_from_the_start_costs_no_step(tmp_path: Path):
    generator, pictures = _Tiny(), _pictures()
    with torch.no_grad():
        shown = generator(pictures.latents[:1], None)
    pictures.real[0] = ((shown[0].permute(1, 2, 0).numpy() + 1) * 127.5).round().clip(0, 255)
    before = copy.deepcopy(generator.state_dict())
    tuned = tune_generator(
        generator,
        PivotPictures(pictures.latents[:1], pictures.real[:1]),
        _l1,
        _settings(locality=False),
        tmp_path,
    )
    assert (tuned.steps.tolist(), tuned.skips.tolist()) == ([0], [1])
    assert all(torch.equal(value, before[name]) for name, value in generator.state_dict().items())


def test_an_image_takes_part_in_so_many_steps_at_most(tmp_path: Path):
    tuned = tune_generator(_Tiny(), _pictures(), _l1, _settings(2, 7, threshold=0.0), tmp_path)
    assert tuned.steps.tolist() == [7] * COUNT
    assert tuned.skips.tolist() == [0] * COUNT
    assert tuned.loop.steps == 7 * 3, "five images in pairs are three steps"


def test_measuring_hears_a_stop_before_and_after_the_steps(tmp_path: Path):
    steps = 2 * 3
    told: list[tuple[int, int | None, str]] = []
    tune_generator(
        _Tiny(),
        _pictures(),
        _l1,
        _settings(2, 2, threshold=0.0),
        tmp_path,
        progress=lambda *r: told.append(r),
    )
    what = "tuning the generator"
    assert told[:3] == [(0, None, what)] * 3, "five images in pairs are measured in three pieces"
    assert told[-3:] == [(steps, steps, what)] * 3


def test_a_good_image_is_measured_again_at_the_end_of_the_epoch():
    book = TuneBook(3, _settings())
    measured: list[list[int]] = []

    def recheck(images: np.ndarray) -> Tensor:
        measured.append(images.tolist())
        return torch.full((len(images),), 0.5)

    book.recheck = recheck
    first = [int(book(step)[0]) for step in range(3)]
    assert sorted(first) == [0, 1, 2]
    assert int(book(2)[0]) == first[2], "asking twice changes nothing"
    for step, image in enumerate(first):
        part = book.note(step, np.array([image]), torch.tensor([0.01 if image == 1 else 0.2]))
        assert bool(part[0]) == (image != 1)
        book.note(step, np.array([image]), torch.tensor([0.01 if image == 1 else 0.2]))  # less memory
    assert book.steps.tolist() == [1, 0, 1]
    assert book.skips.tolist() == [0, 1, 0]
    again = [int(book(step)[0]) for step in range(3, 6)]
    assert measured == [[1]]
    assert sorted(again) == [0, 1, 2], "the spoilt one takes part again"


def _far(generator: nn.Module, original: nn.Module, pivots: Tensor, anchors: Anchors) -> float:
    chance = torch.Generator().manual_seed(99)
    places = torch.randint(len(pivots), (64,), generator=chance)
    latents = held_latents(pivots[places], anchors.draw(64, chance), anchors.distance)
    with torch.no_grad():
        return float((generator(latents, None) - original(latents, None)).square().mean())


def test_locality_keeps_the_generator_as_it_was_away_from_the_pivots(tmp_path: Path):
    pictures = _pictures()
    anchors = BlendedAnchors(pictures.latents)
    moved = {}
    for locality in (False, True):
        generator, original = _Tiny(), _Tiny()
        settings = _settings(locality=locality, locality_pixel=3.0, locality_perceptual=1.0, threshold=0.06)
        tuned = tune_generator(generator, pictures, _l1, settings, tmp_path / str(locality), anchors)
        assert tuned.after.max() < 0.06
        moved[locality] = _far(generator, original, pictures.latents, anchors)
    assert moved[True] < 0.6 * moved[False]


def test_locality_alone_pulls_back_and_leaves_the_original_as_it_was():
    pictures = _pictures(guided=True)
    generator = _Tiny()
    anchors = BlendedAnchors(pictures.latents)
    tuning = Tuning(generator, pictures, _l1, _settings(), anchors)
    chance = torch.Generator().manual_seed(0)
    guide = torch.rand(COUNT, 3, SIDE, SIDE)
    assert float(tuning.locality(pictures.latents, guide, chance).detach()) == 0.0
    with torch.no_grad():
        generator.last.bias.add_(0.2)
    held = tuning.locality(pictures.latents, guide, chance)
    assert float(held.detach()) == pytest.approx(0.1 * 0.2**2 + 0.1 * 0.2, rel=1e-4)
    held.backward()
    assert generator.last.bias.grad is not None
    assert bool((generator.last.bias.grad > 0).all())
    assert tuning.frozen is not None
    assert all(not p.requires_grad for p in tuning.frozen.parameters())


class _StopAt:
    def __init__(self, step: int) -> None:
        self.step = step

    def __call__(self, done: int, total: int | None, what: str) -> None:
        if done == self.step:
            raise Interrupted


def test_stopped_and_resumed_it_ends_where_it_would_have(tmp_path: Path):
    whole, parts = _Tiny(), _Tiny()
    settings = _settings(2, 20)
    wanted = tune_generator(whole, _pictures(), _l1, settings, tmp_path / "whole")
    with pytest.raises(Interrupted):
        tune_generator(parts, _pictures(), _l1, settings, tmp_path / "parts", progress=_StopAt(17))
    again = _Tiny()
    got = tune_generator(again, _pictures(), _l1, settings, tmp_path / "parts")
    assert got.steps.tolist() == wanted.steps.tolist()
    for name, value in again.state_dict().items():
        assert torch.allclose(value, whole.state_dict()[name], atol=1e-6)


def test_held_latents_closed_form():
    pivot = torch.zeros(2, 2, 2)
    anchor = torch.zeros(2, 2, 2)
    anchor[0, 0, 0], anchor[0, 1, 1] = 3.0, 4.0
    anchor[1, 0, 1] = -0.5
    held = held_latents(pivot, anchor, 30.0)
    assert torch.allclose(held[0], torch.tensor([[18.0, 0.0], [0.0, 24.0]]))
    assert torch.allclose(held[1], torch.tensor([[0.0, -30.0], [0.0, 0.0]]))
    assert bool(held_latents(pivot, pivot, 30.0).isfinite().all())


def test_blends_without_a_push_lie_between_the_pivots():
    pivots = torch.zeros(2, 1, 2)
    pivots[1, 0] = torch.tensor([3.0, 4.0])
    anchors = BlendedAnchors(pivots, spread=0.0)
    assert anchors.distance == pytest.approx(0.7 * 5.0)
    drawn = anchors.draw(200, torch.Generator().manual_seed(0))[:, 0]
    share = drawn[:, 0] / 3
    assert torch.allclose(drawn[:, 1] / 4, share, atol=1e-6)
    assert 0.0 <= float(share.min()) < 0.1
    assert 0.9 < float(share.max()) <= 1.0 + 1e-6
    pushed = BlendedAnchors(pivots, spread=2.0).draw(500, torch.Generator().manual_seed(0))[:, 0]
    assert torch.allclose((pushed - drawn[:1]).std(0), torch.tensor([3.2, 4.2]), rtol=0.2)


def test_anchors_of_a_pretrained_prior_are_truncated_samples():
    seen = []

    def mapping(z: Tensor, truncation: float) -> Tensor:
        seen.append((z.shape, truncation))
        return z[:, None].repeat(1, ROWS, 1)

    anchors = MappedAnchors(mapping, WIDTH)
    assert anchors.distance == 30.0
    drawn = anchors.draw(4, torch.Generator().manual_seed(0))
    assert seen == [((4, WIDTH), 0.5)]
    assert drawn.shape == (4, ROWS, WIDTH)


def test_the_background_can_be_left_out(tmp_path: Path):
    person = np.zeros((COUNT, SIDE, SIDE), np.uint8)
    person[:, :, :4] = 255
    pictures = dataclasses.replace(_pictures(), person=person)
    generator = _Tiny()
    tuning = Tuning(generator, pictures, _l1, _settings(background=0.0, locality=False), None)
    loss = tuning.step(Batch(0, 0.0, np.array([0]), 0))["loss"]
    loss.backward()
    assert generator.last.bias.grad is not None
    gradient = generator.last.bias.grad.reshape(3, SIDE, SIDE)
    assert float(gradient[:, :, 4:].abs().max()) == 0.0
    assert float(gradient[:, :, :4].abs().min()) > 0.0
