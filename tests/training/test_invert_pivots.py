"""Pivots' latents found again in a tiny StyleGAN2 that made the pictures itself."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import cdist
from torch import Tensor, nn

from pipelines.invert_pivots import (
    encode_pivots,
    invert_pivots,
    noise_structure,
    rate_factor,
    visit_features,
    visits,
)
from pipelines.prior_settings import InvertSettings
from studio.domain.progress import Interrupted
from studio.networks.stylegan2 import Generator, StyleGan2Config
from studio.project.atomic import HOST

SIDE, WIDTH = 64, 8
_NOBODY = 2**30
"""Number of a process that cannot be."""


class _Prior(nn.Module):
    """A random StyleGAN2 as a PersonalGenerator, scaled so that its pictures fill -1..1."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        config = StyleGan2Config(SIDE, WIDTH, WIDTH, channel_base=256, channel_max=8, mapping_layers=2)
        self.inner = Generator(config)
        self.num_ws, self.w_dim, self.resolution = config.num_ws, config.w_dim, SIDE
        for name, parameter in self.inner.named_parameters():
            if name.endswith("noise_strength"):
                nn.init.constant_(parameter, 0.05)
        self.calls = 0

    def forward(self, ws: Tensor, guide: Tensor | None) -> Tensor:
        self.calls += 1
        picture: Tensor = self.inner.synthesis(ws)
        return torch.tanh(picture)

    def random_w(self, count: int, chance: torch.Generator) -> Tensor:
        return self.inner.mapping.w(torch.randn(count, WIDTH, generator=chance))


def _difference(a: Tensor, b: Tensor) -> Tensor:
    """Stands in for a perceptual loss: absolute differences at two scales."""
    small = nn.functional.avg_pool2d(a - b, 4)
    return (a - b).abs().mean((1, 2, 3)) + small.abs().mean((1, 2, 3))


def _chain(prior: _Prior, count: int) -> tuple[Tensor, np.ndarray, np.ndarray]:
    """Latents on a smooth way that begins far from the mean, their pictures, and features."""
    with torch.no_grad():
        ends = prior.random_w(2, torch.Generator().manual_seed(8))
        share = torch.linspace(0.0, 0.25, count)[:, None]
        w = ends[0] + share * (ends[1] - ends[0])
        ws = w[:, None].repeat(1, prior.num_ws, 1)
        shown = prior(ws, None)
    pictures = ((shown.permute(0, 2, 3, 1).numpy() + 1) * 127.5).round().astype(np.uint8)
    return ws, pictures, np.linspace(0, 1, count, dtype=np.float32)[:, None]


SETTINGS = InvertSettings(
    w_steps=50,
    neighbour_w_steps=15,
    plus_steps=25,
    neighbour_plus_steps=25,
    learning_rate=0.05,
    w_samples=64,
)


