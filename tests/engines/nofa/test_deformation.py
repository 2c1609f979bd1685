"""The deformation field: nothing moves without a difference, and each part does what its name says."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from studio.engines.nofa.deformation import DeformationField, PointNetwork, encoded, on_front
from studio.engines.nofa.settings import IDENTITY, NofaSettings
from studio.head.expression_numbers import EXPRESSION
from tests.engines.nofa.little_nofa import PAPER, PROJECT


def field(shape: NofaSettings = PAPER, seed: int = 0) -> DeformationField:
    torch.manual_seed(seed)
    made = DeformationField(shape)
    with torch.no_grad():
        for weight in made.parameters():
            weight.normal_(std=0.5)
    return made


def given(count: int = 2) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    chance = torch.Generator().manual_seed(1)
    points = torch.rand(count, 50, 3, generator=chance) - 0.5
    identity = torch.randn(count, IDENTITY, generator=chance)
    return points, identity, torch.randn(count, EXPRESSION, generator=chance)


@pytest.mark.parametrize("shape", [PAPER, replace(PAPER, weighting=False, identity_condition=False)])
def test_no_difference_is_the_identity_warp_exactly(shape):
    points, identity, difference = given()
    made = field(shape)
    with torch.no_grad():
        assert torch.equal(made.warp(identity, torch.zeros_like(difference))(points), points)
        moved = made.warp(identity, difference)(points)
        assert float((moved - points).abs().mean()) > 0.01
        # A small difference moves in proportion.
        little = made.offset(points, identity, 1e-3 * difference)
        less = made.offset(points, identity, 0.5e-3 * difference)
    assert float(little.norm()) > 1e-3
    assert float((little - 2 * less).norm()) < 0.01 * float(little.norm())


def test_points_of_a_face_do_not_see_each_other_nor_other_faces():
    points, identity, difference = given()
    made = field()
    with torch.no_grad():
        whole = made.offset(points, identity, difference)
        part = made.offset(points[1:, 7:9], identity[1:], difference[1:])
    assert torch.allclose(whole[1:, 7:9], part, atol=1e-5)


def test_the_offset_is_a_mixture_times_a_weight():
    points, identity, difference = given(1)
    made = field()
    with torch.no_grad():
        told = torch.asinh(difference)
        known, places = torch.cat([identity, told], 1), encoded(points, PAPER.frequencies)
        each = made.offsets(places, known)[0]
        amounts = made.amounts.weight @ told[0]
        assert made.weights is not None
        share = 1 / (1 + torch.exp(-made.weights(places, known)[0, :, 0]))
        slow = torch.stack(
            [
                torch.stack([(amounts * row[5 * axis : 5 * axis + 5]).sum() for axis in range(3)])
                for row in each
            ]
        )
        assert torch.allclose(made.offset(points, identity, difference)[0], slow * share[:, None], atol=1e-4)


def test_identity_counts_where_it_is_told():
    points, identity, difference = given()
    other = identity + 1.0
    with torch.no_grad():
        told, blind = field(), field(replace(PAPER, identity_condition=False))
        assert not torch.allclose(
            told.offset(points, identity, difference), told.offset(points, other, difference), atol=1e-3
        )
        assert torch.equal(
            blind.offset(points, identity, difference), blind.offset(points, other, difference)
        )


def test_a_condition_beside_a_layer_is_the_same_as_one_laid_beside_its_points():
    torch.manual_seed(0)
    made = PointNetwork(5, 4, 8, 4, 3)
    places, condition = torch.randn(2, 6, 5), torch.randn(2, 4)
    x = torch.cat([places, condition[:, None].expand(-1, 6, -1)], -1)
    weight = torch.cat([made.first.weight, made.told.weight], 1)
    slow = torch.nn.functional.leaky_relu(x @ weight.T + made.first.bias, 0.2)
    slow = torch.nn.functional.leaky_relu(made.between[0](slow), 0.2)
    slow = torch.nn.functional.leaky_relu(made.between[1](torch.cat([slow, places], -1)), 0.2)
    assert torch.allclose(made(places, condition), made.last(slow), atol=1e-6)


def test_points_are_told_in_waves():
    found = encoded(torch.tensor([[0.25, -0.125, 0.5]]), 2)[0]
    whole = torch.tensor([0.5, -0.25, 1.0])
    wanted = torch.cat(
        [whole, (torch.pi * whole).sin(), (torch.pi * whole).cos(), (2 * torch.pi * whole).sin()]
    )
    assert found.shape == (15,)
    assert torch.allclose(found[:12], wanted, atol=1e-6)


def test_maps_lie_over_the_front_with_their_top_up():
    side = 16
    line = (torch.arange(side) + 0.5) / side - 0.5
    maps = torch.stack([line.expand(side, -1), -line[:, None].expand(-1, side)])[None]
    points = torch.tensor([[[0.2, -0.3, 0.4], [-0.1, 0.25, -0.4]]])
    assert torch.allclose(on_front(maps, points), points[..., :2], atol=1e-6)


def test_the_head_models_part_is_added_and_refused_where_it_is_off():
    points, identity, difference = (x.double() for x in given())
    maps = torch.full((2, 3, 8, 8), 0.02, dtype=torch.float64)
    made = field(PROJECT).double()
    with torch.no_grad():
        alone = made.warp(identity, difference)(points)
        both = made.warp(identity, difference, maps)(points)
        rest = made.warp(identity, torch.zeros_like(difference), torch.zeros_like(maps))(points)
    assert torch.allclose(both - alone, torch.full_like(both, 0.02), atol=1e-9)
    assert torch.equal(rest, points)
    with pytest.raises(ValueError, match="by itself"):
        field().warp(identity, difference, maps)
    with pytest.raises(ValueError, match="57"):
        made.warp(identity, difference[:, :9])
