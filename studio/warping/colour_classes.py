"""How typical a colour is of a class of things (skin, hair, clothes): a table over RGB, made of examples.

A table holds, for every colour, a share of how common the class's own colours are: all colours that make up
the bulk of the class count as 1, whatever its size and spread, and rare ones less. So two classes with a
colour in common leave it to the place which of them it is.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from studio.domain.camera import Floats
from studio.warping.lab import lab_from_linear, lab_from_srgb, linear_from_srgb, srgb_from_lab

CELLS = 32
"""Cells of a table along red, green and blue."""
SHIFT = 3
"""A byte of colour shifted right by this is its cell."""
SMOOTH = (1.0, 2.5, 0.15)
"""Cells over which examples are spread; farther for a smaller share, for colours that were not filmed."""
BULK = 0.5
"""Share of the examples whose colours are wholly typical."""
FEWEST = 20.0
"""Weight of examples below which nothing is known about a class."""


def cells_of(pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
    """``[...]`` flat cell number of colours ``[..., 3]``."""
    cell = pictures.astype(np.int32) >> SHIFT
    return np.asarray((cell[..., 0] * CELLS + cell[..., 1]) * CELLS + cell[..., 2], np.int32)


@cache
def cell_lab() -> Floats:
    """``[CELLS³, 3]`` Lab of the middle of each cell, red slowest."""
    middle = (np.arange(CELLS) + 0.5) / CELLS
    return lab_from_srgb(np.stack(np.meshgrid(middle, middle, middle, indexing="ij"), -1).reshape(-1, 3))


def typical_colours(
    cells: npt.NDArray[Any], weights: npt.NDArray[Any] | None = None, spread: float = 1.0
) -> Floats:
    """``[CELLS³]`` 0..1 from examples.

    Args:
        cells: ``[N]`` flat cell numbers, see :func:`cells_of`.
        weights: ``[N]`` how much each example counts; None for all alike.
        spread: how much farther than usual examples are spread: where there are few.
    """
    counted = np.bincount(cells, weights, CELLS**3).astype(np.float32)
    if counted.sum() < FEWEST:
        return np.zeros(CELLS**3, np.float32)
    near, far, share = SMOOTH
    cube = counted.reshape(CELLS, CELLS, CELLS)
    dense = (gaussian_filter(cube, spread * near) + share * gaussian_filter(cube, spread * far)).ravel()
    falling = np.sort(dense)[::-1]
    bulk = falling[np.searchsorted(np.cumsum(falling), BULK * falling.sum())]
    return np.asarray(np.clip(dense / bulk, 0.0, 1.0), np.float32)


SHADES = (0.08, 0.11, 0.15, 0.20, 0.26, 0.34, 0.43, 0.54, 0.67, 0.81, 0.95, 1.1, 1.3)
"""Lights, as factors of the usual one, under which skin is expected."""
GLOSS, SHINES = (0.06, 0.15, 0.3, 0.5, 0.75), 0.4
"""Share of white that shines on it, and the light from which anything does."""
WARMER = (0.3, 0.6)
"""Powers of its own hue that light between folds of skin has taken on."""
DIMMED, SHONE, WARMED = 1.4, 0.4, 0.6
"""How fast such a colour gets less likely: sigma of the light's logarithm, of the gloss, of that power."""
TOLERANCE, IN_SHADOW = (5.0, 4.0), 1.4
"""Sigma of L, and of a and b, around each; in shadow it is so many times as large."""


def skin_under_any_light(colour: Floats, darkest: float = 0.0) -> Floats:
    """``[CELLS³]`` 0..1: skin of a usual colour ``[3]``, sRGB 0..1, in shadow, in light and under gloss; in
    no deeper shadow than a share of the usual light."""
    usual = linear_from_srgb(colour)
    shades = [s for s in SHADES if s >= darkest]
    ways = [(s, 0.0, warm) for s in shades for warm in (0.0, *WARMER)]
    ways += [(s, gloss, 0.0) for s in shades if s > SHINES for gloss in GLOSS]
    shade, gloss, warm = np.array(ways).T[..., None]
    light = shade * usual * (usual / usual.mean()) ** warm * (1.0 - gloss) + gloss
    unusual = (np.log(shade) / DIMMED) ** 2 + (gloss / SHONE) ** 2 + (warm / WARMED) ** 2
    expected, weight = lab_from_linear(np.clip(light, 0.0, 1.0)), np.exp(-0.5 * unusual[:, 0])
    dark = shade[:, 0] < SHINES
    found = _around(expected[~dark], weight[~dark])
    return np.maximum(found, _around(expected[dark], weight[dark], IN_SHADOW)) if dark.any() else found


