"""A normalisation that a condition tells its scale and shift."""

from __future__ import annotations

import torch
from torch.nn import functional

from studio.networks.adaptive_norm import AdaptiveLayerNorm


def test_neutral_it_is_layer_normalisation_exactly():
    torch.manual_seed(0)
    norm = AdaptiveLayerNorm(16, 5)
    x, condition = torch.randn(3, 7, 16), torch.randn(3, 5)
    assert torch.equal(norm(x, condition), functional.layer_norm(x, (16,)))


def test_it_scales_and_shifts_each_example_by_its_own_condition():
    torch.manual_seed(1)
    norm = AdaptiveLayerNorm(4, 2)
    with torch.no_grad():
        norm.told.weight.normal_()
        norm.told.bias.normal_()
    x, condition = torch.randn(2, 3, 4), torch.randn(2, 2)
    drawn = norm(x, condition)
    for example in range(2):
        said = norm.told.weight @ condition[example] + norm.told.bias
        for token in range(3):
            row = x[example, token]
            plain = (row - row.mean()) / (row.var(unbiased=False) + 1e-5).sqrt()
            assert torch.allclose(drawn[example, token], (1 + said[:4]) * plain + said[4:], atol=1e-5)
