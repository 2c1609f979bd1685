"""Compensation: SPADE without normalisation, silent at first, that sees the source in place."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from studio.engines.nofa.compensation import Compensation
from studio.networks.spade import Spade, SpadeBlock
from tests.engines.nofa.little_nofa import PAPER


def test_without_normalisation_features_survive_as_they_are():
    torch.manual_seed(0)
    plain, normalised = Spade(4, 3, normalised=False), Spade(4, 3)
    with torch.no_grad():
        for part in (plain, normalised):
            part.modulate.weight.zero_()
            assert part.modulate.bias is not None
            part.modulate.bias.zero_()
    x, told = 3.0 * torch.randn(2, 4, 6, 6) + 5.0, torch.randn(2, 3, 6, 6)
    assert torch.equal(plain(x, told), x)
    assert not torch.allclose(normalised(x, told), x, atol=1.0)


def test_a_block_without_normalisation_is_its_equation():
    torch.manual_seed(0)
    block = SpadeBlock(4, 6, 3, 0, 5, spectral=False, normalised=False)
    x, picture = torch.randn(1, 4, 8, 8), torch.randn(1, 3, 8, 8)

    def modulated(number, norm, value):
        hidden = torch.relu(block.conditions[number].conv(picture))
        scale, shift = norm.modulate(hidden).chunk(2, 1)
        return value * (1 + scale) + shift

    def bent(value):
        return torch.where(value > 0, value, 0.2 * value)

    assert block.around is not None
    y = block.conv1(bent(modulated(0, block.norm1, x)))
    y = block.conv2(bent(modulated(1, block.norm2, y)))
    around = block.around(modulated(2, block.norm_around, x))
    assert torch.allclose(block(x, picture, None), around + y, atol=1e-5)


def test_it_is_silent_at_first_yet_learns():
    torch.manual_seed(0)
    made = Compensation(PAPER, 8)
    features, source = torch.randn(2, 8, 8, 8), torch.randn(2, 3, 64, 64)
    added = made(features, source)
    assert added.shape == (2, 3, 4, 32, 32)
    assert not added.any()
    (added - 1.0).square().sum().backward()
    assert made.planes.weight.grad is not None
    assert bool(made.planes.weight.grad.any())


def test_it_sees_the_source_where_it_is():
    torch.manual_seed(0)
    made = Compensation(PAPER, 8)
    torch.nn.init.normal_(made.planes.weight)
    features, source = torch.randn(1, 8, 8, 8), torch.randn(1, 3, 64, 64)
    other = source.clone()
    other[..., :8, :8] += 1.0
    with torch.no_grad():
        apart = (made(features, source) - made(features, other)).abs().sum((0, 1, 2))
    # The change fades with the distance from where the source changed.
    assert float(apart[-4:, -4:].mean()) < 0.1 * float(apart[:4, :4].mean())


def test_sides_must_double():
    with pytest.raises(ValueError, match="cannot be doubled"):
        Compensation(replace(PAPER, compensation_from=12), 8)
