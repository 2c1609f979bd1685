"""Blocks of tokens against slow twins, and what conditions do to them."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from studio.networks.segformer import (
    EfficientAttention,
    MixFeedForward,
    OverlapPatches,
    SmoothShuffle,
    VitBlock,
    laid_out,
    tokens_of,
)


@pytest.mark.parametrize("reduction", [1, 2])
def test_attention_is_that_of_its_slow_twin(reduction):
    torch.manual_seed(0)
    width, heads, side = 8, 2, 4
    attention = EfficientAttention(width, heads, reduction)
    x = torch.randn(2, side * side, width)
    seen = x
    if reduction > 1:
        assert attention.merge is not None
        merged = attention.merge(x.mT.reshape(2, width, side, side))
        seen = attention.merged_norm(merged.flatten(2).mT)
    assert seen.shape[1] == (side // reduction) ** 2
    drawn = torch.zeros_like(x)
    q, kv = attention.query(x), attention.key_value(seen)
    for head in range(heads):
        part = slice(head * width // heads, (head + 1) * width // heads)
        k, v = kv[..., :width][..., part], kv[..., width:][..., part]
        share = (q[..., part] @ k.mT / math.sqrt(width / heads)).softmax(-1)
        drawn[..., part] = share @ v
    assert torch.allclose(attention(x, side), attention.out(drawn), atol=1e-5)


def test_mixing_reaches_a_tokens_neighbours_and_no_farther():
    torch.manual_seed(1)
    feed, x = MixFeedForward(4, 2), torch.randn(1, 25, 4)
    other = x.clone()
    other[0, 12] += 1.0  # the middle of 5 × 5
    changed = (feed(other, 5) - feed(x, 5)).abs().amax(-1).view(5, 5) > 1e-6
    wanted = torch.zeros(5, 5, dtype=torch.bool)
    wanted[1:4, 1:4] = True
    assert torch.equal(changed, wanted)


def test_patches_overlap():
    patches = OverlapPatches(3, 8, 2)
    x = torch.randn(1, 3, 8, 8)
    assert patches(x).shape == (1, 16, 8)
    other = x.clone()
    other[0, :, 3, 3] += 1.0  # an odd place belongs to four patches
    assert int(((patches(other) - patches(x)).abs().amax(-1) > 1e-6).sum()) == 4


def test_tokens_and_maps_are_each_others_inverse():
    x = torch.randn(2, 3, 4, 4)
    assert torch.equal(laid_out(tokens_of(x), 4), x)


@pytest.mark.parametrize("how", ["adaptive", "cross"])
def test_a_condition_begins_without_effect_and_then_has_one(how):
    torch.manual_seed(2)
    block = VitBlock(8, 2, conditioning=how, condition=5, tokens=3)
    x, one, two = torch.randn(1, 9, 8), torch.randn(1, 5), torch.randn(1, 5)
    assert torch.equal(block(x, 3, one), block(x, 3, two))
    with torch.no_grad():
        for name, weight in block.named_parameters():
            if "told" in name or "crossing.out" in name:
                weight.normal_(std=0.3)
    assert (block(x, 3, one) - block(x, 3, two)).abs().max() > 1e-3


def test_a_block_without_condition_is_its_two_halves():
    torch.manual_seed(3)
    block, x = VitBlock(8, 2), torch.randn(1, 9, 8)
    y = x + block.attention(functional.layer_norm(x, (8,)), 3)
    assert torch.allclose(block(x, 3), y + block.feed(functional.layer_norm(y, (8,)), 3), atol=1e-6)


def test_shuffling_smooths_the_seams_and_keeps_the_mean():
    shuffle = SmoothShuffle(1.0)
    seams = torch.tensor([1.0, -1.0, -1.0, 1.0])[None, :, None, None].expand(1, 4, 6, 6)
    hard, soft = functional.pixel_shuffle(seams, 2), shuffle(seams)
    assert soft.shape == (1, 1, 12, 12)
    # Three taps of a Gaussian let (1 - 2 e)² / (1 + 2 e)² of a checkerboard through, e = exp(-½).
    e = math.exp(-0.5)
    through = ((1 - 2 * e) / (1 + 2 * e)) ** 2
    assert torch.allclose(soft[..., 1:-1, 1:-1], through * hard[..., 1:-1, 1:-1], atol=1e-6)
    even = torch.full((1, 4, 3, 3), 0.7)
    assert torch.allclose(shuffle(even), torch.full((1, 1, 6, 6), 0.7))
    assert torch.equal(SmoothShuffle(0.0)(seams), hard)


def test_heads_that_cannot_share_a_width_are_refused():
    with pytest.raises(ValueError, match="cannot share"):
        EfficientAttention(10, 4, 1)