def hair_under_any_light(table: Floats) -> Floats:
    """``[CELLS³]`` 0..1: a table of hair's colours, and the same in shadow and under a sheen of white."""
    if not table.any():
        return table
    usual = linear_from_srgb(standing_for(table, 3))
    ways = np.array([*((s, 0.0) for s in HAIR_SHADES), *((1.0, g) for g in SHEEN)])
    shade, sheen = ways.T[..., None, None]
    expected = lab_from_linear(shade * usual * (1.0 - sheen) + sheen).reshape(-1, 3)
    unusual = (np.log(shade) / DIMMED) ** 2 + (sheen / SHEENS) ** 2
    weight = np.repeat(np.exp(-0.5 * unusual).ravel(), len(usual))
    return np.maximum(table, _around(expected, weight, IN_SHADOW))


HAIR_SHADES = (0.2, 0.35, 0.55, 0.8, 1.15)
"""Lights, as factors of the usual one, under which hair is expected."""
SHEEN, SHEENS = (0.03, 0.06, 0.1, 0.15, 0.22, 0.3), 0.15
"""Share of white light that hair throws back, and how fast more of it gets less likely (sigma)."""


def distinct(one: Floats, other: Floats) -> float:
    """How surely a colour between those of two classes is a mixture of both, 0..1: where their nearest
    colours are alike, as a blond's hair and skin, it may as well be either's own."""
    if not (one.any() and other.any()):
        return 0.0
    ends = [lab_from_srgb(standing_for(table, 3)) for table in (one, other)]
    apart = float(np.linalg.norm(ends[0][:, None] - ends[1], axis=2).min())
    return float(np.clip((apart - ALIKE[0]) / (ALIKE[1] - ALIKE[0]), 0.0, 1.0))


ALIKE = (14.0, 20.0)
"""Distance in Lab of what stands for two classes, at its nearest, up to which colours between them say
nothing, and from which they say all. Of twelve people's hair and skin it is 10 to 32."""


def shared_colours(one: Floats, other: Floats, modest: float = 1.0) -> tuple[Floats, Floats]:
    """What pixels look like in which two classes share: hair's edge before skin.

    Args:
        one: ``[CELLS³]`` typical colours of a class.
        other: those of another.
        modest: power to which the first one's part is raised.

    Returns:
        Both tables; a colour that lies between theirs is typical of each by its part in it.
    """
    if not (one.any() and other.any()):
        return one, other
    ends = standing_for(one, 3)[:, None], standing_for(other, 3)
    part = np.linspace(0.0, 1.0, MIXTURES)[:, None, None, None]
    mixed = lab_from_srgb(part * ends[0] + (1.0 - part) * ends[1])
    near = np.stack([_around(m.reshape(-1, 3), np.ones(9)) for m in mixed])
    shares = near / np.maximum(near.sum(0), 1e-6)
    of_one = np.tensordot(part[:, 0, 0, 0], shares, 1) ** modest
    # The ends are the classes' own colours, which stay as typical as they are.
    between = (near * (4.0 * part * (1.0 - part))[:, :, 0, 0]).max(0)
    return (
        np.asarray(one + between * (of_one - one), np.float32),
        np.asarray(other + between * (1.0 - of_one - other), np.float32),
    )


MIXTURES = 9
"""Parts in which two classes are mixed."""


def standing_for(table: Floats, count: int) -> Floats:
    """``[count, 3]`` sRGB 0..1: colours that stand for a table's, from its dark to its light ones."""
    lab, weight = cell_lab(), table**2
    order = np.argsort(lab[:, 0])
    share = np.cumsum(weight[order]) / max(float(weight.sum()), 1e-6)
    groups = np.array_split(order[(share > 0.1) & (share < 0.9)], count)
    means = [np.average(lab[g], axis=0, weights=weight[g] + 1e-6) for g in groups if len(g)]
    return np.asarray(srgb_from_lab(np.array(means).reshape(-1, 3)), np.float32)


def _around(expected: Floats, weight: npt.NDArray[Any], tolerance: float = 1.0) -> Floats:
    """``[CELLS³]``: each cell's best weight over expected colours ``[N, 3]``, fading with distance in Lab."""
    sigma = np.array([TOLERANCE[0], TOLERANCE[1], TOLERANCE[1]], np.float32) * np.float32(tolerance)
    at, wanted = cell_lab() / sigma, expected / sigma
    squared = (at**2).sum(1)[:, None] - 2.0 * at @ wanted.T + (wanted**2).sum(1)
    best = (np.log(np.maximum(weight, 1e-9)).astype(np.float32) - 0.5 * squared).max(1)
    return np.asarray(np.exp(np.minimum(best, 0.0)), np.float32)


NATURAL_CHROMA = 14.0
"""Chroma below which hair may have any hue."""
NATURAL_HUES = (10.0, 105.0)
"""Hues of Lab, degrees, that hair has by nature: red, brown, blond."""


@cache
def natural_hair() -> npt.NDArray[np.bool_]:
    """``[CELLS³]`` whether hair may have a colour without being dyed."""
    lab = cell_lab()
    hue = np.rad2deg(np.arctan2(lab[:, 2], lab[:, 1]))
    low, high = NATURAL_HUES
    return np.asarray((np.hypot(lab[:, 1], lab[:, 2]) < NATURAL_CHROMA) | ((hue > low) & (hue < high)))
