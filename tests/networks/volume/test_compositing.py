"""Compositing against what a slab, two slabs and a sphere must look like."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from studio.networks.volume.compositing import composite, important, lengths_of, stratified, visibility
from tests.networks.volume.closed_forms import DOUBLE, camera, grid, pattern, seen, sphere_depths, turned

RADIUS = 0.1


def slab(depth: Tensor, low: float, high: float, density: float) -> Tensor:
    return density * ((depth >= low) & (depth < high)).to(depth.dtype)


def line(count: int = 1000) -> tuple[Tensor, Tensor]:
    """Depths of one ray over 1 m and the length of each sample."""
    edges = torch.linspace(0.0, 1.0, count + 1, dtype=DOUBLE)
    depth = 0.5 * (edges[1:] + edges[:-1])
    return depth[None], lengths_of(depth[None], edges[:1], edges[-1:])


@pytest.mark.parametrize("density", [0.3, 4.0, 90.0])
def test_a_slab_hides_what_its_thickness_says(density):
    depth, lengths = line()
    colour = torch.tensor([0.25, 1.0], dtype=DOUBLE).expand(1, depth.shape[1], 2)
    found = composite(slab(depth, 0.2, 0.6, density), lengths, colour, depth)
    alpha = 1.0 - math.exp(-0.4 * density)
    assert abs(float(found.alpha) - alpha) < 1e-12
    assert (found.values - alpha * colour[:, 0]).abs().max() < 1e-12
    # Mean of an exponential cut off at the slab's end, and 1 - alpha of the ray at the last sample.
    inside = 0.2 * alpha + (alpha - 0.4 * density * math.exp(-0.4 * density)) / density
    assert abs(float(found.depth) - inside - (1.0 - alpha) * float(depth[0, -1])) < 1e-4


def test_the_front_slab_hides_the_one_behind():
    depth, lengths = line()
    density = slab(depth, 0.1, 0.2, 9.0) + slab(depth, 0.5, 0.9, 3.0)
    colour = torch.stack([(depth < 0.3).to(DOUBLE), (depth >= 0.3).to(DOUBLE)], -1)
    found = composite(density, lengths, colour, depth)
    through = math.exp(-0.9)
    assert abs(float(found.values[0, 0]) - (1.0 - through)) < 1e-12
    assert abs(float(found.values[0, 1]) - through * (1.0 - math.exp(-1.2))) < 1e-12
    assert abs(float(found.alpha) - (1.0 - math.exp(-2.1))) < 1e-12
    assert (found.weights.sum(-1) - found.alpha).abs().max() < 1e-15


def test_thin_fog_before_a_wall_is_not_forgotten_in_single_precision():
    found = visibility(torch.tensor([0.1, 1e9, 1e9]), torch.tensor([0.1, 0.1, 0.1]))
    assert torch.allclose(found, torch.tensor([1.0 - math.exp(-0.01), math.exp(-0.01), 0.0]), atol=1e-6)


@pytest.mark.parametrize("nearness", [0.0, 2.0])
def test_a_sphere_dims_by_its_chords(nearness):
    rays = camera(nearness, turned(30, 10, 5), eye=(0.03, -0.02)).rays(grid())
    density = 12.0
    found = seen(rays, lambda p: density * (p.norm(dim=-1) < RADIUS), pattern, count=512)
    enter, leave = sphere_depths(rays, RADIUS)
    chord = ((leave - enter) * rays.length).nan_to_num(0.0)
    error = (found.alpha - (1.0 - torch.exp(-density * chord))).abs()
    # A chord is known to one step, 0.3 m / 512 at most 1.2 times.
    assert error.max() < density * 0.0015
    assert found.alpha[enter.isnan()].abs().max() == 0.0


@pytest.mark.parametrize("nearness", [0.0, 2.0])
def test_an_opaque_sphere_shows_its_front_at_the_right_pixels(nearness):
    rays = camera(nearness, turned(-40, 0, 20), centre=(40.3, 52.6), eye=(-0.05, 0.04)).rays(grid())
    found = seen(rays, lambda p: 1e6 * (p.norm(dim=-1) < RADIUS), pattern)
    enter, leave = sphere_depths(rays, RADIUS)
    hit = ~enter.isnan()
    step = 0.3 * math.sqrt(3.0) / 256
    certain = hit & (leave - enter > step)
    assert certain.sum() > 2000
    assert (found.alpha[certain] - 1.0).abs().max() < 1e-9
    assert found.alpha[~hit].abs().max() == 0.0
    assert (found.depth - enter)[certain].abs().max() < step
    surface = rays.in_head(found.depth[..., None])[:, :, 0]
    assert (found.values - pattern(surface))[certain].abs().max() < 0.1


def test_a_near_eye_sees_a_larger_outline_at_the_right_pixels():
    """The cone that touches a sphere of radius r from distance D meets the plane at r D / √(D² − r²)."""
    distance, centre = 0.25, 48.0
    rays = camera(1.0 / distance).rays(grid())
    found = seen(rays, lambda p: 1e6 * (p.norm(dim=-1) < RADIUS), pattern, count=600)
    outline = RADIUS * distance / math.sqrt(distance**2 - RADIUS**2) * 320.0
    away = (grid() - centre).norm(dim=-1)
    assert found.alpha[0][away < outline - 0.1].min() > 0.999
    assert found.alpha[0][away > outline].max() == 0.0
    assert outline > RADIUS * 320.0 + 2.0


def test_lengths_add_up_to_the_span():
    chance = torch.Generator().manual_seed(1)
    enter = torch.rand(5, 7, generator=chance, dtype=DOUBLE)
    leave = enter + torch.rand(5, 7, generator=chance, dtype=DOUBLE)
    depth, edges = stratified(enter, leave, 9, chance)
    lengths = lengths_of(depth, enter, leave)
    assert (lengths.sum(-1) - (leave - enter)).abs().max() < 1e-14
    assert (lengths >= 0).all()
    assert ((depth >= edges[..., :-1]) & (depth <= edges[..., 1:])).all()
    assert depth.dtype == edges.dtype == DOUBLE
    middle, _ = stratified(enter, leave, 9, None)
    even = lengths_of(middle, enter, leave)
    assert (even - even[..., :1]).abs().max() < 1e-14


def test_a_ray_that_misses_has_samples_of_no_length():
    enter, leave = torch.tensor([0.4]), torch.tensor([0.1])
    depth, _ = stratified(enter, leave, 4, None)
    assert lengths_of(depth, enter, leave).abs().max() == 0.0


@pytest.mark.parametrize("random", [True, False], ids=["random", "even"])
def test_important_depths_are_where_the_weights_are(random):
    chance = torch.Generator().manual_seed(2) if random else None
    edges = torch.tensor([0.0, 0.1, 0.5, 0.6, 1.0], dtype=DOUBLE).expand(3, -1)
    weights = torch.tensor([[0.0, 0.3, 0.0, 0.1], [0.0, 0.0, 0.5, 0.0], [0.0, 0.0, 0.0, 0.0]], dtype=DOUBLE)
    depth = important(edges, weights, 400, chance)
    assert (depth.diff(dim=-1) >= 0).all()
    share = torch.stack(
        [((depth >= a) & (depth < b)).double().mean(-1) for a, b in zip(edges[0], edges[0, 1:])]
    )
    expected = torch.tensor([[0, 0.75, 0, 0.25], [0, 0, 1, 0], [0.25, 0.25, 0.25, 0.25]], dtype=DOUBLE)
    assert (share.T - expected).abs().max() < 0.01
    # Evenly inside of a part.
    inside = depth[1][(depth[1] > 0.5) & (depth[1] < 0.6)]
    assert abs(float(inside.mean()) - 0.55) < 1e-3
    assert abs(float(inside.std()) - 0.1 / math.sqrt(12.0)) < 1e-3


def test_two_rounds_of_samples_find_a_thin_wall():
    enter, leave = torch.zeros(1, dtype=DOUBLE), torch.ones(1, dtype=DOUBLE)

    def wall(depth: Tensor) -> Tensor:
        return 200.0 * torch.exp(-(((depth - 0.637) / 0.02) ** 2))

    coarse, edges = stratified(enter, leave, 32, None)
    weights = visibility(wall(coarse), lengths_of(coarse, enter, leave))
    both = torch.cat([coarse, important(edges, weights, 32, None)], -1).sort(-1).values
    found = composite(wall(both), lengths_of(both, enter, leave), both[..., None], both)
    fine, _ = stratified(enter, leave, 20000, None)
    truth = composite(wall(fine), lengths_of(fine, enter, leave), fine[..., None], fine)
    once = composite(wall(coarse), lengths_of(coarse, enter, leave), coarse[..., None], coarse)
    assert float((found.depth - truth.depth).abs()) < 0.1 * float((once.depth - truth.depth).abs())


def test_gradients_reach_density_and_values_and_not_the_drawing():
    depth, lengths = line(12)
    density = torch.rand(1, 12, dtype=DOUBLE, generator=torch.Generator().manual_seed(3)).requires_grad_()
    values = torch.rand(1, 12, 2, dtype=DOUBLE, generator=torch.Generator().manual_seed(4)).requires_grad_()

    def outcome(density: Tensor, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        found = composite(density, lengths, values, depth)
        return found.values, found.alpha, found.depth

    assert torch.autograd.gradcheck(outcome, (density, values))
    edges = torch.linspace(0.0, 1.0, 13, dtype=DOUBLE)[None]
    assert not important(edges, visibility(density, lengths), 5, None).requires_grad
