"""EG3D: a StyleGAN2 that draws three feature planes, rays through them, and a super-resolution (Chan et al.
2022).

Names and shapes of the state dict are those of NVIDIA's published generators with the super-resolution
``SuperresolutionHybrid8XDC`` or ``8X``, and so are the semantics. Layers are those of
:mod:`studio.networks.stylegan2`, rays those of :mod:`studio.networks.volume.eg3d_rendering`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from studio.networks.precision import full_precision
from studio.networks.stylegan2 import (
    EPSILON,
    GAIN,
    MAPPING_RATE,
    SLOPE,
    FullyConnected,
    Noise,
    StyleGan2Config,
    SynthesisBlock,
    SynthesisNetwork,
)
from studio.networks.volume.camera_numbers import NUMBERS
from studio.networks.volume.eg3d_rendering import (
    ALL_PAIRS,
    PUBLISHED,
    Beams,
    beams_of_numbers,
    drawn_depths,
    march,
    plane_features,
    spread_depths,
)

Warp = Callable[[Tensor], Tensor]
"""Points ``[B, M, 3]`` of what is looked at to those of the planes, both in the volume's units."""
PLANES = {"published": PUBLISHED, "all_pairs": ALL_PAIRS}
"""Which coordinates planes are of."""


@dataclass(frozen=True)
class Eg3dConfig:
    """Shape of a generator; the defaults are those of FFHQ at 512."""

    side: int = 512
    """Side of the pictures, pixels: ``sharp_from`` doubled once a block of the super-resolution."""
    z_dim: int = 512
    """Numbers in a random latent z."""
    w_dim: int = 512
    """Numbers in a style latent w."""
    mapping_layers: int = 2
    """Layers of the mapping network."""
    channel_base: int = 32768
    """Channels of the backbone at a resolution are this over the resolution…"""
    channel_max: int = 512
    """…and this many at most."""
    conv_clamp: float | None = None
    """See :class:`StyleGan2Config`; of the backbone."""
    plane_side: int = 256
    """Side of the planes."""
    plane_features: int = 32
    """Features of a place of a plane."""
    planes: Literal["published", "all_pairs"] = "all_pairs"
    """published: x·y, x·z and z·x, as in NVIDIA's; all_pairs: x·y, x·z and z·y."""
    hidden: int = 64
    """Numbers between the decoder's two layers."""
    decoder_rate: float = 1.0
    """Learning rate of the decoder relative to the others, as a factor in its weights."""
    rendered: int = 32
    """Channels that rays bring back, red, green and blue first."""
    raw_side: int = 64
    """Side of the picture that rays draw."""
    box: float = 1.0
    """Side of the cube that the planes fill, units."""
    near: float = 2.25
    """Distance from the eye at which rays of 25 numbers begin, units."""
    far: float = 3.3
    """Distance at which they end."""
    coarse_samples: int = 48
    """Places looked at along a ray, evenly apart."""
    fine_samples: int = 48
    """Places looked at where the first ones found something."""
    white_back: bool = False
    """Whether what is seen through the volume is white; otherwise it is black."""
    sharp: tuple[int, ...] = (256, 128)
    """Channels of the super-resolution's blocks."""
    sharp_clamp: float | None = 256.0
    """See :class:`StyleGan2Config`; of the super-resolution."""
    sharp_noise: Literal["none", "const"] = "none"
    """Noise of the super-resolution."""
    antialias: bool = True
    """Whether a raw picture larger than ``sharp_from`` is averaged on its way there."""
    camera_scale: float = 1.0
    """The camera's numbers are multiplied by this before the mapping network reads them; 0: it sees none."""

    @property
    def sharp_from(self) -> int:
        """Side at which the super-resolution begins."""
        return self.side >> len(self.sharp)

    @property
    def backbone(self) -> StyleGan2Config:
        """The StyleGAN2 that draws the planes."""
        return StyleGan2Config(
            self.plane_side,
            self.w_dim,
            self.z_dim,
            self.channel_base,
            self.channel_max,
            self.mapping_layers,
            3 * self.plane_features,
            self.conv_clamp,
        )


@dataclass(frozen=True)
class _Widths(StyleGan2Config):
    """Blocks whose channels are listed, not ruled."""

    widths: tuple[tuple[int, int], ...] = ()
    """Sides and their channels."""

    def channels(self, resolution: int) -> int:
        """See :class:`StyleGan2Config`."""
        return dict(self.widths)[resolution]


