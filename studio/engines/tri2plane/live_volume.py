"""A volume run live: what a window of the picture shows of it, on whatever computes here."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from studio.devices import choose_device
from studio.domain.camera import Floats, Similarity, View
from studio.domain.free_camera import FreeCamera
from studio.domain.motion import HeadMotion
from studio.domain.rendering import Quality
from studio.engines.tri2plane.artefact import Tri2Parts
from studio.engines.tri2plane.moments import MomentMaker
from studio.engines.tri2plane.network import Moment, Tri2Network
from studio.engines.tri2plane.processor_rays import (
    Decoders,
    RayGrid,
    Space,
    as_array,
    planes_in_lanes,
    search,
    shade,
    view_bias,
)
from studio.networks.volume.cameras import cameras_of
from studio.networks.volume.compositing import important
from studio.networks.volume.normals import normals_of_depth, seen_depth
from studio.networks.volume.rays import Cameras, Rays, pixel_centres

SHARE_OF_MEMORY = 0.25
"""Of a graphics card's free memory: what rays may take at a time."""
LEAST_RAYS = 1024
"""Rays that go at once however little memory is free."""


@dataclass(frozen=True)
class Effort:
    """How much is done for a picture."""

    largest: int
    """Rays along a side of the window, at most."""
    guide: int
    """Every how many rays, along each side, one searches for the surface for all around it."""
    samples: int
    """Samples of a ray, at most."""


_ALL = 1 << 20
EFFORTS: dict[tuple[bool, Quality], Effort] = {
    (False, "draft"): Effort(192, 4, 8),
    (False, "full"): Effort(_ALL, 1, _ALL),
    (True, "draft"): Effort(512, 4, 16),
    (True, "full"): Effort(_ALL, 1, _ALL),
}
"""By whether a graphics card computes, and quality. Full is to the last sample what was trained."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What n · n rays of a window bring back."""

    values: Tensor
    """``[1, F, n, n]`` features multiplied by coverage."""
    cover: Tensor
    """``[1, 1, n, n]``."""
    depth: Tensor
    """``[1, n · n]`` of what is seen, metres behind the head's plane."""
    rays: Rays
    """The rays."""


