"""A source picture to W+, as an offset from the prior's average latent (paper, equation 1).

What it leads to is canonical: the same expression for everybody. Nothing tells it so but training, in which
the deformation field starts from there whatever the source's own expression was.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from studio.engines.nofa.settings import NofaSettings
from studio.networks.e4e_encoder import E4eConfig, E4eEncoder, EqualLinear
from studio.networks.norms import norm

SLOPE = 0.2
"""Of the leaky rectifiers."""
LAST = 4
"""Side of the map that the plain encoder reads all rows from."""


class PlainEncoder(nn.Module):
    """Convolutions that halve the side down to four pixels, then two linear layers."""

    def __init__(self, shape: NofaSettings, rows: int) -> None:
        super().__init__()
        halvings = (shape.side // LAST).bit_length() - 1
        widths = [3, *(shape.encoder_widths[min(step, 3)] for step in range(halvings))]
        self.halvings = nn.Sequential(*(_halving(a, b) for a, b in zip(widths, widths[1:])))
        self.gather = nn.Linear(widths[-1] * LAST**2, 2 * shape.w_dim)
        self.rows = nn.Linear(2 * shape.w_dim, rows * shape.w_dim)
        nn.init.zeros_(self.rows.weight)
        nn.init.zeros_(self.rows.bias)

    def forward(self, pictures: Tensor) -> Tensor:
        """``[B, 3, S, S]`` to ``[B, rows · w_dim]``."""
        x = self.gather(self.halvings(pictures).flatten(1))
        out: Tensor = self.rows(nn.functional.leaky_relu(x, SLOPE))
        return out


class CanonicalEncoder(nn.Module):
    """Source pictures to offsets from the average latent; zero at first."""

    def __init__(self, shape: NofaSettings, rows: int) -> None:
        """
        Args:
            shape: of the network.
            rows: of the prior's W+.

        Raises:
            ValueError: e4e's last width is not ``w_dim``.
        """
        super().__init__()
        self.shape, self.row_count = shape, rows
        self.network: nn.Module
        if shape.encoder == "e4e":
            if shape.encoder_widths[-1] != shape.w_dim:
                raise ValueError(f"e4e ends in as many channels as w has numbers: {shape.w_dim}")
            config = E4eConfig(rows, shape.w_dim, shape.encoder_widths, shape.encoder_squeeze)
            self.network = E4eEncoder(config)
            for layer in self.network.modules():
                if isinstance(layer, EqualLinear):
                    nn.init.zeros_(layer.weight)
        else:
            self.network = PlainEncoder(shape, rows)

    def forward(self, pictures: Tensor) -> Tensor:
        """``[B, 3, S, S]`` in -1..1 to ``[B, rows, w_dim]``."""
        if pictures.shape[1:] != (3, self.shape.side, self.shape.side):
            wanted = [3, self.shape.side, self.shape.side]
            raise ValueError(f"sources are [B, {wanted}], got {list(pictures.shape)}")
        found: Tensor = self.network(pictures)
        return torch.reshape(found, (len(pictures), self.row_count, self.shape.w_dim))


def _halving(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, 2, 1), norm("group", after), nn.LeakyReLU(SLOPE))
