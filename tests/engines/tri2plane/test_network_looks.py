"""What rays see of a network: closed forms, equal pictures, and gradients that arrive."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from studio.engines.tri2plane.canonical import PRIOR
from studio.engines.tri2plane.generator import DRIVE, MAPS
from studio.engines.tri2plane.network import DENSITY, Moment, Tri2Network, octaves
from studio.networks.volume.compositing import Composite
from studio.networks.volume.rays import Cameras, pixel_centres
from tests.engines.tri2plane.small_volume import TINY, random_network, small_person

GRID, SIDE = 32, 12


def moment_of(seed: int = 0, code: int = TINY.code) -> Moment:
    chance = torch.Generator().manual_seed(seed)

    def numbers(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=chance)

    return Moment(
        motion_map=numbers(1, MAPS, GRID, GRID).clamp(-1, 1),
        displacement=torch.zeros(1, 3, GRID, GRID),
        drive=numbers(1, DRIVE),
        body=torch.eye(2, 3)[None],
        code=numbers(1, code),
    )


def camera(turn: float = 0.0) -> Cameras:
    """Sees the head's plane from -0.15 to 0.15 m in SIDE pixels."""
    c, s = np.cos(np.deg2rad(turn)), np.sin(np.deg2rad(turn))
    rotation = torch.tensor([[[c, 0, s], [0, 1, 0], [-s, 0, c]]], dtype=torch.float32)
    step = 0.3 / SIDE
    to_plane = torch.tensor([[[step, 0.0, -0.15], [0.0, -step, 0.15]]])
    return Cameras(rotation, to_plane, torch.zeros(1), torch.zeros(1, 2))


PIXELS = pixel_centres(0, 0, SIDE, SIDE, SIDE, SIDE)


def look(
    network: Tri2Network,
    moment: Moment,
    turn: float = 0.0,
    chance: torch.Generator | None = None,
) -> Composite:
    return network.look(network.planes(moment), moment, camera(turn), PIXELS, chance)


def fog(shape: dict[str, Any], logit: float, colours: tuple[float, float, float]) -> Tri2Network:
    """A network that holds the same everywhere, and whose proxy is behind all of it."""
    person = small_person(GRID)
    person = replace(person, proxy=np.full_like(person.proxy, -9.0))
    torch.manual_seed(0)
    network = Tri2Network(replace(TINY, **shape), person)
    with torch.no_grad():
        linear(network.density, 2).weight.zero_()
        linear(network.density, 2).bias.fill_(logit)
        linear(network.colour, 2).weight.zero_()
        linear(network.colour, 2).bias[:3] = torch.tensor(colours)
    return network


def linear(layers: nn.Sequential, number: int) -> nn.Linear:
    layer = layers[number]
    assert isinstance(layer, nn.Linear)
    return layer


def test_even_fog_dims_by_the_length_of_the_box():
    logit, colours = 1.0, (0.7, -0.4, 2.0)
    network = fog({}, logit, colours)
    with torch.no_grad():
        seen = look(network, moment_of())
    person = small_person(GRID)
    # Rays begin 2 cm before the box, and end 6 cm before its back, where nobody ever looks.
    length = (float(person.high[2]) + 0.02) - (float(person.low[2]) + 0.06)
    density = DENSITY * float(functional.softplus(torch.tensor(logit + PRIOR[0])))
    alpha = 1.0 - np.exp(-density * length)
    assert 0.1 < alpha < 0.9
    torch.testing.assert_close(seen.alpha, torch.full_like(seen.alpha, alpha), rtol=1e-3, atol=1e-4)
    for channel, value in enumerate(colours):
        shade = 1.002 / (1.0 + np.exp(-value)) - 0.001
        expected = torch.full_like(seen.alpha, alpha * shade)
        torch.testing.assert_close(seen.values[..., channel], expected, rtol=1e-3, atol=1e-4)


