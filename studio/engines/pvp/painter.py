"""The prior that needs no weights: a StyleGAN2 that paints over the warped rendering.

Warping already knows where everything is; what it cannot know (shading that changes with the head, the inside
of the mouth, an outline that a mesh only approximates) is left to a small synthesis network. Its layers see
the warped crop through added features, its styles carry pose and expression, and what it gives is a
correction: a flow, that moves what is there, and a colour, that is added. A correction of nothing is the
warped rendering itself, so training starts from the instant engine and not from noise. And because a
correction has no detail of its own to lose, it can be laid over a rendering of any size.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from studio.networks.stylegan2 import StyleGan2Config, SynthesisNetwork

COLOUR_REACH = 0.6
"""Largest colour that is added, in picture units where black to white is 2."""
FLOW_REACH = 0.06
"""Longest flow along each axis, in sides of the crop: some 15 pixels of 256."""
COARSEST = 8
"""Side of the coarsest features taken from the guide."""
SLOPE = 0.2
"""Of leaky rectifiers, as in StyleGAN2."""


@dataclass(frozen=True)
class PainterShape:
    """Size of a painter."""

    resolution: int
    """Side of the crop it works on: a power of two from 32."""
    w_dim: int = 64
    """Numbers in a style."""
    channel_base: int = 2048
    """Channels at a resolution are this over the resolution…"""
    channel_max: int = 96
    """…and at most this."""

    def synthesis(self) -> StyleGan2Config:
        """Shape of its synthesis network: three colour channels and two of flow."""
        return StyleGan2Config(
            resolution=self.resolution,
            w_dim=self.w_dim,
            z_dim=self.w_dim,
            channel_base=self.channel_base,
            channel_max=self.channel_max,
            img_channels=5,
        )


class GuideEncoder(nn.Module):
    """The warped crop as features at every resolution down to :data:`COARSEST`."""

    def __init__(self, config: StyleGan2Config) -> None:
        super().__init__()
        self.resolutions = tuple(r for r in reversed(config.resolutions) if r >= COARSEST)
        widths = [config.channels(r) for r in self.resolutions]
        self.stem = nn.Conv2d(3, widths[0], 3, padding=1)
        self.down = nn.ModuleList(
            nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in zip(widths, widths[1:], strict=False)
        )

    def forward(self, guide: Tensor) -> dict[int, Tensor]:
        """``[B, 3, R, R]`` to activations ``[B, C(r), r, r]`` by resolution."""
        x = functional.leaky_relu(self.stem(guide), SLOPE)
        features = {self.resolutions[0]: x}
        for resolution, layer in zip(self.resolutions[1:], self.down, strict=True):
            x = functional.leaky_relu(layer(x), SLOPE)
            features[resolution] = x
        return features


class Painter(nn.Module):
    """A :class:`~studio.engines.pvp.prior.PersonalGenerator` that corrects its guide.

    Attributes:
        shape: its size.
        num_ws, w_dim, resolution: as the protocol's.
    """

    def __init__(self, shape: PainterShape) -> None:
        super().__init__()
        self.shape = shape
        config = shape.synthesis()
        self.resolution, self.num_ws, self.w_dim = config.resolution, config.num_ws, config.w_dim
        self.encoder = GuideEncoder(config)
        self.synthesis = SynthesisNetwork(config)
        for block in self.synthesis.blocks():
            # Nothing is corrected before something is learnt.
            nn.init.zeros_(block.torgb.weight)
        self.place: Tensor
        self.register_buffer("place", places(self.resolution), persistent=False)

    def forward(self, ws: Tensor, guide: Tensor | None) -> Tensor:
        """Corrected guides ``[B, 3, R, R]``; see the protocol. Raises ValueError without a guide."""
        if guide is None:
            raise ValueError("A painter needs the warped crop that it paints over.")
        colour, flow = self.correction(ws, guide)
        return self.corrected(guide, colour, flow)

    def correction(self, ws: Tensor, guide: Tensor) -> tuple[Tensor, Tensor]:
        """Colour ``[B, 3, R, R]`` in picture units and flow ``[B, 2, R, R]`` (right, down) in crop sides."""
        return bounded(self.synthesis(ws, added=self.encoder(guide)))

    def corrected(self, guide: Tensor, colour: Tensor, flow: Tensor) -> Tensor:
        """A guide whose colours are taken from where the flow points, and changed."""
        grid = self.place + 2.0 * flow.permute(0, 2, 3, 1)
        moved = functional.grid_sample(guide, grid, padding_mode="border", align_corners=False)
        return moved + colour


def bounded(raw: Tensor) -> tuple[Tensor, Tensor]:
    """The synthesis network's five channels as colour and flow within their reach."""
    return COLOUR_REACH * torch.tanh(raw[:, :3]), FLOW_REACH * torch.tanh(raw[:, 3:])


def places(side: int) -> Tensor:
    """``[1, side, side, 2]`` pixel centres as ``grid_sample`` counts them, -1..1."""
    line = (torch.arange(side) + 0.5) / side * 2.0 - 1.0
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([x, y], -1)[None]


class LinearLatents(nn.Module):
    """Head parameters to styles by a linear map, so that neighbours stay neighbours.

    It teaches the painter and gives the pivots their first latents; afterwards the mappers take its place.
    """

    def __init__(self, inputs: int, shape: PainterShape) -> None:
        """``inputs``: pose and face parameters together, as :func:`~.mappers.mapper_inputs` gives them."""
        super().__init__()
        self.rows = shape.synthesis().num_ws
        self.linear = nn.Linear(inputs, shape.w_dim)
        self.mean: Tensor
        self.deviation: Tensor
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("deviation", torch.ones(inputs))

    def standard(self, parameters: Tensor) -> Tensor:
        """Parameters ``[B, inputs]`` in deviations of the clip, at most three."""
        return ((parameters - self.mean) / self.deviation).clamp(-3.0, 3.0)

    def forward(self, standard: Tensor) -> Tensor:
        """``[B, inputs]`` from :meth:`standard` to ``[B, num_ws, w_dim]``."""
        w: Tensor = self.linear(standard)
        return w[:, None].expand(-1, self.rows, -1)
