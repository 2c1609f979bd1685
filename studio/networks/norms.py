"""What feature maps are normalised by: one name for pictures and volumes."""

from __future__ import annotations

import math
from typing import Literal

from torch import nn

Norm = Literal["batch", "group"]
"""batch: over the batch, which several processes have to share; group: each example by itself."""
GROUP = 8
"""Channels normalised together, where their number allows."""


def norm(kind: Norm, channels: int, dimensions: Literal[2, 3] = 2) -> nn.Module:
    """A normalisation with scale and shift of ``[B, C, h, w]``, or of ``[B, C, d, h, w]``."""
    if kind == "group":
        return nn.GroupNorm(max(1, math.gcd(channels, 128) // GROUP), channels)
    return nn.BatchNorm2d(channels) if dimensions == 2 else nn.BatchNorm3d(channels)
