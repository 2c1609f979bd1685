"""SegFormer's blocks (Xie et al. 2021): overlapping patches, efficient attention, Mix-FFN.

Nothing says where a token is but the zero border of the convolutions inside, as in the paper.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from studio.networks.adaptive_norm import AdaptiveLayerNorm

Conditioning = Literal["none", "adaptive", "cross"]
"""How a block is told a condition: not at all, by both its normalisations, or by attention to it."""


class OverlapPatches(nn.Module):
    """A 3×3 convolution to tokens that share their borders: ``[B, C, h, w]`` to ``[B, h'·w', width]``."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, width, 3, stride, 1)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        out: Tensor = self.norm(tokens_of(self.conv(x)))
        return out


def tokens_of(x: Tensor) -> Tensor:
    """``[B, C, h, w]`` to ``[B, h·w, C]``, row by row."""
    return x.flatten(2).mT


def laid_out(tokens: Tensor, side: int) -> Tensor:
    """Tokens ``[B, side², C]`` to ``[B, C, side, side]``."""
    return tokens.mT.reshape(len(tokens), -1, side, side)


class EfficientAttention(nn.Module):
    """Multi-head self-attention in which keys and values are of tokens that were merged ``reduction`` by
    ``reduction``."""

    def __init__(self, width: int, heads: int, reduction: int) -> None:
        """ValueError when the heads cannot share the width."""
        super().__init__()
        if width % heads:
            raise ValueError(f"{heads} heads cannot share a width of {width}")
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        self.merge: nn.Conv2d | None = None
        if reduction > 1:
            self.merge = nn.Conv2d(width, width, reduction, reduction)
            self.merged_norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, side: int) -> Tensor:
        """``[B, side², width]`` to the same."""
        seen = x
        if self.merge is not None:
            seen = self.merged_norm(tokens_of(self.merge(laid_out(x, side))))
        out: Tensor = self.out(attended(self.query(x), self.key_value(seen), self.heads))
        return out


class CrossAttention(nn.Module):
    """Tokens look at a few tokens made of a condition. It begins by adding nothing."""

    def __init__(self, width: int, heads: int, condition: int, count: int) -> None:
        """
        Args:
            width: of the tokens.
            heads: that share it.
            condition: numbers of a condition.
            count: tokens that are made of it.
        """
        super().__init__()
        self.heads, self.count = heads, count
        self.spread = nn.Linear(condition, count * width)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """``[B, N, width]`` and ``[B, condition]`` to ``[B, N, width]``."""
        told = self.spread(condition).unflatten(1, (self.count, -1))
        out: Tensor = self.out(attended(self.query(x), self.key_value(told), self.heads))
        return out


def attended(query: Tensor, key_value: Tensor, heads: int) -> Tensor:
    """Scaled dot-product attention: queries ``[B, N, C]``, keys with values ``[B, M, 2C]``."""
    q, k, v = (
        part.reshape(*part.shape[:2], heads, -1).transpose(1, 2) for part in (query, *key_value.chunk(2, -1))
    )
    return functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


class MixFeedForward(nn.Module):
    """Two linear layers with a 3×3 convolution of each channel between them."""

    def __init__(self, width: int, expansion: int) -> None:
        super().__init__()
        inner = width * expansion
        self.first = nn.Linear(width, inner)
        self.mix = nn.Conv2d(inner, inner, 3, padding=1, groups=inner)
        self.second = nn.Linear(inner, width)

    def forward(self, x: Tensor, side: int) -> Tensor:
        """``[B, side², width]`` to the same."""
        inner = tokens_of(self.mix(laid_out(self.first(x), side)))
        out: Tensor = self.second(functional.gelu(inner))
        return out


class VitBlock(nn.Module):
    """Attention, then Mix-FFN, each behind a normalisation and with a way around it.

    A condition enters before both, by the normalisations; or by attention to it, between the two.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        reduction: int = 1,
        expansion: int = 4,
        conditioning: Conditioning = "none",
        condition: int = 0,
        tokens: int = 1,
    ) -> None:
        """
        Args:
            width: of the tokens.
            heads: of the attention.
            reduction: see :class:`EfficientAttention`.
            expansion: how many times wider the Mix-FFN is inside.
            conditioning: how a condition enters.
            condition: its numbers.
            tokens: that it becomes for attention to it.
        """
        super().__init__()
        adaptive = conditioning == "adaptive"
        self.norms = nn.ModuleList(
            AdaptiveLayerNorm(width, condition) if adaptive else nn.LayerNorm(width) for _ in range(2)
        )
        self.attention = EfficientAttention(width, heads, reduction)
        self.feed = MixFeedForward(width, expansion)
        self.crossing: CrossAttention | None = None
        if conditioning == "cross":
            self.crossing_norm = nn.LayerNorm(width)
            self.crossing = CrossAttention(width, heads, condition, tokens)

    def forward(self, x: Tensor, side: int, condition: Tensor | None = None) -> Tensor:
        """Tokens ``[B, side², width]``, and ``[B, condition]`` where there is one, to tokens."""
        x = x + self.attention(self._normed(0, x, condition), side)
        if self.crossing is not None:
            x = x + self.crossing(self.crossing_norm(x), condition)
        out: Tensor = x + self.feed(self._normed(1, x, condition), side)
        return out

    def _normed(self, which: int, x: Tensor, condition: Tensor | None) -> Tensor:
        norm = self.norms[which]
        out: Tensor = norm(x, condition) if isinstance(norm, AdaptiveLayerNorm) else norm(x)
        return out


class SmoothShuffle(nn.Module):
    """Pixel shuffle, then a Gaussian low-pass (Karras et al. 2021): four channels become a place's four
    neighbours, and what would be a grid of seams between them is smoothed."""

    kernel: Tensor
    """``[3]`` its sum is 1."""

    def __init__(self, deviation: float) -> None:
        """
        Args:
            deviation: of the Gaussian, pixels of the larger map; 0 for none.
        """
        super().__init__()
        steps = torch.tensor([-1.0, 0.0, 1.0])
        weight = torch.exp(-0.5 * (steps / deviation).square()) if deviation else (steps == 0).float()
        self.register_buffer("kernel", weight / weight.sum(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, 4C, h, w]`` to ``[B, C, 2h, 2w]``."""
        return smoothed(functional.pixel_shuffle(x, 2), self.kernel)


def smoothed(x: Tensor, kernel: Tensor) -> Tensor:
    """Each channel of ``[B, C, h, w]`` convolved with ``[3]`` along both axes; borders are repeated."""
    wide = functional.pad(x, (1, 1, 1, 1), mode="replicate")
    size = wide.shape[2] - 2, wide.shape[3] - 2
    a, b, c = kernel.to(x.dtype)
    down = a * wide[:, :, : size[0]] + b * wide[:, :, 1:-1] + c * wide[:, :, 2:]
    return a * down[..., : size[1]] + b * down[..., 1:-1] + c * down[..., 2:]
