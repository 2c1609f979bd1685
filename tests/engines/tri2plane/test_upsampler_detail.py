"""The upsampler: nothing at first, detail where it is told, and no word from far away."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from studio.engines.tri2plane.upsampler import Upsampler
from tests.engines.tri2plane.small_volume import TINY


def lively(**changes: Any) -> Upsampler:
    torch.manual_seed(0)
    upsampler = Upsampler(replace(TINY, **changes))
    torch.nn.init.normal_(upsampler.last.weight, std=0.1)
    return upsampler.eval()


@pytest.mark.parametrize("upscale", [1, 2])
@pytest.mark.parametrize("depth", [1, 3])
def test_a_new_one_corrects_nothing_and_can_learn(depth: int, upscale: int):
    torch.manual_seed(0)
    upsampler = Upsampler(replace(TINY, depth=depth, upscale=upscale))
    out = upsampler(torch.randn(2, TINY.features, 16, 24), torch.rand(2, 1, 16, 24))
    assert out.shape == (2, 3, 16 * upscale, 24 * upscale)
    assert not out.any()
    out.sum().backward()
    assert upsampler.last.weight.grad is not None
    assert upsampler.last.weight.grad.any()


def test_coverage_and_features_both_count():
    upsampler = lively()
    features, cover = torch.randn(1, TINY.features, 16, 16), torch.rand(1, 1, 16, 16)
    with torch.no_grad():
        plain = upsampler(features, cover)
        assert not torch.allclose(plain, upsampler(features, 1.0 - cover), atol=1e-4)
        assert not torch.allclose(plain, upsampler(-features, cover), atol=1e-4)


def test_a_tile_is_corrected_as_it_is_in_the_whole_picture():
    """It is trained on tiles and shown whole pictures, so nothing far away may matter."""
    upsampler = lively(depth=1)
    torch.manual_seed(1)
    features, cover = torch.randn(1, TINY.features, 64, 64), torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        whole = upsampler(features, cover)
        tile = upsampler(features[..., :32, :32], cover[..., :32, :32])
        other = features.clone()
        other[..., 48:] = 9.0
        changed = upsampler(other, cover)
    torch.testing.assert_close(tile[..., :16, :16], whole[..., :16, :16], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(changed[..., :16], whole[..., :16], atol=1e-5, rtol=1e-5)
    assert not torch.allclose(changed[..., 40:48], whole[..., 40:48], atol=1e-3)


def test_enlarged_detail_stays_in_its_place():
    upsampler = lively(depth=1, upscale=2)
    features, cover = torch.zeros(1, TINY.features, 32, 32), torch.zeros(1, 1, 32, 32)
    spot = features.clone()
    spot[..., 24, 8] = 5.0
    with torch.no_grad():
        change = (upsampler(spot, cover) - upsampler(features, cover)).abs().sum((0, 1))
    total = change.sum()
    line = torch.arange(64) + 0.5
    assert float((change.sum(1) * line).sum() / total) == pytest.approx(49.0, abs=3.0)
    assert float((change.sum(0) * line).sum() / total) == pytest.approx(17.0, abs=3.0)
