"""The hybrid tri-plane generator: a source picture and an expression to three planes (paper, section 3.2).

::

    picture ─ stem ─ merge ─ EAdaLN-ViT × 5 ─ shuffle ─ ViT ─ shuffle ─ convolutions ─ planes (+ average)
             h/4,H/8  h,H/16                   h/4,H/8   h     h/4,H/4                 3·F,H/2

The expression enters in the EAdaLN-ViT blocks and nowhere else, so that what comes before is done once for a
picture. Figure 12 of the paper, which has the layers, is lost; docs/engines/export3d.md says what was chosen.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from studio.engines.export3d.settings import Export3DSettings
from studio.networks.norms import norm
from studio.networks.plane_average import PlaneAverage
from studio.networks.segformer import Conditioning, OverlapPatches, SmoothShuffle, VitBlock, laid_out

SLOPE = 0.2
"""Of the leaky rectifiers."""
HOW: dict[str, Conditioning] = {"eadaln": "adaptive", "cross_attention": "cross"}
"""A setting's name for a block's."""


@dataclass(frozen=True)
class Stemmed:
    """What is known of B source pictures before any expression."""

    tokens: Tensor
    """``[B, t², h]``"""
    skips: dict[int, Tensor]
    """Finer features by their side, where there are any: ``[B, C, s, s]``."""


class PlaneGenerator(nn.Module):
    """G of the paper."""

    def __init__(self, shape: Export3DSettings, channels: int) -> None:
        """
        Args:
            shape: its size.
            channels: of what the stem sees.
        """
        super().__init__()
        self.shape = shape
        width, quarter = shape.width, shape.width // 4
        self.stem, widths = nn.ModuleList(), [channels]
        for step in range(shape.stem_halvings):
            last = step == shape.stem_halvings - 1
            widths.append(quarter if last else min(quarter, shape.stem_first << step))
            self.stem.append(_halving(widths[-2], widths[-1]))
        self.skip_channels = {
            shape.side >> (step + 1): count for step, count in enumerate(widths[1:]) if shape.skips
        }
        self.merge = OverlapPatches(quarter, width, 2)
        told = (HOW[shape.conditioning], shape.representation, shape.condition_tokens)
        self.blocks = nn.ModuleList(
            VitBlock(width, shape.heads, shape.reduction, shape.expansion, *told) for _ in range(shape.blocks)
        )
        self.shuffle = SmoothShuffle(shape.low_pass)
        side = shape.token_side * 2
        channels = quarter + self.skip_channels.get(side, 0)
        if shape.late_blocks:
            self.late_patches = OverlapPatches(channels, width, 1)
            self.late = nn.ModuleList(
                VitBlock(width, shape.heads, shape.late_reduction, shape.expansion)
                for _ in range(shape.late_blocks)
            )
            side *= 2
            channels = quarter + self.skip_channels.get(side, 0)
        self.enlarging = nn.ModuleList()
        while side < shape.plane_side:
            side *= 2
            self.enlarging.append(_convolution(channels, shape.decoder_channels))
            channels = shape.decoder_channels + self.skip_channels.get(side, 0)
        if side != shape.plane_side:
            raise ValueError(f"planes of {shape.plane_side} cannot be made of tokens for {shape.side}")
        self.decode = nn.Sequential(
            _convolution(channels, shape.decoder_channels),
            nn.Conv2d(shape.decoder_channels, 3 * shape.plane_features, 3, padding=1),
        )
        self.average = PlaneAverage(shape.plane_features, shape.plane_side, shape.plane_average)

    def see(self, pictures: Tensor) -> Stemmed:
        """Sources ``[B, C, S, S]`` to tokens: what holds for all of a person's expressions."""
        x, skips = pictures, {}
        for halving in self.stem:
            x = halving(x)
            if x.shape[2] in self.skip_channels:
                skips[x.shape[2]] = x
        return Stemmed(self.merge(x), skips)

    def forward(self, seen: Stemmed, expression: Tensor) -> Tensor:
        """Planes ``[B, 3, F, P, P]``: front, top and side (``volume.planes.AXES``).

        Args:
            seen: from :meth:`see`; one picture may serve B expressions.
            expression: ``[B, d]`` representations β′.
        """
        side, batch = self.shape.token_side, len(expression)
        x = seen.tokens if len(seen.tokens) == batch else seen.tokens.expand(batch, -1, -1)
        for block in self.blocks:
            x = block(x, side, expression)
        grid = self._beside(self.shuffle(laid_out(x, side)), seen)
        if self.shape.late_blocks:
            side = grid.shape[2]
            x = self.late_patches(grid)
            for block in self.late:
                x = block(x, side)
            grid = self._beside(self.shuffle(laid_out(x, side)), seen)
        for convolution in self.enlarging:
            grid = functional.interpolate(grid, scale_factor=2.0, mode="bilinear", align_corners=False)
            grid = self._beside(convolution(grid), seen)
        planes = self.decode(grid).unflatten(1, (3, self.shape.plane_features))
        whole: Tensor = self.average(planes)
        return whole

    def _beside(self, grid: Tensor, seen: Stemmed) -> Tensor:
        """With the stem's features of the same side, where there are any."""
        finer = seen.skips.get(grid.shape[2])
        if finer is None:
            return grid
        return torch.cat([grid, finer.expand(len(grid), -1, -1, -1)], 1)


def _halving(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, 2, 1), norm("group", after), nn.LeakyReLU(SLOPE))


def _convolution(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, padding=1), nn.LeakyReLU(SLOPE))
