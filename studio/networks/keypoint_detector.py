"""Keypoints that nobody named: found by a network that is taught by pictures alone (the paper's rival).

After face-vid2vid's canonical keypoint detector: a U-Net on the small picture, whose features are laid out
in depth and end in one heat map a keypoint; a keypoint is its heat map's mean place. Here it looks at each
frame, so no head pose has to be estimated beside it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from studio.networks.keypoint_flow import places
from studio.networks.norms import Norm, norm
from studio.networks.precision import full_precision

TEMPERATURE = 0.1
"""Heat maps' logits are divided by this."""


class KeypointDetector(nn.Module):
    """Pictures to keypoints."""

    def __init__(
        self,
        keypoints: int,
        shrink: int,
        first: int,
        most: int,
        levels: int,
        depth: int,
        kind: Norm = "batch",
    ) -> None:
        """
        Args:
            keypoints: how many.
            shrink: the picture is this many times smaller when it is looked at.
            first: channels at the U-Net's rim; they double at each level.
            most: up to this many.
            levels: how often the picture is halved.
            depth: layers of a heat map.
            kind: how to normalise.
        """
        super().__init__()
        wide = [min(most, first << (level + 1)) for level in range(levels)]
        self.downs = nn.ModuleList(_Conv(a, b, kind) for a, b in zip([3, *wide], wide))
        ends = [first, *wide][::-1]
        joined = [ends[0], *(2 * width for width in ends[1:-1])]
        self.ups = nn.ModuleList(_Conv(a, b, kind) for a, b in zip(joined, ends[1:]))
        self.lift = nn.Conv2d(first + 3, first * depth, 1)
        self.heat = nn.Conv3d(first, keypoints, 3, padding=1)
        self.shrink, self.depth, self.first = shrink, depth, first

    def forward(self, picture: Tensor) -> Tensor:
        """``[B, 3, S, S]`` in -1..1 to ``[B, K, 3]`` in -1..1; see keypoint_flow for the axes."""
        passed = [functional.avg_pool2d(picture, self.shrink) if self.shrink > 1 else picture]
        for down in self.downs:
            passed.append(functional.avg_pool2d(down(passed[-1]), 2))
        y = passed.pop()
        for up in self.ups:
            y = up(functional.interpolate(y, scale_factor=2.0, mode="nearest"))
            y = torch.cat([y, passed.pop()], 1)
        heat = self.heat(self.lift(y).unflatten(1, (self.first, self.depth)))
        with full_precision(picture):
            heat = heat.float()
            share = (heat.flatten(2) / TEMPERATURE).softmax(2)
            grid = places(heat.shape[2:], heat).flatten(1)
            return share @ grid.mT


class _Conv(nn.Module):
    """Convolution, norm, rectifier of a picture."""

    def __init__(self, inside: int, outside: int, kind: Norm) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inside, outside, 3, padding=1)
        self.norm = norm(kind, outside)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.norm(self.conv(x)))