class CameraMapping(nn.Module):
    """z and a camera to w."""

    w_avg: Tensor

    def __init__(self, config: Eg3dConfig) -> None:
        super().__init__()
        self.num_ws, self.layers = config.backbone.num_ws, config.mapping_layers
        self.scale = config.camera_scale
        self.embed = FullyConnected(NUMBERS, config.w_dim)
        for layer in range(config.mapping_layers):
            inputs = config.z_dim + config.w_dim if layer == 0 else config.w_dim
            self.add_module(f"fc{layer}", FullyConnected(inputs, config.w_dim, MAPPING_RATE))
        self.register_buffer("w_avg", torch.zeros(config.w_dim))

    def forward(self, z: Tensor, cameras: Tensor, truncation: float = 1.0) -> Tensor:
        """Style latents of random ones.

        Args:
            z: ``[B, z_dim]``, normal.
            cameras: ``[B, 25]`` from where the generator is told it will be looked at.
            truncation: 1 leaves w alone, 0 makes it ``w_avg``, and between them they are mixed.

        Returns:
            ``[B, num_ws, w_dim]``, all rows of a sample equal.
        """
        w = self.w(z, cameras)
        if truncation != 1.0:
            w = self.w_avg.to(w.dtype).lerp(w, truncation)
        return w[:, None].repeat(1, self.num_ws, 1)

    def w(self, z: Tensor, cameras: Tensor) -> Tensor:
        """``[B, w_dim]``, without truncation."""
        with full_precision(z):
            told = self.embed(self.scale * cameras.float())
            x = torch.cat([_unit(z.float()), _unit(told)], 1)
            for layer in range(self.layers):
                x = functional.leaky_relu(self.get_submodule(f"fc{layer}")(x), SLOPE) * GAIN
        return x

    def note(self, w: Tensor, keep: float = 0.998) -> None:
        """Move ``w_avg`` towards the mean of ``[B, w_dim]``; training from scratch calls it at each step."""
        with torch.no_grad():
            self.w_avg.copy_(w.detach().mean(0).lerp(self.w_avg, keep))


class Backbone(nn.Module):
    """Mapping and synthesis under NVIDIA's names."""

    def __init__(self, config: Eg3dConfig) -> None:
        super().__init__()
        self.synthesis = SynthesisNetwork(config.backbone)
        self.mapping = CameraMapping(config)

    def drawn(self, ws: Tensor, noise: Noise, kept: int | None) -> tuple[Tensor, Tensor | None]:
        """W+ ``[B, num_ws, w_dim]`` to ``[B, 3·F, P, P]``, and the activations ``[B, C, kept, kept]`` after
        the block of that side, where one is asked for."""
        styles, used = self.synthesis.styles(ws), 0
        x: Tensor | None = None
        image: Tensor | None = None
        found: Tensor | None = None
        for block in self.synthesis.blocks():
            own = styles[used : used + len(block.layers)]
            used += len(own)
            x, image = block(x, image, own, noise, None)
            if block.resolution == kept:
                found = x
        assert image is not None
        return image, found


class Decoder(nn.Module):
    """Features of a place to density and colours (OSGDecoder)."""

    def __init__(self, config: Eg3dConfig) -> None:
        super().__init__()
        rate = config.decoder_rate
        self.net = nn.Sequential(
            FullyConnected(config.plane_features, config.hidden, rate),
            nn.Softplus(),
            FullyConnected(config.hidden, 1 + config.rendered, rate),
        )

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """``[..., F]`` to densities' logits ``[...]`` and colours ``[..., rendered]``, a little beyond 0..1
        so that black and white can be reached."""
        found = self.net(features)
        return found[..., 0], torch.sigmoid(found[..., 1:]) * 1.002 - 0.001


class SuperResolution(nn.Module):
    """What rays brought back to pictures, told the last style."""

    def __init__(self, config: Eg3dConfig) -> None:
        """ValueError where the sides do not fit."""
        super().__init__()
        if not config.sharp or config.sharp_from << len(config.sharp) != config.side:
            raise ValueError(f"{len(config.sharp)} blocks do not double up to {config.side}")
        self.side, self.antialias = config.sharp_from, config.antialias
        self.noise: Noise = config.sharp_noise
        self.count = len(config.sharp)
        sides = [config.sharp_from << step for step in range(self.count + 1)]
        shape = _Widths(
            config.side,
            config.w_dim,
            conv_clamp=config.sharp_clamp,
            widths=tuple(zip(sides, (config.rendered, *config.sharp), strict=True)),
        )
        for step, side in enumerate(sides[1:]):
            self.add_module(f"block{step}", SynthesisBlock(side, shape))

    def forward(self, features: Tensor, w: Tensor, added: bool = False) -> Tensor:
        """
        Args:
            features: ``[B, rendered, r, r]`` -1..1, colours first.
            w: ``[B, w_dim]``.
            added: whether only what the layers add is wanted, without the enlarged colours themselves.

        Returns:
            ``[B, 3, side, side]``, about -1..1.
        """
        if features.shape[-1] != self.side:
            features = functional.interpolate(
                features, (self.side, self.side), mode="bilinear", antialias=self.antialias
            )
        x, image = features, torch.zeros_like(features[:, :3]) if added else features[:, :3]
        for step in range(self.count):
            block = self.get_submodule(f"block{step}")
            assert isinstance(block, SynthesisBlock)
            with full_precision(w):
                styles = [layer.affine(w.float()) for layer in block.layers]
            x, image = block(x, image, styles, self.noise, None)
        return image


@dataclass(frozen=True)
class Drawn:
    """B pictures."""

    picture: Tensor
    """``[B, 3, S, S]`` about -1..1."""
    raw: Tensor
    """``[B, 3, r, r]`` -1..1: what rays draw."""
    alpha: Tensor
    """``[B, 1, r, r]`` 0..1: how much of each ray ends in the volume."""
    depth: Tensor
    """``[B, 1, r, r]`` along the rays from where their depths count, units."""


