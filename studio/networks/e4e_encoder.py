"""e4e: pictures to W+ in one pass (Tov et al., Designing an Encoder for StyleGAN Image Manipulation, 2021).

Names and shapes of the state dict are those of ``encoder.*`` in the public checkpoint.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from studio.networks.ir_se50 import IrSe50Config, body, stem

SIDE = 256
"""Side of the picture that the encoder looks at."""
COARSE, MIDDLE = 3, 7
"""Styles before these rows come from coarse features (1/16 of the side), from middle ones (1/8), the others
from fine ones (1/4)."""
TAPS = (6, 20, 23)
"""Units of the body after which fine, middle and coarse features are taken."""


@dataclass(frozen=True)
class E4eConfig:
    """Shape of the encoder; the defaults are the published ones."""

    num_ws: int = 18
    """Rows of W+."""
    w_dim: int = 512
    """Numbers in a row."""
    widths: tuple[int, int, int, int] = (64, 128, 256, 512)
    """Channels of the body's stages; the last must be ``w_dim``."""
    squeeze: int = 16
    """See :class:`~studio.networks.ir_se50.IrSe50Config`."""
    residual: bool = True
    """Rows are the first row plus their own offset (e4e); otherwise each row stands alone (pSp)."""


class EqualLinear(nn.Module):
    """A linear layer whose stored weights are unit normal and scaled when used."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(width, width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """``[B, width]`` to the same."""
        return F.linear(x, self.weight / math.sqrt(self.weight.shape[1]), self.bias)


class GradualStyle(nn.Module):
    """Features of some side to one style, halving them until a single pixel is left."""

    def __init__(self, width: int, side: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(side.bit_length() - 1):
            layers += [nn.Conv2d(width, width, 3, 2, 1), nn.LeakyReLU(0.01)]
        self.convs = nn.Sequential(*layers)
        self.linear = EqualLinear(width)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, width, side, side]`` to ``[B, width]``."""
        style: Tensor = self.linear(self.convs(x).flatten(1))
        return style


class E4eEncoder(nn.Module):
    """Aligned crops to W+ latents of the generator with which the encoder was trained."""

    latent_avg: Tensor

    def __init__(self, config: E4eConfig | None = None) -> None:
        super().__init__()
        config = config or E4eConfig()
        self.config = config
        width = config.widths[-1]
        assert width == config.w_dim
        self.input_layer = stem(config.widths)
        self.body = body(IrSe50Config(config.widths, config.squeeze))
        sides = [16 if row < COARSE else 32 if row < MIDDLE else 64 for row in range(config.num_ws)]
        self.styles = nn.ModuleList(GradualStyle(width, side) for side in sides)
        self.latlayer1 = nn.Conv2d(config.widths[2], width, 1)
        self.latlayer2 = nn.Conv2d(config.widths[1], width, 1)
        self.register_buffer("latent_avg", torch.zeros(config.num_ws, config.w_dim))

    def forward(self, crops: Tensor) -> Tensor:
        """FFHQ-type aligned crops to latents.

        Args:
            crops: ``[B, 3, R, R]`` in -1..1, RGB; other sizes than 256 are resampled.

        Returns:
            ``[B, num_ws, w_dim]``, the average latent included.
        """
        if crops.shape[-2:] != (SIDE, SIDE):
            larger = max(crops.shape[-2:]) > SIDE
            crops = F.interpolate(crops, (SIDE, SIDE), mode="bilinear", align_corners=False, antialias=larger)
        x = self.input_layer(crops)
        taken: list[Tensor] = []
        for step, unit in enumerate(self.body):
            x = unit(x)
            if step in TAPS:
                taken.append(x)
        fine, middle, coarse = taken
        middle = _onto(coarse, self.latlayer1(middle))
        fine = _onto(middle, self.latlayer2(fine))
        features = [
            coarse if row < COARSE else middle if row < MIDDLE else fine for row in range(len(self.styles))
        ]
        rows = torch.stack([style(x) for style, x in zip(self.styles, features, strict=True)], 1)
        if self.config.residual:
            rows = torch.cat([rows[:, :1], rows[:, :1] + rows[:, 1:]], 1)
        return rows + self.latent_avg


def _onto(small: Tensor, large: Tensor) -> Tensor:
    """Features of half the side added to others, stretched corner to corner."""
    return F.interpolate(small, large.shape[-2:], mode="bilinear", align_corners=True) + large
