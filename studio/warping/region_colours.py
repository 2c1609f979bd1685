"""What colours a person's regions have, measured on their own pivots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats
from studio.domain.edits import Region
from studio.domain.region_colours import RegionColour, RegionColours
from studio.head.rasterise import rasterise
from studio.warping.lab import lab_from_srgb
from studio.warping.region_masks import RegionMaps, learn_regions, region_masks
from studio.warping.region_places import irises_at

if TYPE_CHECKING:
    from studio.warping.parts import WarpParts

COUNT = 8
"""How many pivots are measured, spread over the turns of the head."""
LARGEST = 320
"""Longest side, in pixels, of what is measured."""
LEVELS = 101
"""Steps of lightness that are told apart, 0 to 100."""


@dataclass(frozen=True)
class RegionStatistics:
    """One region of a person, over their pivots."""

    lab: Floats
    """``[3]`` mean Lab; zero where the region is nowhere."""
    share: float
    """How much of the picture it covers, 0..1."""
    lightness: Floats
    """``[LEVELS]`` share of the region at each L, rounded; sums to 1 unless it is nowhere."""


def measure_colours(parts: WarpParts) -> RegionColours:
    """Mean colour of every region of a person and how much of the picture it covers; a second or so."""
    measured = region_statistics(parts, learn_regions(parts))
    return {
        region: RegionColour((float(one.lab[0]), float(one.lab[1]), float(one.lab[2])), one.share)
        for region, one in measured.items()
    }


def region_statistics(parts: WarpParts, maps: RegionMaps) -> Mapping[Region, RegionStatistics]:
    """The same with more about lightness, by masks that are known already."""
    from studio.warping.parts import pivot_positions

    order = np.argsort(parts.motion.angles[:, 0], kind="stable")
    numbers = order[np.unique(np.linspace(0, len(order) - 1, COUNT + 2).round().astype(int))[1:-1]]
    if not len(numbers):
        numbers = order
    mesh = parts.mesh
    positions = pivot_positions(mesh, parts.motion.take(numbers), parts.shell[numbers])
    height, width = parts.textures.shape[1:3]
    step = max(1, -(-max(height, width) // LARGEST))
    sums = {region: np.zeros(3) for region in _REGIONS}
    levels = {region: np.zeros(LEVELS) for region in _REGIONS}
    pixels = 0
    for number, at in zip(numbers, positions, strict=True):
        texture = parts.textures[number, ::step, ::step]
        # Every step-th pixel, whose centre lies half a pixel of its own in.
        points = parts.stage.placement.apply(at)
        points = np.column_stack([(points[:, :2] - 0.5) / step + 0.5, points[:, 2]]).astype(np.float32)
        seen = rasterise(points, mesh.triangles, texture.shape[1], texture.shape[0])
        places = seen.interpolate(maps.chart.places[:, :2], mesh.triangles)
        masks = region_masks(maps, np.ascontiguousarray(texture[..., :3]), places, irises_at(points))
        cover = texture[..., 3].astype(np.float32) / 255.0 * (seen.triangle >= 0)
        lab = lab_from_srgb(texture[..., :3] / 255.0)
        level = np.clip(np.rint(lab[..., 0]), 0, LEVELS - 1).astype(int).ravel()
        shares = {"skin": masks.skin, "hair": masks.hair, "lips": masks.lips, "eyes": masks.eyes}
        for region in _REGIONS:
            weight = cover * shares.get(region, np.float32(1.0))
            sums[region] += np.einsum("yx,yxc->c", weight, lab, dtype=np.float64)
            levels[region] += np.bincount(level, weight.ravel(), LEVELS)
        pixels += cover.size
    return {region: _statistics(sums[region], levels[region], pixels) for region in _REGIONS}


_REGIONS: tuple[Region, ...] = ("skin", "hair", "lips", "eyes", "person")


def _statistics(
    total: npt.NDArray[np.float64], levels: npt.NDArray[np.float64], pixels: int
) -> RegionStatistics:
    weight = max(float(levels.sum()), 1e-9)
    return RegionStatistics(
        np.asarray(total / weight, np.float32),
        float(levels.sum()) / pixels,
        np.asarray(levels / weight, np.float32),
    )
