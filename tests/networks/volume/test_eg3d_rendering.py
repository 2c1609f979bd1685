"""Rays, samples and compositing by EG3D's rules: closed forms, and the quirks that are kept."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from studio.networks.volume.camera_numbers import UNIT, camera_numbers
from studio.networks.volume.eg3d_rendering import (
    ALL_PAIRS,
    PUBLISHED,
    Beams,
    beams_of_cameras,
    beams_of_numbers,
    drawn_depths,
    march,
    plane_features,
    spread_depths,
)
from studio.networks.volume.rays import pixel_centres
from tests.networks.volume.closed_forms import DOUBLE, SIDE, camera, turned


def beams(near: float = 1.0, far: float = 3.0) -> Beams:
    """One ray along z."""
    nothing, way = torch.zeros(1, 1, 3, dtype=DOUBLE), torch.tensor([[[0.0, 0.0, 1.0]]], dtype=DOUBLE)
    reach = torch.ones(1, 1, dtype=DOUBLE)
    return Beams(nothing, way, near * reach, far * reach)


def logit_of(density: float) -> float:
    """What softplus(logit - 1) makes of it."""
    return math.log(math.expm1(density)) + 1.0


def evenly(count: int, near: float = 0.0, far: float = 2.0) -> Tensor:
    return torch.linspace(near, far, count, dtype=DOUBLE)[None, None]


def test_even_fog_is_seen_as_beer_and_lambert_say():
    depth, density = evenly(301), 0.7
    logits = torch.full_like(depth, logit_of(density))
    seen = march(logits, torch.full((1, 1, 301, 2), 0.4, dtype=DOUBLE), depth)
    alpha = 1 - math.exp(-density * 2.0)
    assert float(seen.alpha) == pytest.approx(alpha, abs=1e-12)
    assert seen.values.flatten().tolist() == pytest.approx([0.4 * alpha] * 2, abs=1e-12)
    # Mean depth of what is seen: the integral of t σ exp(-σt) over alpha.
    mean = (1 / density - (2.0 + 1 / density) * math.exp(-density * 2.0)) / alpha
    assert float(seen.depth) == pytest.approx(mean, abs=1e-4)
    assert float(seen.weights.sum()) == pytest.approx(alpha, abs=1e-12)


def test_colours_along_a_ray_are_integrated():
    depth, density = evenly(2001), 1.3
    colour = depth[..., None].cos()
    seen = march(torch.full_like(depth, logit_of(density)), colour, depth)
    # ∫ cos(t) σ exp(-σt) dt from 0 to 2.
    s, end = density, math.exp(-density * 2.0)
    whole = s * (s + end * (math.sin(2.0) - s * math.cos(2.0))) / (s * s + 1)
    assert float(seen.values) == pytest.approx(whole, abs=1e-6)


def test_an_opaque_wall_is_where_it_is_and_nothing_is_at_the_end():
    depth = evenly(201)
    logits = torch.where(depth > 1.2, 1e4, -1e4)
    seen = march(logits, torch.ones(1, 1, 201, 1, dtype=DOUBLE), depth)
    assert float(seen.alpha) == pytest.approx(1.0)
    # Half-way into the wall logits are 0; the first stretch wholly inside it has its middle at 1.215.
    thin = 1 - math.exp(-math.log1p(math.exp(-1.0)) * 0.01)
    assert float(seen.depth) == pytest.approx(thin * 1.205 + (1 - thin) * 1.215, abs=1e-9)
    empty = march(torch.full_like(depth, -1e4), torch.ones(1, 1, 201, 1, dtype=DOUBLE), depth)
    assert float(empty.alpha) == 0.0
    assert float(empty.depth) == 2.0


def test_neither_an_empty_nor_a_full_ray_has_a_gradient_that_is_no_number():
    depth = evenly(9).float()
    for level in (-1e4, 0.0, 1e4):
        logits = torch.full_like(depth, level).requires_grad_()
        seen = march(logits, torch.rand(1, 1, 9, 3), depth)
        (seen.values.sum() + seen.depth.sum() + seen.alpha.sum()).backward()
        assert logits.grad is not None
        assert bool(torch.isfinite(logits.grad).all())


def test_samples_lie_half_a_step_late_and_by_chance_within_one():
    laid = spread_depths(beams(), 5, None)[0, 0]
    assert torch.allclose(laid, torch.tensor([1.25, 1.75, 2.25, 2.75, 3.25], dtype=DOUBLE))
    chance = torch.Generator().manual_seed(0)
    drawn = torch.stack([spread_depths(beams(), 5, chance)[0, 0] for _ in range(200)])
    late = drawn - torch.linspace(1.0, 3.0, 5, dtype=DOUBLE)
    assert float(late.min()) >= 0.0
    assert float(late.max()) <= 0.5
    assert float((late.mean() - 0.25).abs()) < 0.02


def test_fine_samples_gather_where_something_was_seen():
    depth, weights = evenly(11), torch.zeros(1, 1, 10, dtype=DOUBLE)
    weights[..., 4] = 1.0
    more = drawn_depths(depth, weights, 200, None)[0, 0]
    assert bool((more.diff() >= 0).all())
    inside = (more > 0.5) & (more < 1.1)
    assert float(inside.double().mean()) > 0.9
    # Half a stretch early: stretch 4 is from 0.8 to 1.0, samples begin with the middle of stretch 3.
    assert float(((more > 0.7) & (more < 0.9)).double().mean()) > 0.4
    flat = drawn_depths(depth, torch.zeros_like(weights), 300, None)[0, 0]
    assert float(flat[0]) == pytest.approx(0.1, abs=0.01)
    assert float(flat[-1]) == pytest.approx(1.7, abs=0.01)  # never in the last stretch


def test_planes_are_read_at_their_coordinates_and_nothing_is_outside():
    side = 64
    line = (torch.arange(side, dtype=DOUBLE) + 0.5) / side * 2 - 1
    across, down = line.expand(side, -1), line[:, None].expand(-1, side)
    planes = torch.stack([torch.stack([across, down])] * 3)[None]
    point = torch.tensor([[[0.3, -0.5, 0.7]]], dtype=DOUBLE)
    for pairs, columns, rows in (
        (PUBLISHED, 0.3 + 0.3 + 0.7, -0.5 + 0.7 + 0.3),
        (ALL_PAIRS, 0.3 + 0.3 + 0.7, -0.5 + 0.7 - 0.5),
    ):
        found = plane_features(planes, point, pairs)[0, 0]
        assert found.tolist() == pytest.approx([columns / 3, rows / 3], abs=1e-9)
    assert not plane_features(planes, point * 10, PUBLISHED).any()


@pytest.mark.parametrize("nearness", [0.0, 1.3])
def test_the_projects_cameras_give_the_rays_of_their_own_numbers(nearness):
    cameras = camera(nearness, turned(20.0, -10.0, 5.0), (50.0, 40.0))
    centre = torch.tensor([0.0, -0.03, 0.0], dtype=DOUBLE)
    pixels = pixel_centres(0.0, 0.0, SIDE, SIDE, 8, 8, dtype=DOUBLE)
    ours = beams_of_cameras(cameras, pixels, centre, UNIT, 0.1, 0.2)
    numbers = beams_of_numbers(camera_numbers(cameras, SIDE), 8, 2.25, 3.3)
    # A telephoto's rays are parallel to a tenth of a millimetre.
    exact = 1e-9 if nearness else 1e-3
    assert torch.allclose(ours.direction, numbers.direction, atol=exact)
    start = ours.origin + centre / UNIT
    away = start - numbers.origin
    beside = away - (away * numbers.direction).sum(-1, keepdim=True) * numbers.direction
    assert float(beside.abs().max()) < exact
    # Spans are cut by planes parallel to the head's.
    ends = torch.stack([ours.near, ours.far], -1)
    metres = (ours.at(ends) * UNIT + centre) @ cameras.rotation.mT[:, None]
    assert torch.allclose(metres[..., 2], torch.tensor([0.1, -0.2], dtype=DOUBLE).expand_as(metres[..., 2]))


def test_rays_of_numbers_begin_at_the_eye_and_have_length_one():
    numbers = torch.cat(
        [
            torch.tensor([[1.0, 0, 0, 0], [0, -1, 0, 0], [0, 0, -1, 2.7], [0, 0, 0, 1]]).flatten(),
            torch.tensor([4.2647, 0, 0.5, 0, 4.2647, 0.5, 0, 0, 1]),
        ]
    )[None]
    found = beams_of_numbers(numbers, 2, 2.25, 3.3)
    assert torch.allclose(found.direction.norm(dim=-1), torch.ones(1, 4))
    assert torch.equal(found.origin, torch.tensor([0.0, 0.0, 2.7]).expand(1, 4, 3))
    # Upper left first: to the viewer's left and up, away from the eye.
    left_up = found.direction[0, 0] / -found.direction[0, 0, 2]
    assert left_up.tolist() == pytest.approx([-0.25 / 4.2647, 0.25 / 4.2647, -1.0], abs=1e-6)
    with pytest.raises(ValueError, match="25"):
        beams_of_numbers(torch.zeros(2, 16), 2, 2.25, 3.3)
