"""Rays, samples and compositing as EG3D's published networks were trained with them (Chan et al. 2022).

They differ from this package's own: samples are laid at both ends of a ray, colours and densities are taken
half-way between neighbours, and outside of the planes there is nothing. Lengths are in the volume's units.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from studio.networks.volume.compositing import visibility
from studio.networks.volume.rays import Cameras, pixel_centres

PUBLISHED = ((0, 1), (0, 2), (2, 0))
"""Which coordinates of a point are a plane's column and row. Published networks have x and z twice, and no
plane of y and z: a slip in the code with which they were trained, which is theirs to keep."""
ALL_PAIRS = ((0, 1), (0, 2), (2, 1))
"""The same with each pair once."""
BEGINS = -1.0
"""Added to a density's logit, so that an untrained volume is thin."""
FLOOR = 0.01
"""Weight that every stretch of a ray has at least when fine samples are drawn."""


@dataclass(frozen=True)
class Beams:
    """N rays of each of B cameras, in a volume's units."""

    origin: Tensor
    """``[B, N, 3]`` from where depths count."""
    direction: Tensor
    """``[B, N, 3]`` of length one, away from the viewer."""
    near: Tensor
    """``[B, N]`` depth at which samples begin."""
    far: Tensor
    """``[B, N]`` depth at which they end."""

    def at(self, depth: Tensor) -> Tensor:
        """Points ``[B, N, S, 3]`` at depths ``[B, N, S]``."""
        return torch.addcmul(self.origin[:, :, None], depth[..., None], self.direction[:, :, None])


@dataclass(frozen=True)
class Marched:
    """What N rays bring back."""

    values: Tensor
    """``[B, N, C]`` multiplied by how much is seen."""
    alpha: Tensor
    """``[B, N]`` 0..1, how much of the ray ends inside."""
    depth: Tensor
    """``[B, N]`` mean depth of what is seen; that of the farthest sample of all where nothing is."""
    weights: Tensor
    """``[B, N, S - 1]`` how much each stretch is seen."""


def beams_of_numbers(numbers: Tensor, side: int, near: float, far: float) -> Beams:
    """Rays through the centres of ``side`` by ``side`` pixels, row by row, of cameras in EG3D's 25 numbers.

    Args:
        numbers: ``[B, 25]``, see :mod:`studio.networks.volume.camera_numbers`; pixels may be oblong or lean.
        side: pixels.
        near, far: distances from the eye between which there may be matter.
    """
    if numbers.ndim != 2 or numbers.shape[1] != 25:
        raise ValueError(f"cameras are [B, 25], got {list(numbers.shape)}")
    to_world, lens = numbers[:, :16].reshape(-1, 4, 4), numbers[:, 16:].reshape(-1, 3, 3)
    places = pixel_centres(0.0, 0.0, 1.0, 1.0, side, side, numbers.device, numbers.dtype)
    right, down = places.unbind(-1)
    fx, fy, skew = lens[:, 0, 0, None], lens[:, 1, 1, None], lens[:, 0, 1, None]
    y = (down - lens[:, 1, 2, None]) / fy
    x = (right - lens[:, 0, 2, None] - skew * y) / fx
    way = torch.stack([x, y, torch.ones_like(x)], -1) @ to_world[:, :3, :3].mT
    direction = functional.normalize(way, dim=-1)
    origin = to_world[:, None, :3, 3].expand_as(direction)
    reach = torch.ones_like(x)
    return Beams(origin, direction, near * reach, far * reach)


def beams_of_cameras(
    cameras: Cameras, pixels: Tensor, centre: Tensor, unit: float, before: float, behind: float
) -> Beams:
    """Rays of the project's cameras, whose depths count from the head's plane.

    Args:
        cameras: B, parallel or from an eye.
        pixels: ``[N, 2]`` or ``[B, N, 2]`` continuous picture coordinates.
        centre: ``[3]`` where in head space, metres, the volume's origin is.
        unit: metres in one of the volume's units.
        before, behind: metres before and behind the head's plane between which there may be matter.
    """
    rays = cameras.rays(pixels)
    start = functional.pad(rays.plane, (0, 1)) @ cameras.rotation
    along = rays.length / unit
    return Beams((start - centre) / unit, rays.directions(), -before * along, behind * along)


