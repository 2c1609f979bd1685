"""From raw picture to the picture's side: plain convolutions, EG3D's module without styles (section 3.3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from studio.engines.export3d.settings import Export3DSettings

SLOPE = 0.2
"""Of the leaky rectifiers."""
FEWEST = 16
"""Channels that a block has at least."""


class SharpBlock(nn.Module):
    """Twice the side, two 3×3 convolutions, and a correction of the colours."""

    def __init__(self, before: int, after: int, told: int) -> None:
        """
        Args:
            before: channels.
            after: channels.
            told: channels that are laid beside after enlarging.
        """
        super().__init__()
        self.first = nn.Conv2d(before + told, after, 3, padding=1)
        self.second = nn.Conv2d(after, after, 3, padding=1)
        self.colours = nn.Conv2d(after, 3, 1)
        nn.init.zeros_(self.colours.weight)
        assert self.colours.bias is not None
        nn.init.zeros_(self.colours.bias)

    def forward(self, x: Tensor, told: Tensor | None) -> tuple[Tensor, Tensor]:
        """``[B, before, h, w]`` to ``[B, after, 2h, 2w]`` and ``[B, 3, 2h, 2w]``."""
        x = enlarged(x)
        if told is not None:
            x = torch.cat([x, told.to(x.dtype)], 1)
        x = functional.leaky_relu(self.first(x), SLOPE)
        x = functional.leaky_relu(self.second(x), SLOPE)
        return x, self.colours(x)


class SuperResolution(nn.Module):
    """What rays brought back ``[B, R + 1, r, r]`` to a correction of the enlarged raw picture
    ``[B, 3, S, S]``; zero at first."""

    def __init__(self, shape: Export3DSettings) -> None:
        """ValueError when the picture's side is not the raw one's, doubled."""
        super().__init__()
        count = (shape.side // shape.raw_side).bit_length() - 1
        if count < 1 or shape.raw_side << count != shape.side:
            raise ValueError(f"{shape.raw_side} cannot be doubled to {shape.side}")
        widths = [max(FEWEST, shape.sharp_first >> step) for step in range(count)]
        self.blocks = nn.ModuleList()
        before = shape.rendered + 1
        for step, after in enumerate(widths):
            self.blocks.append(SharpBlock(before, after, 3 if step == count - 1 else 0))
            before = after

    def forward(self, features: Tensor, alpha: Tensor, picture: Tensor) -> Tensor:
        """
        Args:
            features: ``[B, R, r, r]``.
            alpha: ``[B, 1, r, r]``.
            picture: ``[B, 3, S, S]`` the enlarged raw picture, which the last block sees.
        """
        x = torch.cat([features, alpha], 1)
        correction: Tensor | None = None
        for step, block in enumerate(self.blocks):
            x, more = block(x, picture if step == len(self.blocks) - 1 else None)
            correction = more if correction is None else enlarged(correction) + more
        assert correction is not None
        return correction


def enlarged(x: Tensor, times: int = 2) -> Tensor:
    """Bilinear."""
    return functional.interpolate(x, scale_factor=float(times), mode="bilinear", align_corners=False)