def test_the_same_question_has_the_same_answer_and_chance_only_moves_samples():
    network, moment = random_network(), moment_of()
    with torch.no_grad():
        first, again = look(network, moment), look(network, moment)
        assert torch.equal(first.values, again.values)
        one, same, other = (
            look(network, moment, chance=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
        )
    assert torch.equal(one.values, same.values)
    assert not torch.equal(one.values, other.values)
    inside = first.alpha > 0.9
    assert inside.sum() > 12
    assert (one.alpha - first.alpha)[inside].abs().mean() < 0.05


def test_samples_are_looked_for_in_the_coarsest_and_seen_in_the_finest_planes():
    network, moment = random_network(), moment_of()
    with torch.no_grad():
        coarse, fine = network.planes(moment)
    coarse, fine = coarse.requires_grad_(), fine.requires_grad_()
    seen = network.look([coarse, fine], moment, camera(), PIXELS)
    seen.values.sum().backward()
    assert coarse.grad is None
    assert fine.grad is not None
    assert fine.grad.any()
    with torch.no_grad():
        moved = network.look([coarse + 1.5, fine], moment, camera(), PIXELS)
    assert not torch.equal(moved.values, seen.values)


def _graded(network: Tri2Network, *modules: Any) -> list[bool]:
    """Whether every parameter of each module got a gradient."""
    return [
        all(p.grad is not None and bool(p.grad.any()) for p in parameters)
        for parameters in ([*m.parameters()] for m in modules)
    ]


def test_gradients_reach_everything_that_is_trained():
    network, moment = random_network(), moment_of()
    code = moment.code.clone().requires_grad_()
    seen = look(network.train(), replace(moment, code=code))
    # As squares, because the sum of a normalised encoding does not depend on it.
    (seen.values.square().mean() + seen.alpha.square().mean()).backward()
    generator = network.generator
    parts = (generator.standing, generator.to_planes, generator.blocks, network.mapping)
    assert _graded(network, *parts, network.density, network.colour) == [True] * 6
    assert code.grad is not None
    assert code.grad.any()
    assert all(p.grad is not None for p in network.encoder.parameters())
    assert network.encoder.out.weight.grad is not None
    assert network.encoder.out.weight.grad.any()
    first = next(network.encoder.parameters())
    assert first.grad is not None
    assert first.grad.any()


def test_a_new_network_learns_at_its_planes_first():
    torch.manual_seed(2)
    network = Tri2Network(TINY, small_person(GRID))
    look(network, moment_of()).values.square().mean().backward()
    standing, heads = network.generator.standing, network.generator.to_planes
    assert _graded(network, standing, heads) == [True, True]
    assert all(p.grad is None or not p.grad.any() for p in network.encoder.parameters())


def test_colours_follow_the_view_only_where_they_may():
    for count, follows in ((2, True), (0, False)):
        network = fog({"view_octaves": count}, 6.0, (0.0, 0.0, 0.0))
        with torch.no_grad():
            linear(network.colour, 0).weight.normal_(0.0, 1.0)
            linear(network.colour, 2).weight.normal_(0.0, 1.0)
            for standing in network.generator.standing:
                standing.zero_()
            ahead, aside = (look(network, moment_of(), turn).values for turn in (0.0, 40.0))
        assert (not torch.allclose(ahead, aside, atol=1e-3)) is follows


def test_octaves_are_sines_and_cosines_of_doubled_directions():
    directions = functional.normalize(
        torch.randn(4, 5, 3, generator=torch.Generator().manual_seed(0)), dim=-1
    )
    found = octaves(directions, 3).numpy()
    assert found.shape == (4, 5, 18)
    at = directions.numpy()[..., None] * np.array([1.0, 2.0, 4.0])
    expected = np.concatenate([np.sin(at), np.cos(at)], -1).reshape(4, 5, 18)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("upscale", [1, 2])
def test_where_nothing_covers_it_the_background_is_untouched(upscale: int):
    network = random_network(upscale=upscale)
    chance = torch.Generator().manual_seed(1)
    alpha = torch.zeros(2, 1, 16, 16)
    alpha[:, :, :8] = torch.rand(2, 1, 8, 16, generator=chance)
    seen = torch.randn(2, TINY.features, 16, 16, generator=chance) * alpha
    behind = torch.rand(2, 3, 16 * upscale, 16 * upscale, generator=chance)
    with torch.no_grad():
        picture, cover = network.picture(seen, alpha, behind)
        before, _ = network.picture(seen, alpha, torch.zeros_like(behind))
    assert picture.shape == behind.shape
    assert cover.shape == (2, 1, 16 * upscale, 16 * upscale)
    below = slice(8 * upscale + upscale - 1, None)
    assert torch.equal(picture[:, :, below], behind[:, :, below])
    assert not cover[:, :, below].any()
    torch.testing.assert_close(picture - before, (1.0 - cover) * behind, atol=1e-6, rtol=1e-5)
    if upscale == 1:
        assert torch.equal(cover, alpha)
    assert (before[:, :, : 4 * upscale].abs() > 1e-3).any()


def test_a_new_picture_is_what_rays_brought_back():
    torch.manual_seed(3)
    network = Tri2Network(TINY, small_person(GRID))
    seen, alpha = torch.rand(1, TINY.features, 16, 16), torch.ones(1, 1, 16, 16)
    picture, _ = network.picture(seen, alpha, torch.zeros(1, 3, 16, 16))
    assert torch.equal(picture, seen[:, :3])