class Eg3dGenerator(nn.Module):
    """z and cameras to pictures, or W+ to planes and planes to pictures."""

    def __init__(self, config: Eg3dConfig) -> None:
        """ValueError for sides that do not fit together."""
        super().__init__()
        self.config = config
        self.backbone = Backbone(config)
        self.superresolution = SuperResolution(config)
        self.decoder = Decoder(config)

    def forward(
        self,
        z: Tensor,
        cameras: Tensor,
        told: Tensor | None = None,
        truncation: float = 1.0,
        noise: Noise = "const",
        chance: torch.Generator | None = None,
    ) -> Drawn:
        """Random people.

        Args:
            z: ``[B, z_dim]``, normal.
            cameras: ``[B, 25]`` that look.
            told: ``[B, 25]`` what the generator is told of them; None for the same.
            truncation: see :class:`CameraMapping`.
            noise: of the backbone.
            chance: where samples lie along rays; None for evenly, which gives the same picture each time.
        """
        ws = self.latents(z, cameras if told is None else told, truncation)
        return self.draw(self.planes(ws, noise), ws, self.beams(cameras), chance=chance)

    def latents(self, z: Tensor, cameras: Tensor, truncation: float = 1.0) -> Tensor:
        """See :class:`CameraMapping`."""
        ws: Tensor = self.backbone.mapping(z, cameras, truncation)
        return ws

    def planes(self, ws: Tensor, noise: Noise = "const") -> Tensor:
        """W+ ``[B, num_ws, w_dim]`` to ``[B, 3, F, P, P]``."""
        return self.planes_and(ws, None, noise)[0]

    def planes_and(
        self, ws: Tensor, kept: int | None, noise: Noise = "const"
    ) -> tuple[Tensor, Tensor | None]:
        """The same, and the backbone's activations ``[B, C, kept, kept]`` behind the block of that side."""
        drawn, found = self.backbone.drawn(ws, noise, kept)
        return torch.unflatten(drawn, 1, (3, self.config.plane_features)), found

    def beams(self, cameras: Tensor) -> Beams:
        """Rays of 25 numbers ``[B, 25]``, as many as the raw picture has pixels."""
        return beams_of_numbers(cameras, self.config.raw_side, self.config.near, self.config.far)

    def draw(
        self,
        planes: Tensor,
        ws: Tensor,
        beams: Beams,
        warp: Warp | None = None,
        chance: torch.Generator | None = None,
    ) -> Drawn:
        """Pictures of planes: neither mapping nor backbone is called.

        Args:
            planes: ``[B, 3, F, P, P]``.
            ws: ``[B, num_ws, w_dim]`` of which the last row tells the super-resolution.
            beams: square pictures' rays of each of B cameras, row by row.
            warp: where in the planes a point of what is seen is looked up; None for where it is.
            chance: see :meth:`forward`.
        """
        config = self.config
        with full_precision(planes):
            planes = planes.float()
            depth = spread_depths(beams, config.coarse_samples, chance)
            logits, values = self.at(planes, beams.at(depth), warp)
            if config.fine_samples:
                with torch.no_grad():
                    found = march(logits, values[..., :1], depth).weights
                more = drawn_depths(depth, found, config.fine_samples, chance)
                fine_logits, fine_values = self.at(planes, beams.at(more), warp)
                depth, order = torch.cat([depth, more], -1).sort(-1)
                logits = torch.cat([logits, fine_logits], -1).gather(-1, order)
                values = torch.cat([values, fine_values], 2)
                values = values.gather(2, order[..., None].expand(*order.shape, values.shape[-1]))
            marched = march(logits, values, depth)
            colours = marched.values
            if config.white_back:
                colours = colours + 1.0 - marched.alpha[..., None]
            side = round(beams.near.shape[1] ** 0.5)

            def picture(x: Tensor) -> Tensor:
                return x.mT.reshape(len(x), -1, side, side)

            features = picture(colours * 2.0 - 1.0)
            alpha, deep = picture(marched.alpha[..., None]), picture(marched.depth[..., None])
        sharp = self.superresolution(features, ws[:, -1])
        return Drawn(sharp.float(), features[:, :3], alpha, deep)

    def at(self, planes: Tensor, points: Tensor, warp: Warp | None = None) -> tuple[Tensor, Tensor]:
        """Densities' logits ``[B, N, S]`` and colours ``[B, N, S, rendered]`` of points ``[B, N, S, 3]``."""
        flat = points.flatten(1, 2)
        if warp is not None:
            flat = warp(flat)
        found = plane_features(planes, flat * (2.0 / self.config.box), PLANES[self.config.planes])
        logits, values = self.decoder(found)
        return logits.view(points.shape[:3]), values.view(*points.shape[:3], -1)


def _unit(x: Tensor) -> Tensor:
    """``[B, C]`` with a second moment of one."""
    return x * (x.square().mean(1, keepdim=True) + EPSILON).rsqrt()