def plane_features(planes: Tensor, points: Tensor, axes: tuple[tuple[int, int], ...]) -> Tensor:
    """Features of points: the mean of what they find on three planes, nothing outside of them.

    Args:
        planes: ``[B, 3, C, H, W]``.
        points: ``[B, M, 3]``, -1..1 inside.
        axes: see :data:`PUBLISHED`; rows grow with their coordinate.

    Returns:
        ``[B, M, C]``.
    """
    batch, count = points.shape[:2]
    places = torch.stack([points[..., list(pair)] for pair in axes], 1)
    found = functional.grid_sample(
        planes.flatten(0, 1),
        places.flatten(0, 1)[:, None],
        mode="bilinear",
        padding_mode="zeros",
        align_corners=False,
    )
    return found.view(batch, len(axes), -1, count).mean(1).mT


def spread_depths(beams: Beams, count: int, chance: torch.Generator | None) -> Tensor:
    """Depths ``[B, N, count]`` from near to far, each up to a step later by chance (half a step without)."""
    part = torch.linspace(0.0, 1.0, count, device=beams.near.device, dtype=beams.near.dtype)
    if chance is None:
        later: Tensor | float = 0.5
    else:
        shape = (*beams.near.shape, count)
        later = torch.rand(shape, generator=chance, device=part.device, dtype=part.dtype)
    step = (beams.far - beams.near)[..., None]
    return beams.near[..., None] + step * (part + later / (count - 1))


def drawn_depths(depth: Tensor, weights: Tensor, count: int, chance: torch.Generator | None) -> Tensor:
    """Depths ``[B, N, count]`` where a first look saw something; no gradient passes.

    Each stretch's weight is the mean of the larger of itself and its neighbour on either side. The densities
    drawn from are those of stretches 1 to S - 3, laid between the middles of stretches 0 to S - 3: half a
    stretch early, and never in the last one. That is how the published networks look.

    Args:
        depth: ``[B, N, S]`` of the first look, growing.
        weights: ``[B, N, S - 1]`` of its stretches.
        count: how many.
        chance: draws them; None for the middles of equally likely parts.
    """
    with torch.no_grad():
        flat = weights.flatten(0, 1)[:, None]
        soft = functional.avg_pool1d(functional.max_pool1d(flat, 2, 1, 1), 2, 1)[:, 0] + FLOOR
        share = soft[:, 1:-1] + 1e-5
        reached = functional.pad((share / share.sum(-1, keepdim=True)).cumsum(-1), (1, 0))
        middle = 0.5 * (depth[..., 1:] + depth[..., :-1]).flatten(0, 1)
        if chance is None:
            at = (torch.arange(count, device=depth.device, dtype=depth.dtype) + 0.5) / count
            at = at.expand(len(reached), count)
        else:
            shape = (len(reached), count)
            at = torch.rand(shape, generator=chance, device=depth.device, dtype=depth.dtype)
        place = torch.searchsorted(reached, at.contiguous(), right=True)
        low, high = (place - 1).clamp_min(0), place.clamp_max(reached.shape[-1] - 1)
        begun, ended = reached.gather(1, low), reached.gather(1, high)
        width = ended - begun
        width = torch.where(width < 1e-5, torch.ones_like(width), width)
        start, end = middle.gather(1, low), middle.gather(1, high)
        return (start + (at - begun) / width * (end - start)).view(*depth.shape[:2], count)


def march(logits: Tensor, values: Tensor, depth: Tensor) -> Marched:
    """Composite samples by the midpoint rule.

    Args:
        logits: ``[B, N, S]`` of density: ``softplus(logit - 1)`` per unit, of means of neighbours.
        values: ``[B, N, S, C]``.
        depth: ``[B, N, S]``, growing.
    """

    def halfway(x: Tensor) -> Tensor:
        return 0.5 * (x[:, :, 1:] + x[:, :, :-1])

    density = functional.softplus(halfway(logits) + BEGINS)
    weights = visibility(density, depth[..., 1:] - depth[..., :-1])
    alpha = weights.sum(-1)
    mean = (weights * halfway(depth)).sum(-1) / alpha.clamp_min(1e-12)
    mean = torch.where(alpha > 0, mean, torch.full_like(mean, torch.inf))
    seen = (weights[..., None] * halfway(values)).sum(2)
    first, last = depth.detach().amin(), depth.detach().amax()
    return Marched(seen, alpha, torch.minimum(torch.maximum(mean, first), last), weights)