def _psnr(prior: _Prior, latents: Tensor, pictures: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        shown = prior(latents, None).permute(0, 2, 3, 1).numpy()
    difference = shown - (pictures.astype(np.float32) / 127.5 - 1)
    return 10 * np.log10(4 / (difference**2).mean((1, 2, 3)))


def test_its_own_pictures_are_found_again(tmp_path: Path):
    prior = _Prior()
    before = {name: value.clone() for name, value in prior.state_dict().items()}
    _, pictures, features = _chain(prior, 2)
    with torch.no_grad():
        mean = prior.random_w(64, torch.Generator().manual_seed(0)).mean(0)
    start = mean.expand(2, prior.num_ws, WIDTH)
    found = invert_pivots(prior, prior.random_w, pictures, features, _difference, SETTINGS, tmp_path)
    assert _psnr(prior, start, pictures).max() < 16
    assert _psnr(prior, found.latents, pictures).min() > 35
    assert found.steps.tolist() == [75, 40]
    assert found.parent.tolist() == [-1, 0]
    assert all(torch.equal(value, before[name]) for name, value in prior.state_dict().items())
    real = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.no_grad():
        assert _difference(prior(found.latents, None), real).tolist() == pytest.approx(found.error, rel=1e-4)


def test_from_a_neighbour_it_takes_fewer_steps_than_from_the_mean(tmp_path: Path):
    prior = _Prior()
    _, pictures, features = _chain(prior, 3)
    settings = dataclasses.replace(SETTINGS, neighbour_w_steps=50, neighbour_plus_steps=25, enough=0.1)
    near, far = (
        invert_pivots(
            prior, prior.random_w, pictures, features, _difference, settings, tmp_path / str(kind), kind
        )
        for kind in (True, False)
    )
    assert near.error.max() < 0.1
    assert far.error.max() < 0.1
    assert near.steps[1:].sum() < 0.5 * far.steps[1:].sum()
    assert near.parent.tolist() == [-1, 0, 1]
    assert far.parent.tolist() == [-1, -1, -1]


@pytest.mark.parametrize("displaced", [False, True])
def test_what_was_found_is_kept_when_it_is_stopped(tmp_path: Path, displaced: bool):
    prior = _Prior()
    _, pictures, features = _chain(prior, 3)
    settings = dataclasses.replace(
        SETTINGS, w_steps=4, plus_steps=3, neighbour_w_steps=2, neighbour_plus_steps=2, w_samples=8
    )
    arguments = (prior, prior.random_w, pictures, features, _difference, settings)
    whole = invert_pivots(*arguments, tmp_path / "whole")
    told: list[int] = []

    def stop(done: int, total: int | None, what: str) -> None:
        assert total == 7 + 4 + 4
        told.append(done)
        if done >= 9:
            raise Interrupted

    with pytest.raises(Interrupted):
        invert_pivots(*arguments, tmp_path / "parts", progress=stop)
    assert told == sorted(told)
    if displaced:  # killed between the two renamings that renew what is kept
        kept = tmp_path / "parts" / "pivots"
        kept.rename(kept.with_name(f".pivots.{_NOBODY}-{HOST}0123abcd.old"))
    prior.calls = 0
    again: list[int] = []
    parts = invert_pivots(*arguments, tmp_path / "parts", progress=lambda done, *_: again.append(done))
    assert again[0] == 7, "the first pivot is not inverted again"
    assert torch.allclose(parts.latents, whole.latents, atol=1e-6)
    assert parts.steps.tolist() == [7, 4, 4]
    assert [path.name for path in (tmp_path / "parts").iterdir()] == ["pivots"]


def test_an_encoder_answers_at_once():
    prior = _Prior()
    ws, pictures, _ = _chain(prior, 3)
    asked = []

    def encoder(images: Tensor) -> Tensor:
        asked.append(tuple(images.shape))
        first = sum(len_ for len_, *_ in asked[:-1])
        return ws[first : first + len(images)]

    found = encode_pivots(prior, encoder, pictures, _difference, batch=2)
    assert asked == [(2, 3, SIDE, SIDE), (1, 3, SIDE, SIDE)]
    assert torch.equal(found.latents, ws)
    assert found.error.max() < 0.01
    assert found.steps.tolist() == [0, 0, 0]


def test_visits_follow_the_minimum_spanning_tree_from_the_frontal_face():
    points = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    order = visits(points)
    root = int(np.linalg.norm(points, axis=1).argmin())
    assert np.flatnonzero(order.parent < 0).tolist() == [root] == order.waves[0].tolist()
    links = [(child, parent) for child, parent in enumerate(order.parent) if parent >= 0]
    length = sum(float(np.linalg.norm(points[a] - points[b])) for a, b in links)
    assert length == pytest.approx(minimum_spanning_tree(cdist(points, points)).sum(), rel=1e-5)
    seen: set[int] = set()
    for wave in order.waves:
        assert all(order.parent[place] in seen for place in wave if place != root)
        seen.update(wave.tolist())
    assert seen == set(range(40))


def test_features_weigh_ten_degrees_like_a_deviation_of_all_coefficients():
    angles = np.array([[10.0, 0.0, 55.0], [0.0, -10.0, 0.0], [0.0, 0.0, 0.0]], np.float32)
    expression = np.stack([np.zeros(50), np.zeros(50), np.ones(50)]).astype(np.float32)
    assert np.linalg.norm(visit_features(angles, expression), axis=1) == pytest.approx([1, 1, 1])


def test_noise_structure_closed_forms():
    constant = torch.full((2, 1, 32, 32), 2.0, dtype=torch.float64)
    assert float(noise_structure(constant)) == pytest.approx(2 * 3 * 2 * 2.0**4)  # batch, scales, axes
    checks = torch.ones(1, 1, 16, 16)
    checks[..., ::2, 1::2] = checks[..., 1::2, ::2] = -1.0
    assert float(noise_structure(checks)) == pytest.approx(2.0), "its averages vanish at the next scale"
    stripes = torch.ones(1, 1, 8, 8)
    stripes[..., ::2] = -1.0
    assert float(noise_structure(stripes)) == pytest.approx(2.0)
    white = torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    assert float(noise_structure(white)) < 0.02


def test_the_rate_rises_and_falls_as_the_projectors():
    assert rate_factor(0.0, 0.05, 0.25) == 0.0
    assert rate_factor(0.025, 0.05, 0.25) == pytest.approx(0.5)
    assert rate_factor(0.5, 0.05, 0.25) == 1.0
    assert rate_factor(0.875, 0.05, 0.25) == pytest.approx(0.5)
    assert rate_factor(1.0, 0.05, 0.25) == pytest.approx(0.0)
    assert rate_factor(0.3, 0.0, 0.0) == 1.0
