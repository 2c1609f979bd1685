"""The whole Tri²-plane network of one person: a moment and a camera to what rays see."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn
from torch.nn import functional

from studio.engines.tri2plane.canonical import Canonical
from studio.engines.tri2plane.generator import (
    DISPLACED,
    DRIVE,
    SLOPE,
    SMALLEST,
    MotionEncoder,
    PlaneGenerator,
)
from studio.engines.tri2plane.person import VolumePerson
from studio.engines.tri2plane.shape import Tri2Shape
from studio.engines.tri2plane.upsampler import Upsampler
from studio.networks.volume.compositing import (
    Composite,
    composite,
    important,
    lengths_of,
    stratified,
    visibility,
)
from studio.networks.volume.planes import sample_planes
from studio.networks.volume.rays import Cameras, Rays

DENSITY = 60.0
"""Density per metre that a logit of about one stands for."""
BEFORE, BEHIND = 0.02, 0.06
"""Metres by which rays begin before the box, and end before its back, which is never seen."""
SPREAD, FLOOR = 0.3, 0.003
"""Share of a coarse sample's weight that its neighbours get, and what every one has: fine samples also look
beside the surface that the coarse ones found."""


@dataclass(frozen=True)
class Moment:
    """B moments of a head, as the network is told of them."""

    motion_map: Tensor
    """``[B, 6, G, G]`` mean texture and normals at zero pose."""
    displacement: Tensor
    """``[B, 3, G, G]`` metres from the expression to the canonical face."""
    drive: Tensor
    """``[B, 57]`` expression, jaw, eyelids and gaze, in deviations of the clip."""
    body: Tensor
    """``[B, 2, 3]`` from the head's place to the body's, in camera space; see ``body_maps``."""
    code: Tensor
    """``[B, code]`` the frames' latent codes γ."""

    def to(self, device: torch.device | str) -> Moment:
        """On another device."""
        return Moment(*(getattr(self, f.name).to(device) for f in fields(self)))


