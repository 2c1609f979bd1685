"""Where a volume is not empty, so that live rendering samples only there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from studio.networks.volume.rays import Rays


@dataclass(frozen=True)
class Occupancy:
    """Cells of a box of head space that may hold something."""

    low: Tensor
    """``[3]`` the box's lower corner, metres."""
    high: Tensor
    """``[3]`` its upper corner, metres."""
    cells: Tensor
    """``[N, N, N]`` bool, indexed ``[z, y, x]``."""

    def joined(self, other: Occupancy) -> Occupancy:
        """What this or another one of the same box holds, for example at another expression."""
        if self.cells.shape != other.cells.shape or not torch.equal(self.low, other.low):
            raise ValueError("only grids of one box can be joined")
        return Occupancy(self.low, self.high, self.cells | other.cells)

    def holds(self, points: Tensor) -> Tensor:
        """Whether ``[..., 3]`` head-space points lie in such cells: ``[...]``, False outside the box."""
        count = self.cells.shape[0]
        place = (points - self.low) / (self.high - self.low)
        inside = ((place >= 0.0) & (place <= 1.0)).all(-1)
        x, y, z = (place * count).long().clamp(0, count - 1).unbind(-1)
        return inside & self.cells.flatten()[(z * count + y) * count + x]

    def spans(self, rays: Rays) -> tuple[Tensor, Tensor]:
        """Depths ``[B, N]`` between which rays may meet something.

        A step goes no further than one cell along any axis, and ``occupancy_of`` grows what it finds by one
        cell, so nothing that was found is stepped over or cut at its ends.

        Returns:
            ``(enter, leave)``; leave is enter where a ray meets nothing.
        """
        count = self.cells.shape[0]
        enter, leave = rays.span(self.low, self.high)
        width = (leave - enter).clamp_min(0.0)
        part = torch.linspace(0.0, 1.0, count + 1, device=enter.device, dtype=enter.dtype)
        # Looked at a hair inside the box: what rounding puts outside of it would count as empty.
        inner = part.clamp(1e-5, 1.0 - 1e-5)
        found = self.holds(rays.in_head(enter[..., None] + width[..., None] * inner))
        found &= (width > 0.0)[..., None]
        first = found.float().argmax(-1)
        last = count - found.flip(-1).float().argmax(-1)
        begin = enter + width * part[first]
        end = torch.where(found.any(-1), enter + width * part[last], begin)
        return begin, end


def occupancy_of(
    density: Callable[[Tensor], Tensor],
    low: Tensor,
    high: Tensor,
    threshold: float = 0.1,
    cells: int = 48,
    probes: int = 2,
    at_once: int = 1 << 16,
) -> Occupancy:
    """Finds where a density is above a threshold.

    Args:
        density: head-space points ``[N, 3]`` to densities per metre ``[N]``.
        low, high: ``[3]`` the box's corners, metres.
        threshold: per metre. 0.1 dims what is behind 20 cm of it by 2 %.
        cells: cells along each axis.
        probes: where a cell is looked at, along each axis, at the middles of equal parts. Something so thin
            that it passes between all of them may be missed; the cells around a find are kept too.
        at_once: how many points the density gets in one call.
    """
    fine = cells * probes
    part = (torch.arange(fine, device=low.device, dtype=low.dtype) + 0.5) / fine
    place = torch.stack(torch.meshgrid(part, part, part, indexing="ij"), -1).reshape(-1, 3).flip(-1)
    with torch.no_grad():
        pieces = [density(low + (high - low) * some) > threshold for some in torch.split(place, at_once)]
    found = torch.cat(pieces).reshape(1, 1, fine, fine, fine).float()
    coarse = functional.max_pool3d(found, probes)
    grown = functional.max_pool3d(coarse, 3, stride=1, padding=1)
    return Occupancy(low, high, grown[0, 0] > 0.5)
