"""The mappers' training on a clip made by known mappers, through a tiny generator."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pipelines.mapper_losses import MapperBatch, Perturbed
from pipelines.prior_settings import MAPPER_LOOP, WARM_LOOP, MapperLossSettings, MapperSettings
from pipelines.train_mapper import (
    MapperTraining,
    TrainedMappers,
    train_mapper,
)
from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem
from studio.domain.progress import Interrupted
from studio.engines.pvp.mappers import mapper_inputs
from studio.networks.estimator import EstimatorReading

SIDE, ROWS, WIDTH, FRAMES = 8, 5, 6, 90


class _Tiny(nn.Module):
    num_ws, w_dim, resolution = ROWS, WIDTH, SIDE

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(ROWS * WIDTH, 3 * SIDE * SIDE)
        self.drop = nn.Dropout(0.5)
        """Would make noise if the frozen generator were left in training mode."""

    def forward(self, ws: Tensor, guide: Tensor | None) -> Tensor:
        picture = torch.tanh(self.drop(self.layer(ws.flatten(1)))).reshape(-1, 3, SIDE, SIDE)
        return picture if guide is None else picture + 0.0 * guide


@dataclass(frozen=True)
class _Material:
    real: np.ndarray
    keep: np.ndarray
    motion: HeadMotion
    train: np.ndarray
    validation: np.ndarray
    guide: np.ndarray | None = None
    mask: np.ndarray | None = None


class _Estimator:
    reliability = EstimatorReading(torch.ones(50), torch.ones(3), torch.ones(3))

    def __call__(self, images: Tensor) -> EstimatorReading:
        return EstimatorReading.split(images.flatten(1)[:, :56])


def _l1(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).abs().mean((1, 2, 3))


def _clip() -> tuple[_Tiny, _Material, Tensor, Tensor]:
    """Latents are linear in pose, and in jaw and the first coefficients on the first three rows."""
    rng = np.random.default_rng(4)
    time = np.arange(FRAMES) / FRAMES
    motion = HeadMotion.neutral(FRAMES, np.array([1.0, 0.0, 0.0]))
    motion.angles[:, 0] = 30 * np.sin(7 * time)
    motion.angles[:, 1] = 15 * np.cos(11 * time)
    motion.jaw[:, 0] = 0.15 + 0.15 * np.sin(29 * time)
    motion.expression[:, :2] = np.stack([np.sin(17 * time), np.cos(23 * time)], 1)
    pose, face = mapper_inputs(motion)
    latents = 0.6 * np.einsum("tp,prw->trw", pose / 0.3, rng.normal(size=(2, ROWS, WIDTH)))
    moved = np.concatenate([face[:, :1] / 0.1, face[:, 3:5]], 1)
    latents[:, :3] += 0.15 * np.einsum("tp,prw->trw", moved, rng.normal(size=(3, 3, WIDTH)))
    targets = torch.from_numpy(latents).float()
    generator = _Tiny()
    with torch.no_grad():
        shown = generator.eval()(targets, None)
    real = ((shown.permute(0, 2, 3, 1).numpy() + 1) * 127.5).round().astype(np.uint8)
    frames = np.arange(FRAMES)
    held = (frames // 10) % 3 == 1
    keep = np.full((FRAMES, SIDE, SIDE), 255, np.uint8)
    material = _Material(real, keep, motion, frames[~held], frames[held])
    pivots = targets[torch.from_numpy(frames[~held][::4])]
    return generator.train(), material, pivots, targets


def _settings(steps: int = 240, **changes: object) -> MapperSettings:
    loop = dataclasses.replace(MAPPER_LOOP, steps=steps, batch=4, validate_steps=40)
    losses = MapperLossSettings(offset=0.01, colour=0.0)
    settings = MapperSettings(hidden=32, rows=3, loop=loop, losses=losses, learning_rate=5e-3)
    return dataclasses.replace(settings, **changes)  # type: ignore[arg-type]


def _train(folder: Path, settings: MapperSettings, **more: object) -> TrainedMappers:
    generator, material, pivots, _ = _clip()
    return train_mapper(generator, pivots, material, settings, folder, _l1, **more)  # type: ignore[arg-type]


def test_unseen_frames_are_found_and_the_generator_stays_as_it_is(tmp_path: Path):
    generator, material, pivots, _ = _clip()
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    trained = train_mapper(generator, pivots, material, _settings(), tmp_path, _l1)
    first, best = trained.loop.validations[0][1], trained.loop.best
    assert best["psnr"] > first["psnr"] + 8
    assert best["loss"] == min(figures["loss"] for _, figures in trained.loop.validations)
    assert all(torch.equal(value, before[name]) for name, value in generator.state_dict().items())
    assert generator.training
    assert generator.drop.training
    assert all(p.requires_grad and p.grad is None for p in generator.parameters())


def test_the_best_mappers_are_kept_not_the_last(tmp_path: Path):
    generator, material, pivots, _ = _clip()
    loop = dataclasses.replace(MAPPER_LOOP, steps=60, batch=4, validate_steps=10)
    spoilt = _settings(loop=loop, learning_rate=0.7)  # the rate throws the first good state away
    trained = train_mapper(generator, pivots, material, spoilt, tmp_path, _l1)
    assert trained.loop.validations[-1][1]["loss"] > trained.loop.best["loss"]
    again = MapperTraining(generator.eval(), pivots, material, spoilt, _l1)
    again.mappers = trained.mappers
    with torch.no_grad():
        assert again.judge()["loss"] == pytest.approx(trained.loop.best["loss"], rel=1e-5)


def test_a_judgement_hears_a_stop_between_its_frames():
    generator, material, pivots, _ = _clip()
    heard: list[int] = []

    def alive() -> None:
        heard.append(len(heard))
        if len(heard) == 2:
            raise Interrupted

    training = MapperTraining(generator.eval(), pivots, material, _settings(1), _l1, alive=alive)
    for look in (training.judge, training.picture):
        heard.clear()
        with torch.no_grad(), pytest.raises(Interrupted):
            look()


def test_a_start_from_given_latents_costs_no_rendering_and_begins_near(tmp_path: Path):
    generator, material, pivots, targets = _clip()
    calls = []
    generator.register_forward_hook(lambda *_: calls.append(1))
    warm_loop = dataclasses.replace(WARM_LOOP, steps=600, batch=32)
    settings = _settings(0, warm_loop=warm_loop, warm_rate=1e-2)
    cold = train_mapper(generator, pivots, material, settings, tmp_path / "cold", _l1)
    of_judging = len(calls)
    warm = train_mapper(generator, pivots, material, settings, tmp_path / "warm", _l1, targets=targets)
    assert len(calls) == 2 * of_judging
    assert warm.warm is not None
    assert warm.loop.best["psnr"] > cold.loop.best["psnr"] + 8
    with torch.no_grad():
        pose, face = (torch.from_numpy(x) for x in mapper_inputs(material.motion, eyes=True))
        missed = (warm.mappers.ws(pose, face) - targets)[material.validation].square().mean()
    assert float(missed) < 0.1 * float(targets[material.validation].square().mean())


def test_validation_frames_are_never_learnt_from(tmp_path: Path):
    generator, material, pivots, targets = _clip()
    real = material.real.copy()
    real[material.validation] = 255 - real[material.validation]
    other = targets.clone()
    other[torch.from_numpy(material.validation)] *= -3
    loop = dataclasses.replace(MAPPER_LOOP, steps=25, batch=4)
    warm_loop = dataclasses.replace(WARM_LOOP, steps=25, patience=0)
    settings = _settings(loop=loop, warm_loop=warm_loop)
    blind = dataclasses.replace(material, validation=np.zeros(0, np.int64))
    spoilt = dataclasses.replace(blind, real=real)
    one = train_mapper(generator, pivots, blind, settings, tmp_path / "one", _l1, targets=targets)
    two = train_mapper(generator, pivots, spoilt, settings, tmp_path / "two", _l1, targets=other)
    assert one.loop.best_step is None
    for name, value in one.mappers.state_dict().items():
        assert torch.equal(value, two.mappers.state_dict()[name])


class _StopAt:
    def __init__(self, step: int, of: str) -> None:
        self.step, self.of = step, of

    def __call__(self, done: int, total: int | None, what: str) -> None:
        if done == self.step and self.of in what:
            raise Interrupted


@pytest.mark.parametrize(("step", "of"), [(7, "starting"), (13, "training")])
def test_stopped_and_resumed_it_ends_where_it_would_have(tmp_path: Path, step: int, of: str):
    *_, targets = _clip()
    settings = _settings(
        loop=dataclasses.replace(MAPPER_LOOP, steps=30, batch=4, validate_steps=10),
        warm_loop=dataclasses.replace(WARM_LOOP, steps=20, batch=16, validate_steps=5),
        losses=MapperLossSettings(),  # with the perturbed rendering, whose noise must repeat
    )
    whole = _train(tmp_path / "whole", settings, targets=targets)
    with pytest.raises(Interrupted):
        _train(tmp_path / "parts", settings, targets=targets, progress=_StopAt(step, of))
    parts = _train(tmp_path / "parts", settings, targets=targets)
    for name, value in whole.mappers.state_dict().items():
        assert torch.allclose(value, parts.mappers.state_dict()[name], atol=1e-6)


def test_every_network_has_its_say(tmp_path: Path):
    asked: list[tuple[MapperBatch, Perturbed]] = []

    def guides(batch: MapperBatch, perturbed: Perturbed) -> Tensor:
        asked.append((batch, perturbed))
        assert batch.guide is not None
        return batch.guide

    generator, material, pivots, _ = _clip()
    guided = dataclasses.replace(material, guide=material.real, mask=material.keep)
    settings = _settings(2, losses=MapperLossSettings(background=0.5))
    loop = dataclasses.replace(settings.loop, log_steps=1)
    trained = train_mapper(
        generator,
        pivots,
        guided,
        dataclasses.replace(settings, loop=loop),
        tmp_path,
        _l1,
        _Estimator(),
        lambda p: p.flatten(1)[:, :9],
        guides=guides,
    )
    assert trained.off == ()
    _, figures = trained.loop.losses[-1]
    assert {"pixel", "perceptual", "identity", "expression", "pose", "colour", "offset"} <= set(figures)
    assert figures["loss"] == pytest.approx(
        sum(v for k, v in figures.items() if k not in {"loss", "norm"}), rel=1e-4
    )
    assert len(asked) == 2
    batch, perturbed = asked[0]
    assert torch.equal(perturbed.face[:, 53:], batch.face[:, 53:]), "eyelids and gaze are not perturbed"
    assert (tmp_path / "mappers" / "preview.png").is_file()


def test_what_is_left_out_is_said(tmp_path: Path):
    said: list[str] = []

    class _Listener:
        def __call__(self, done: int, total: int | None, what: str) -> None: ...

        def say(self, sentence: str) -> None:
            said.append(sentence)

    trained = _train(tmp_path, _settings(1), progress=_Listener())
    assert set(trained.off) <= set(said)
    assert len(trained.off) == 2


def test_offsets_can_follow_the_priors_own_size(tmp_path: Path):
    generator, material, pivots, _ = _clip()
    training = MapperTraining(generator, 10 * pivots, material, _settings(1, reach=0.0), _l1)
    wanted = 3 * float((10 * pivots).std(0, correction=0).square().mean().sqrt())
    assert float(training.mappers.expression.reach) == pytest.approx(wanted)
    plain = MapperTraining(generator, pivots, material, _settings(1), _l1)
    assert float(plain.mappers.expression.reach) == 1.0


def test_without_frames_there_is_a_sentence(tmp_path: Path):
    generator, material, pivots, _ = _clip()
    empty = dataclasses.replace(material, train=np.zeros(0, np.int64))
    with pytest.raises(Problem, match="no frame"):
        train_mapper(generator, pivots, empty, _settings(1), tmp_path, _l1)
