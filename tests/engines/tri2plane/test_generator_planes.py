"""The generator against slow twins: modulation, lines across planes, and the pyramid's sums."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from studio.engines.tri2plane.generator import (
    DRIVE,
    MAPS,
    ModulatedConv,
    MotionEncoder,
    ToTriPlane,
    along,
    enlarged,
)
from studio.engines.tri2plane.network import Moment, Tri2Network
from studio.networks.volume.planes import AXES
from tests.engines.tri2plane.small_volume import TINY, random_network, small_person

GRID = 32


def moments(count: int = 2, seed: int = 0, code: int = TINY.code) -> Moment:
    """Moments that no head ever had."""
    chance = torch.Generator().manual_seed(seed)

    def numbers(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=chance)

    return Moment(
        motion_map=numbers(count, MAPS, GRID, GRID).clamp(-1, 1),
        displacement=0.004 * numbers(count, 3, GRID, GRID),
        drive=numbers(count, DRIVE),
        body=torch.eye(2, 3) + 0.01 * numbers(count, 2, 3),
        code=numbers(count, code),
    )


def test_a_modulated_convolution_is_one_kernel_for_each_example():
    torch.manual_seed(1)
    layer = ModulatedConv(5, 7, 6).double()
    with torch.no_grad():
        layer.scale.weight.normal_()
        layer.scale.bias.normal_()
        layer.bias.normal_()
    x, style = torch.randn(3, 5, 8, 8).double(), torch.randn(3, 6).double()
    for example in range(3):
        kernel = layer.weight.detach().clone()
        for channel in range(5):
            kernel[:, channel] *= 1.0 + layer.scale(style)[example, channel].detach()
        for out in range(7):
            kernel[out] /= float((kernel[out] ** 2).sum()) ** 0.5
        expected = functional.conv2d(x[example : example + 1], kernel, layer.bias, padding=1)
        torch.testing.assert_close(layer(x, style)[example : example + 1], expected, rtol=1e-6, atol=1e-7)


def test_planes_see_the_lines_through_their_places():
    side, features = 4, 2
    planes = torch.randn(2, 3, features, side, side, generator=torch.Generator().manual_seed(2))
    found = along(planes)
    assert found.shape == (2, 3, 3 * features, side, side)
    # In the order in which a plane's channels tell of the other two.
    others = {0: (1, 2), 1: (0, 2), 2: (1, 0)}
    for plane, (column_axis, row_axis) in enumerate(AXES):
        torch.testing.assert_close(found[:, plane, :features], planes[:, plane])
        for part, other in enumerate(others[plane], 1):
            told = found[:, plane, part * features : (part + 1) * features]
            for row in range(side):
                for column in range(side):
                    at = {column_axis: column, row_axis: row}
                    (along_axis,) = {0, 1, 2} - set(at)
                    line = []
                    for step in range(side):
                        place = {**at, along_axis: step}
                        x, y = AXES[other]
                        line.append(planes[:, other, :, place[y], place[x]])
                    torch.testing.assert_close(told[:, :, row, column], torch.stack(line).mean(0))


@pytest.mark.parametrize("convolutions", [1, 3])
def test_new_planes_are_exactly_zero_and_can_learn(convolutions: int):
    torch.manual_seed(3)
    to_planes = ToTriPlane(6, replace(TINY, plane_convolutions=convolutions))
    planes = to_planes(torch.randn(2, 6, 8, 8))
    assert planes.shape == (2, 3, TINY.features, 8, 8)
    assert not planes.any()
    planes.sum().backward()
    assert any(p.grad is not None and p.grad.any() for p in to_planes.parameters())


def test_a_new_network_shows_its_standing_parts_whatever_the_moment():
    torch.manual_seed(4)
    network = Tri2Network(replace(TINY, levels=3), small_person(GRID))
    with torch.no_grad():
        for standing in network.generator.standing:
            standing.normal_()
        pyramid = network.planes(moments())
    assert [planes.shape[-1] for planes in pyramid] == [16, 32, 64]
    expected = network.generator.standing[0].detach()
    for level, planes in enumerate(pyramid):
        if level:
            expected = enlarged(expected) + network.generator.standing[level].detach()
        for example in planes:
            assert torch.equal(example, expected[0])


@pytest.mark.parametrize("changes", [{}, {"lateral": True}, {"standing": False}, {"plane_convolutions": 3}])
def test_a_level_is_the_one_before_enlarged_and_detail(changes: dict[str, Any]):
    network = random_network(levels=3, **changes)
    detail: list[Tensor] = []
    for to_planes in network.generator.to_planes:
        to_planes.register_forward_hook(lambda module, given, made: detail.append(made))
    with torch.no_grad():
        pyramid = network.planes(moments())
        assert all(made.std() > 0.001 for made in detail)
        for level, planes in enumerate(pyramid):
            expected = detail[level]
            if changes.get("standing", True):
                expected = expected + network.generator.standing[level]
            if level:
                expected = expected + enlarged(pyramid[level - 1])
            torch.testing.assert_close(planes, expected)
        fewer = network.planes(moments(), levels=2)
    assert len(fewer) == 2
    for some, all_of_them in zip(fewer, pyramid):
        assert torch.equal(some, all_of_them)


def test_enlarged_planes_show_the_same_places():
    planes = torch.randn(2, 3, 4, 6, 6, generator=torch.Generator().manual_seed(5))
    found = enlarged(planes)
    assert found.shape == (2, 3, 4, 12, 12)
    for index in np.ndindex(2, 3, 4):
        expected = cv2.resize(planes[index].numpy(), (12, 12), interpolation=cv2.INTER_LINEAR)
        np.testing.assert_allclose(found[index].numpy(), expected, atol=1e-5)


def test_planes_answer_to_everything_the_network_is_told():
    network, moment = random_network(), moments(1)
    other = moments(1, seed=9)
    with torch.no_grad():
        plain = network.planes(moment)[-1]
        for name in ("motion_map", "drive", "code"):
            changed = network.planes(replace(moment, **{name: getattr(other, name)}))[-1]
            assert (changed - plain).abs().max() > 1e-4, name
        # Where the body is and how the face is displaced bend rays, not planes.
        for name in ("body", "displacement"):
            changed = network.planes(replace(moment, **{name: getattr(other, name)}))[-1]
            assert torch.equal(changed, plain), name


def test_lateral_maps_enter_where_they_are():
    network, moment = random_network(lateral=True), moments(1)
    moved = moment.displacement.clone()
    moved[..., : GRID // 8] += 0.02  # the leftmost strip of the maps, 4 of 32 columns
    with torch.no_grad():
        change = (
            (network.planes(replace(moment, displacement=moved))[-1] - network.planes(moment)[-1])
            .abs()
            .mean((0, 1, 2, 3))
        )
    assert change[:8].mean() > 3 * change[-8:].mean()


@pytest.mark.parametrize("size", [32, 40, 64])
def test_motion_maps_of_every_size_are_encoded(size: int):
    encoder = MotionEncoder(TINY, size)
    encoded = encoder(torch.randn(2, MAPS, size, size, generator=torch.Generator().manual_seed(6)))
    assert encoded.shape == (2, TINY.encoded)
    assert (encoded[0] - encoded[1]).abs().max() > 0.01
    torch.testing.assert_close(encoded.mean(1), torch.zeros(2), atol=1e-5, rtol=0)
