"""SPADE blocks against their definition, and their light forms against the plain ones."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from studio.networks.spade import Condition, Spade, SpadeBlock, without_spectral_norm


def test_modulation_is_instance_norm_times_one_plus_scale_plus_shift() -> None:
    torch.manual_seed(0)
    part = Spade(3, 2)
    x, condition = torch.randn(2, 3, 6, 6), torch.randn(2, 2, 6, 6)
    scale, shift = functional.conv2d(condition, part.modulate.weight, part.modulate.bias, padding=1).chunk(
        2, 1
    )
    mean, variance = x.mean((2, 3), keepdim=True), x.var((2, 3), keepdim=True, unbiased=False)
    wanted = (x - mean) / (variance + 1e-5).sqrt() * (1.0 + scale) + shift
    assert torch.allclose(part(x, condition), wanted, atol=1e-5)


def test_light_condition_equals_the_plain_one_away_from_the_rim() -> None:
    torch.manual_seed(0)
    plain, light = Condition(4, 3, 5), Condition(4, 3, 5, light=True)
    assert isinstance(light.linear, nn.Linear)
    with torch.no_grad():
        light.conv.weight.copy_(plain.conv.weight[:, :4])
        light.conv.bias = plain.conv.bias
        light.linear.weight.copy_(plain.conv.weight[:, 4:].sum((2, 3)))
        light.linear.bias.zero_()
    features, numbers = torch.randn(2, 4, 8, 8), torch.randn(2, 3)
    a, b = (part(features, numbers, (8, 8)) for part in (plain, light))
    assert torch.allclose(a[..., 1:-1, 1:-1], b[..., 1:-1, 1:-1], atol=1e-5)
    assert plain(features, numbers, (16, 16)).shape == (2, 5, 16, 16)
    assert light(features, numbers, (16, 16)).shape == (2, 5, 8, 8)


@pytest.mark.parametrize("light", [False, True])
@pytest.mark.parametrize("outside", [6, 4])
def test_blocks_follow_features_and_numbers(light: bool, outside: int) -> None:
    torch.manual_seed(0)
    block = SpadeBlock(6, outside, 5, 2, 4, spectral=not light, light=light)
    x, features, numbers = torch.randn(2, 6, 16, 16), torch.randn(2, 5, 8, 8), torch.randn(2, 2)
    y = block(x, features, numbers)
    assert y.shape == (2, outside, 16, 16)
    assert not torch.allclose(block(x, features, numbers + 1.0), y, atol=1e-3)
    assert not torch.allclose(block(x, features.flip(3), numbers), y, atol=1e-3)


def test_spectral_norm_bounds_weights_and_can_be_worked_in_for_good() -> None:
    torch.manual_seed(0)
    block = SpadeBlock(6, 4, 5, 2, 4)
    x, features, numbers = torch.randn(2, 6, 8, 8), torch.randn(2, 5, 8, 8), torch.randn(2, 2)
    for _ in range(20):  # each use brings the estimate of the largest singular value on
        block(x, features, numbers)
    block.eval()
    sizes = [torch.linalg.matrix_norm(c.weight.flatten(1), 2) for c in (block.conv1, block.conv2)]
    assert max(abs(size.item() - 1.0) for size in sizes) < 0.05
    before = block(x, features, numbers)
    without_spectral_norm(block)
    assert not any("parametrizations" in name for name in block.state_dict())
    assert torch.allclose(block(x, features, numbers), before, atol=1e-6)