class Tri2Network(nn.Module):
    """One person's volume."""

    def __init__(self, shape: Tri2Shape, person: VolumePerson) -> None:
        super().__init__()
        self.shape = shape
        self.canonical = Canonical(person)
        self.encoder = MotionEncoder(shape, person.grid.size)
        told = shape.encoded + DRIVE + shape.code
        self.mapping = nn.Sequential(
            nn.Linear(told, 256),
            nn.LeakyReLU(SLOPE),
            nn.Linear(256, 256),
            nn.LeakyReLU(SLOPE),
            nn.Linear(256, shape.style),
        )
        self.generator = PlaneGenerator(shape)
        self.density = _decoder(shape.features, shape.hidden, 1)
        self.colour = _decoder(shape.features + 6 * shape.view_octaves, shape.hidden, shape.features)
        self.upsampler = Upsampler(shape)

    def planes(self, moment: Moment, levels: int = 0) -> list[Tensor]:
        """The pyramid's tri-planes, coarse to fine; only the first ``levels`` where that is not 0."""
        encoded = self.encoder(moment.motion_map)
        style = self.mapping(torch.cat([encoded, moment.drive, moment.code], 1))
        placed = torch.cat([moment.motion_map, moment.displacement / DISPLACED], 1)
        sides = (SMALLEST * 2**i for i in range(len(self.generator.blocks)))
        grids = [self.canonical.grid(side) for side in sides]
        pyramid: list[Tensor] = self.generator(style, placed, grids, levels or self.shape.levels)
        return pyramid

    def look(
        self,
        pyramid: list[Tensor],
        moment: Moment,
        cameras: Cameras,
        pixels: Tensor,
        chance: torch.Generator | None = None,
    ) -> Composite:
        """What rays see of the finest of the given levels.

        Args:
            pyramid: from :meth:`planes`.
            moment: the same.
            cameras: B cameras.
            pixels: ``[N, 2]`` or ``[B, N, 2]`` where the rays leave the picture.
            chance: where samples lie; None for evenly, which gives the same picture each time.

        Returns:
            Features ``[B, N, F]``, of which the first three are red, green and blue, 0..1. Always computed in
            float32, whatever autocast says: places in half precision are pixels off.
        """
        with torch.autocast(pixels.device.type, enabled=False):
            coarse, finest = pyramid[0].detach().float(), pyramid[-1].float()
            rays = cameras.rays(pixels)
            with torch.no_grad():
                edges, weights = self.search(coarse, moment, rays, chance)
                depth = important(edges, weights, self.shape.fine_samples, chance)
            return self.shade(finest, moment, rays, depth)

    def search(
        self, planes: Tensor, moment: Moment, rays: Rays, chance: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Where along rays there is something to see: how likely a sample is wanted between depths.

        Returns:
            Edges ``[B, N, S + 1]`` in depth and weights ``[B, N, S]``, for ``important``.
        """
        enter, leave = self.span(rays)
        depth, edges = stratified(enter, leave, self.shape.coarse_samples, chance)
        density, _ = self._matter(planes, moment, rays, depth)
        weights = visibility(density, (edges[..., 1:] - edges[..., :-1]) * rays.length[..., None])
        beside = functional.pad(weights, (1, 1))
        return edges, weights + SPREAD * (beside[..., 2:] + beside[..., :-2]) + FLOOR

    def shade(self, planes: Tensor, moment: Moment, rays: Rays, depth: Tensor) -> Composite:
        """What rays see of one tri-plane with samples at ``[B, N, S]`` depths, ascending."""
        enter, leave = self.span(rays)
        density, found = self._matter(planes, moment, rays, depth)
        values = self._coloured(found, rays, depth)
        lengths = lengths_of(depth, enter, leave) * rays.length[..., None]
        return composite(density, lengths, values, depth)

    def span(self, rays: Rays) -> tuple[Tensor, Tensor]:
        """Depths ``[B, N]`` between which there may be matter: about the box's own, whichever way the head is
        turned, since the body below does not turn with it. A camera that goes far around may lose a
        shoulder."""
        low, high = self.canonical.low[2], self.canonical.high[2]
        whole = torch.ones_like(rays.plane[..., 0])
        return whole * (-high - BEFORE), whole * (-low - BEHIND)

    def _matter(self, planes: Tensor, moment: Moment, rays: Rays, depth: Tensor) -> tuple[Tensor, Tensor]:
        points = self.canonical(rays, depth, moment.body, moment.displacement)
        found = sample_planes(planes, self.canonical.unit(points))
        logit = self.density(found)[..., 0] + self.canonical.prior(points)
        return DENSITY * functional.softplus(logit).view(depth.shape), found

    def _coloured(self, found: Tensor, rays: Rays, depth: Tensor) -> Tensor:
        if self.shape.view_octaves:
            seen = octaves(rays.directions(), self.shape.view_octaves)
            seen = seen[:, :, None].expand(*depth.shape, -1).flatten(1, 2)
            found = torch.cat([found, seen], -1)
        values = self.colour(found)
        # A little beyond 0..1, so that black and white can be reached (EG3D).
        colours = torch.sigmoid(values[..., :3]) * 1.002 - 0.001
        values = torch.cat([colours, values[..., 3:]], -1)
        return values.view(*depth.shape, -1)

    def picture(self, seen: Tensor, alpha: Tensor, background: Tensor) -> tuple[Tensor, Tensor]:
        """What rays brought back as a picture.

        Args:
            seen: ``[B, F, H, W]`` features, multiplied by coverage.
            alpha: ``[B, 1, H, W]`` coverage.
            background: ``[B, 3, H·upscale, W·upscale]`` what is behind, 0..1.

        Returns:
            Picture ``[B, 3, H·upscale, W·upscale]`` and coverage ``[B, 1, …]``. Only what is covered is
            corrected: the background stays what it was.
        """
        correction = self.upsampler(seen, alpha)
        scale = float(self.shape.upscale)
        colours = seen[:, :3]
        if scale > 1:
            colours, alpha = (
                functional.interpolate(x, scale_factor=scale, mode="bilinear", align_corners=False)
                for x in (colours, alpha)
            )
        return colours + alpha * correction + (1.0 - alpha) * background, alpha


def octaves(directions: Tensor, count: int) -> Tensor:
    """Sines and cosines ``[..., 6 · count]`` of directions ``[..., 3]`` at doubling frequencies."""
    scaled = directions[..., None] * (2.0 ** torch.arange(count, device=directions.device))
    return torch.cat([scaled.sin(), scaled.cos()], -1).flatten(-2)


def _decoder(before: int, hidden: int, after: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(before, hidden), nn.LeakyReLU(SLOPE), nn.Linear(hidden, after))