class LiveVolume:
    """One avatar's volume on one device. Safe to use from one thread at a time.

    Attributes:
        side: rays along the window's side at full quality.
    """

    def __init__(self, parts: Tri2Parts, device: torch.device) -> None:
        shape = parts.network.shape
        step = 2**shape.depth
        self.side = round(shape.resolution * (1.0 + 2.0 * parts.margin) / step) * step
        self._step, self._shape = step, shape
        self._device, self._card = device, device.type == "cuda"
        self._network: Tri2Network = parts.network
        if self._card:
            self._network = copy.deepcopy(parts.network)
            for name in ("density", "colour"):
                setattr(self._network, name, _Halved(getattr(self._network, name)))
        self._network.to(device).eval()
        self._person = parts.person
        self._maker = MomentMaker(parts.person, parts.mean, parts.deviation, parts.code)
        self._decoders: Decoders | None = None
        if not self._card:
            self._decoders = Decoders.of(self._network.density, self._network.colour)
        self._known: tuple[bytes, Moment, list[Tensor], list[Floats]] | None = None

    @torch.inference_mode()
    def look(self, motion: HeadMotion, window: Similarity, free: FreeCamera, quality: Quality) -> Seen:
        """Send rays through a window.

        Args:
            motion: one frame, as tracked.
            window: source pixels to the window's unit square.
            free: where the camera has gone; its dolly and pan are part of ``window`` already.
            quality: how many rays and samples.
        """
        effort = EFFORTS[self._card, quality]
        count = self._rays(effort)
        moment, pyramid, lanes = self._moment(motion)
        rotation = None if free.is_neutral else free.rotation
        cameras = cameras_of(
            motion, View(window.scaled(count), count, count), rotation, free.nearness, self._device
        )
        rays = cameras.rays(_grid(count, count, self._device))
        samples = min(effort.samples, self._shape.fine_samples)
        if self._decoders is not None:
            found = self._on_processor(lanes, moment, cameras, rays, count, effort.guide, samples)
        else:
            found = self._on_card(pyramid, moment, cameras, rays, count, effort.guide, samples)
        return Seen(*found, rays)

    @torch.inference_mode()
    def picture(self, seen: Seen) -> Floats:
        """``[R, R, 4]`` red, green and blue multiplied by coverage, about 0..1, and coverage."""
        upscale = self._shape.upscale
        side = seen.cover.shape[-1] * upscale
        none = torch.zeros((1, 3, side, side), device=self._device)
        with torch.autocast(self._device.type, torch.float16, enabled=self._card):
            colours, cover = self._network.picture(seen.values, seen.cover, none)
        return as_array(torch.cat([colours.float(), cover.float()], 1)[0].permute(1, 2, 0))

    def height(self, seen: Seen) -> tuple[Floats, Floats]:
        """``[n, n]`` metres before the head's plane, and coverage ``[n, n]``."""
        return as_array(-seen.depth.reshape(seen.cover.shape[2:])), as_array(seen.cover[0, 0])

    @torch.inference_mode()
    def normals(self, seen: Seen) -> tuple[Floats, Floats]:
        """``[n, n, 3]`` where the surface faces, in camera space, and coverage ``[n, n]``."""
        side = seen.cover.shape[-1]
        facing = normals_of_depth(seen.rays, seen.depth, seen.cover.flatten(1), side, side)
        return as_array(facing[0]), as_array(seen.cover[0, 0])

    def _rays(self, effort: Effort) -> int:
        """Along a side; a whole number of the upsampler's steps."""
        parts = -(-self.side // effort.largest)
        return max(1, round(self.side / parts / self._step)) * self._step

    def _moment(self, motion: HeadMotion) -> tuple[Moment, list[Tensor], list[Floats]]:
        """The moment and its planes; these know nothing of how the head is held."""
        face = (motion.expression, motion.jaw, motion.eyelids, motion.gaze)
        key = b"".join(np.ascontiguousarray(x).tobytes() for x in face)
        if self._known is None or self._known[0] != key:
            moment = self._maker.moment(motion).to(self._device)
            with torch.autocast(self._device.type, torch.float16, enabled=self._card):
                pyramid = self._network.planes(moment)
            pyramid = [pyramid[0].float(), pyramid[-1].float()]
            lanes = [] if self._card else [planes_in_lanes(planes) for planes in pyramid]
            self._known = (key, moment, pyramid, lanes)
        _, moment, pyramid, lanes = self._known
        body = torch.from_numpy(self._person.body_maps(motion)).to(self._device)
        return replace(moment, body=body), pyramid, lanes

    def _on_processor(
        self,
        lanes: list[Floats],
        moment: Moment,
        cameras: Cameras,
        rays: Rays,
        count: int,
        guide: int,
        samples: int,
    ) -> tuple[Tensor, Tensor, Tensor]:
        assert self._decoders is not None
        network, decoders = self._network, self._decoders
        space = Space.of(
            network.canonical,
            as_array(cameras.rotation[0]),
            None if cameras.orbit is None else as_array(cameras.orbit[0]),
            as_array(moment.body[0]),
            as_array(moment.displacement[0]),
        )

        def grid_of(some: Rays, side: int) -> RayGrid:
            enter, leave = (float(x[0, 0]) for x in network.span(some))
            return RayGrid(as_array(some.plane[0]), as_array(some.slope[0]), enter, leave, side, side)

        grid = grid_of(rays, count)
        searching = grid
        if guide > 1:
            fewer = -(-count // guide)
            searching = grid_of(cameras.rays(_grid(count, fewer, self._device)), fewer)
        weights = search(lanes[0], space, decoders, searching, self._shape.coarse_samples)
        bias = view_bias(network.colour, self._shape.view_octaves, rays)
        values, cover, depth = shade(lanes[1], space, decoders, grid, weights, samples, bias)
        seen = torch.from_numpy(values).permute(2, 0, 1)[None]
        put = [seen, torch.from_numpy(cover)[None, None], torch.from_numpy(depth).reshape(1, -1)]
        values_, cover_, depth_ = (x.to(self._device) for x in put)
        return values_, cover_, depth_

    def _on_card(
        self,
        pyramid: list[Tensor],
        moment: Moment,
        cameras: Cameras,
        rays: Rays,
        count: int,
        guide: int,
        samples: int,
    ) -> tuple[Tensor, Tensor, Tensor]:
        network = self._network
        parts = self._shape.coarse_samples
        weights: Tensor | None = None
        if guide > 1:
            fewer = -(-count // guide)
            few = cameras.rays(_grid(count, fewer, self._device))
            found = network.search(pyramid[0], moment, few)[1]
            square = found.mT.reshape(1, -1, fewer, fewer)
            wide = functional.interpolate(square, (count, count), mode="bilinear", align_corners=False)
            weights = wide.flatten(2).mT
        values, cover, depth = [], [], []
        for first in range(0, count * count, self._at_once()):
            some = slice(first, first + self._at_once())
            chunk = Rays(cameras, rays.plane[:, some])
            if weights is None:
                edges, wanted = network.search(pyramid[0], moment, chunk)
            else:
                enter, leave = (x[..., None] for x in network.span(chunk))
                share = torch.linspace(0.0, 1.0, parts + 1, device=self._device)
                edges, wanted = enter + (leave - enter) * share, weights[:, some].contiguous()
            at = important(edges, wanted, samples, None)
            seen = network.shade(pyramid[1], moment, chunk, at)
            values.append(seen.values)
            cover.append(seen.alpha)
            depth.append(seen_depth(seen.depth, seen.alpha, at[..., -1]))
        return (
            torch.cat(values, 1).mT.reshape(1, -1, count, count),
            torch.cat(cover, 1).reshape(1, 1, count, count),
            torch.cat(depth, 1),
        )

    def _at_once(self) -> int:
        """Rays that memory allows at a time."""
        shape = self._shape
        samples = max(shape.coarse_samples, shape.fine_samples)
        numbers = 8 * shape.features + 4 * shape.hidden + 12 * shape.view_octaves + 64
        free = choose_device("cuda").free if self._card else 1 << 30
        return max(LEAST_RAYS, int(SHARE_OF_MEMORY * free / (4 * samples * numbers)))


class _Halved(nn.Module):
    """A small network at half precision; what enters and leaves it is whole."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner.half()

    def forward(self, x: Tensor) -> Tensor:
        """As the network's own."""
        out: Tensor = self.inner(x.half())
        return out.float()


def _grid(size: int, count: int, device: torch.device) -> Tensor:
    """``[count², 2]`` places laid evenly over a square picture of a size."""
    return pixel_centres(0.0, 0.0, size, size, count, count, device)
