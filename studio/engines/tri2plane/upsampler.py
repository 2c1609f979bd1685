"""From what rays bring back to the picture: a small U-Net that adds detail to the rendered colours.

Unlike the paper's it has no instance normalisation: it is trained on a few tiles of a picture and shown whole
ones, whose statistics differ.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from studio.engines.tri2plane.shape import Tri2Shape

SLOPE = 0.2
"""Of the leaky rectifiers."""


class Double(nn.Module):
    """Two 3×3 convolutions with a way around them."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, padding=1)
        self.second = nn.Conv2d(after, after, 3, padding=1)
        self.around = nn.Conv2d(before, after, 1)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, before, H, W]`` to ``[B, after, H, W]``."""
        inner = functional.leaky_relu(self.first(x), SLOPE)
        return functional.leaky_relu(self.second(inner), SLOPE) + self.around(x)


class Upsampler(nn.Module):
    """Features ``[B, F, H, W]``, coverage ``[B, 1, H, W]`` to a correction of the colours
    ``[B, 3, H·upscale, W·upscale]``; zero at first. H and W are multiples of ``2 ** depth``."""

    def __init__(self, shape: Tri2Shape) -> None:
        super().__init__()
        self.upscale = shape.upscale
        widths = [shape.capacity * min(2**i, 8) for i in range(shape.depth + 1)]
        self.first = Double(shape.features + 1, widths[0])
        self.down = nn.ModuleList(Double(a, b) for a, b in zip(widths, widths[1:]))
        self.up = nn.ModuleList(Double(a + b, b) for a, b in zip(widths[:0:-1], widths[-2::-1]))
        self.last = nn.Conv2d(widths[0], 3 * shape.upscale**2, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        assert self.last.bias is not None
        nn.init.zeros_(self.last.bias)

    def forward(self, features: Tensor, cover: Tensor) -> Tensor:
        """See the class."""
        x = self.first(torch.cat([features, cover], 1))
        kept = []
        for block in self.down:
            kept.append(x)
            x = block(functional.avg_pool2d(x, 2))
        for block in self.up:
            x = functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            x = block(torch.cat([x, kept.pop()], 1))
        return functional.pixel_shuffle(self.last(x), self.upscale)
