"""A person that a small random StyleGAN2 draws, as methods see one."""

from __future__ import annotations

import torch
from torch import Tensor

from studio.editing.person import Samples
from studio.networks.stylegan2 import StyleGan2Config, SynthesisNetwork


class GeneratedPerson:
    """See :class:`~studio.editing.person.LatentPerson`. Latents lie around a mean, along some axes; a moment
    tints the picture."""

    def __init__(self, seed: int = 0, resolution: int = 16, drawn: int | None = None) -> None:
        """``drawn``: side of the pictures, when blocks above it are there and not drawn."""
        torch.manual_seed(seed)
        w_dim = 12
        config = StyleGan2Config(resolution, w_dim=w_dim, channel_base=16 * 16, channel_max=16)
        self.network = SynthesisNetwork(config).eval().requires_grad_(False)
        self.num_ws, self.w_dim = config.num_ws, w_dim
        self.resolution = drawn or resolution
        self.moments = 6
        self.device = torch.device("cpu")
        self.style_widths = tuple(
            len(x.affine.weight) for block in self.network.blocks() for x in block.layers
        )
        self.style_rows = tuple(self.network.style_rows())
        self.mean = torch.randn(self.num_ws, w_dim)
        self.axes = 0.4 * torch.randn(5, self.num_ws, w_dim)
        self.tints = 0.2 * torch.randn(self.moments, 3, 1, 1)
        self.drawings = 0
        """Pictures drawn so far."""

    def sample(self, count: int, seed: int) -> Samples:
        chance = torch.Generator().manual_seed(seed)
        along = torch.randn(count, len(self.axes), generator=chance)
        moments = torch.randint(self.moments, (count,), generator=chance)
        stray = 0.1 * torch.randn(count, self.num_ws, self.w_dim, generator=chance)
        return Samples(self.mean + torch.einsum("bk,krw->brw", along, self.axes) + stray, moments)

    def usual(self, count: int) -> Samples:
        chosen = self.sample(self.moments, 987)
        count = min(count, self.moments)
        return Samples(chosen.ws[:count], torch.arange(count))

    def styles(self, ws: Tensor) -> Tensor:
        return torch.cat(self.network.styles(ws), 1)

    def draw(self, ws: Tensor, moments: Tensor) -> Tensor:
        return self.draw_styles(self.styles(ws), moments)

    def draw_styles(self, styles: Tensor, moments: Tensor) -> Tensor:
        self.drawings += len(styles)
        picture = self.network.from_styles(styles.split(self.style_widths, 1), size=self.resolution)
        return torch.tanh(0.3 * picture + self.tints[moments])
