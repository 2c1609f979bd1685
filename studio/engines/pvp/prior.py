"""What a personal generator is, whichever prior it comes from."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from studio.networks.stylegan2 import SynthesisNetwork


class PersonalGenerator(Protocol):
    """Styles to the aligned crop of one person; an ``nn.Module``.

    Attributes:
        num_ws, w_dim: shape of a W+ latent.
        resolution: side R of the crop in pixels.
    """

    num_ws: int
    w_dim: int
    resolution: int

    def __call__(self, ws: Tensor, guide: Tensor | None) -> Tensor:
        """Draw crops.

        Args:
            ws: ``[B, num_ws, w_dim]``.
            guide: ``[B, 3, R, R]`` in -1..1, the warped rendering of the same moment; ignored by a prior that
                draws by itself.

        Returns:
            ``[B, 3, R, R]``, about -1..1, not clipped.
        """


class PretrainedGenerator(nn.Module):
    """A StyleGAN2 synthesis network trained on many faces; draws the whole crop and needs no guide.

    At a resolution below the network's own, the picture is the sum of toRGB up to there, so that the blocks
    above cost nothing.
    """

    def __init__(self, synthesis: SynthesisNetwork, resolution: int | None = None) -> None:
        super().__init__()
        self.synthesis = synthesis
        self.resolution = resolution or synthesis.config.resolution
        # A latent has a row for every layer of the file, also of those above the resolution that is shown:
        # published latents and directions then fit.
        self.num_ws, self.w_dim = synthesis.num_ws, synthesis.w_dim
        synthesis.blocks(self.resolution)

    def forward(self, ws: Tensor, guide: Tensor | None = None) -> Tensor:
        """See :class:`PersonalGenerator`."""
        image: Tensor = self.synthesis(ws, size=self.resolution)
        return image if image.dtype == torch.float64 else image.float()
