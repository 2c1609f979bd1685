"""The compensation network: what the latent forgot of the source picture, added to the planes (figure 9).

Features of the prior's backbone go through SPADE blocks that the source picture modulates, without any
normalisation, so that what the features say survives; each block but the last is followed by a doubling.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from studio.engines.nofa.settings import NofaSettings
from studio.networks.spade import SpadeBlock

NARROWEST = 16
"""Channels that a block has at least."""


class Compensation(nn.Module):
    """Backbone features and source pictures to what is added to the planes; zero at first."""

    def __init__(self, shape: NofaSettings, channels: int) -> None:
        """
        Args:
            shape: of the network.
            channels: of the backbone's features.

        Raises:
            ValueError: the features' side, doubled, is not that of the planes.
        """
        super().__init__()
        if shape.compensation_from << shape.doublings != shape.plane_side:
            raise ValueError(f"{shape.compensation_from} cannot be doubled to {shape.plane_side}")
        self.features = shape.plane_features
        self.blocks = nn.ModuleList()
        for step in range(shape.doublings + 1):
            after = max(NARROWEST, shape.compensation_width >> step)
            self.blocks.append(
                SpadeBlock(channels, after, 3, 0, shape.compensation_hidden, spectral=False, normalised=False)
            )
            channels = after
        self.planes = nn.Conv2d(channels, 3 * shape.plane_features, 3, padding=1)
        nn.init.zeros_(self.planes.weight)
        assert self.planes.bias is not None
        nn.init.zeros_(self.planes.bias)

    def forward(self, features: Tensor, pictures: Tensor) -> Tensor:
        """
        Args:
            features: ``[B, C, s, s]`` of the backbone.
            pictures: ``[B, 3, S, S]`` the sources, -1..1.

        Returns:
            ``[B, 3, F, P, P]``.
        """
        x = features
        for step, block in enumerate(self.blocks):
            if step:
                x = functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            seen = _resized(pictures, x.shape[2])
            x = block(x, seen, None)
        return torch.unflatten(self.planes(x), 1, (3, self.features))


def _resized(pictures: Tensor, side: int) -> Tensor:
    """Means over what a pixel of a smaller picture covers; a larger one is interpolated."""
    if side <= pictures.shape[2]:
        return functional.adaptive_avg_pool2d(pictures, side)
    return functional.interpolate(pictures, (side, side), mode="bilinear", align_corners=False)
