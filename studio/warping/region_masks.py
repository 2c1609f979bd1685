"""Which part of a rendered picture is skin, hair, lips, irises: a place on the person times a colour.

Every pixel of a rendering lies somewhere on the person's mesh, and so on their chart, where it is kept
what is to be expected there; its colour says whether that is so. With ``π`` the expectations and ``t`` how
typical a colour is of a class, hair shows with ``π_hair t_hair / Σ π_k t_k`` over skin, hair and everything
else, and lips and irises likewise with what surrounds them: Bayes' rule. So the mask follows strands and not
triangles, and one shape of it serves all poses and engines.

Expectations and typical colours are learnt from the person's own pivots in a few rounds of expectation
maximisation, from places where every head has skin, hair, clothes. Nothing here understands pictures: what is
worn over the hair and has a natural colour counts as hair.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, label, map_coordinates

from studio.domain.camera import Floats
from studio.warping.charted_pivots import STEP, ChartedPivots, charted_pivots
from studio.warping.colour_classes import (
    CELLS,
    cell_lab,
    cells_of,
    distinct,
    hair_under_any_light,
    natural_hair,
    shared_colours,
    skin_under_any_light,
    typical_colours,
)
from studio.warping.face_chart import SIDE, FaceChart, face_chart
from studio.warping.lab import srgb_from_lab
from studio.warping.region_places import Places, irises_at, places_on

if TYPE_CHECKING:
    from studio.warping.parts import WarpParts

SPREADS = (3.0, 2.0, 1.5, 1.0)
"""Gaussian sigma, in pixels of the charted pivots, over which neighbours agree, in each round of expectation
maximisation: first where things are at all, then where they end."""
SELDOM = 1.0 / 255.0
"""How typical any colour is of any class at least."""
ANYTHING = 0.08
"""How typical any colour is at least of what is neither skin nor hair: clothes, glasses, microphones."""
LEAST_OTHER = 0.10
"""Share of that to be expected anywhere."""
GROWN = 0.5
"""How typical hair's colours are of what is neither: beards and brows are none of the regions."""
DECIDED = 1.3
"""Power to which expectations are raised in each round: where colours say nothing, the likelier takes it."""
SURE = 4.0
"""Power of a share with which a pixel counts as an example: what is unsure must not teach."""
NEVER = 2.0
"""Pivots that must show a place before it is believed more than what every head has there."""
BALD = 0.12
"""Share of the crown that must not look like skin."""
UNLIKE, LIKE, LIT = 0.1, 0.6, 0.45
"""How typical of skin a colour may be to be something else for sure, and to be hair on a crown that has some;
the share of the usual light that falls on skin of the crown at least."""
SCALP = np.float32(0.2)
"""Factor of skin to be expected on a crown that has hair."""
HAIRY = 0.3
"""How typical of hair a colour below the chin may be to be clothes for sure."""
LINKS = (3, 9)
"""Pixels of the charted pivots that what hangs together is wide at least, and below the chin."""
OUTLYING, GLOSSY = 4.0, 10.0
"""How much lighter than most hair may be: so many median deviations, and so many levels of L."""
HUE, COLOURED = 15.0, 7.0
"""Degrees of hue by which skin may differ from its usual one, and the least chroma that has a hue."""
NATURAL = 0.4
"""Share of what the crown shows that must have a natural colour of hair for others to be left out."""
SHARED, MODEST = 40.0, 1.5
"""Of people whose hair and skin differ in colour, :attr:`RegionMaps.shared`; of people whose do not, the
power to which hair's part in colours between them is raised: a little of it at its edge is hardly seen, and
too much is."""
BESIDE_LIPS, BESIDE_IRIS = 0.5, 0.4
"""Weight of what is in the mouth against lips, and of what else is between lids against irises."""
IRIS_REACH, PUPIL = (0.8, 1.15), (0.28, 0.46)
"""Radii of an iris up to which it is expected, and beyond which it is not; those of its pupil likewise."""
FEW = 1.6
"""How much farther the colours of lips and eyes are spread: there are few pixels to learn them from."""
OPEN = 0.35
"""How far lids may be closed in pivots from which irises are learnt."""


Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Expected:
    """What is to be expected where: ``[SIDE, SIDE]`` over the chart each, shares in 255ths."""

    skin: Bytes
    hair: Bytes
    lips: Bytes
    eyes: Bytes
    person: Bytes


@dataclass(frozen=True)
class Typical:
    """How typical colours are of each class, ``[CELLS³]`` each, in 255ths and never 0: see
    :mod:`studio.warping.colour_classes`. ``other`` holds hair's colours too, for what is none of the
    region's."""

    skin: Bytes
    hair: Bytes
    other: Bytes
    lips: Bytes
    mouth: Bytes
    iris: Bytes
    lids: Bytes


@dataclass(frozen=True)
class RegionMaps:
    """Everything that masks of a person's renderings are made from."""

    chart: FaceChart
    """The person's chart."""
    expected: Expected
    """What is to be expected where."""
    typical: Typical
    """Which colours things have."""
    shared: float = 0.0
    """How fast, by the smaller of the two, a place where skin and hair are expected leaves it to the colour
    how much of each shows: there a colour between theirs is some of both, and not one of them that is
    unusual."""


def learn_regions(parts: WarpParts) -> RegionMaps:
    """Learn where a person has skin, hair, lips and eyes and in which colours; a second or so."""
    chart = face_chart(parts.mesh)
    charted = charted_pivots(parts, chart)
    fine, coarse = places_on(parts.mesh, chart), places_on(parts.mesh, chart, SIDE // STEP)
    skin, hair, typical, told = _learn_skin_and_hair(charted, coarse)
    wide = [cv2.resize(e, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR) for e in (skin, hair, charted.person)]
    expected = Expected(*(_in_255ths(e) for e in (*wide[:2], fine.lips, fine.eyes, wide[2])))
    like = (*typical, *_learn_features(parts, chart, charted, coarse))
    table = Typical(*(np.maximum(_in_255ths(t), 1) for t in like))
    return RegionMaps(chart, expected, table, SHARED * told)


def _in_255ths(share: Floats) -> Bytes:
    return np.clip(255.0 * share + 0.5, 0, 255).astype(np.uint8)


def _learn_skin_and_hair(
    charted: ChartedPivots, places: Places
) -> tuple[Floats, Floats, tuple[Floats, ...], float]:
    """Expectations of skin and hair; typical colours of skin, hair and everything else; and how surely
    colours tell skin and hair apart, see :func:`colour_classes.distinct`."""
    cells, clear = cells_of(charted.pictures), charted.clear
    bare, flesh, usual = _own_skin(cells[clear & places.bare], cells[clear & places.flesh])
    lit = np.maximum(bare, skin_under_any_light(usual, LIT))
    anyhow = np.maximum(np.maximum(bare, flesh), skin_under_any_light(usual))
    crown, body = cells[clear & places.crown], cells[clear & places.body]
    hairy, dressed = crown[lit[crown] < UNLIKE], body[anyhow[body] < UNLIKE]
    nothing = np.zeros_like(bare)
    there = len(hairy) > BALD * max(len(crown), 1)
    hair = nothing
    if there:
        lightness = cell_lab()[:, 0]
        middle = np.median(lightness[hairy])
        glossy = middle + OUTLYING * np.median(np.abs(lightness[hairy] - middle)) + GLOSSY
        hair = typical_colours(crown[(lit[crown] < LIKE) & (lightness[crown] < glossy)])
        if natural_hair()[hairy].mean() > NATURAL:
            hair = hair * natural_hair()
        hair = hair_under_any_light(hair)
    crowning = hair
    dressed = dressed[hair[dressed] < HAIRY]  # long hair falls over shoulders
    other = typical_colours(dressed) if len(dressed) > BALD * max(len(body), 1) else nothing
    skin = anyhow
    first = places.skin, np.zeros_like(places.hair)
    if there:
        first = places.skin * np.where(places.crown, SCALP, np.float32(1.0)), places.hair
    expected = first
    shown = clear.sum(0)
    believed = shown / (shown + NEVER)
    for spread in SPREADS:
        shares = _posterior(*expected, *(t[cells] for t in (skin, hair, other)))[:2]
        usual_there = [
            believed * (share * clear).sum(0) / np.maximum(shown, 1) + (1.0 - believed) * guess
            for share, guess in zip(shares, first, strict=True)
        ]
        s, h = _decided(*(gaussian_filter(e, spread) for e in usual_there))
        s, h = s * (1.0 - places.features), h * (1.0 - places.features)
        expected = s + h * (1.0 - places.hairy), h * places.hairy
        at = cells[clear]
        seen_skin, seen_hair = (typical_colours(at, share[clear] ** SURE) for share in shares)
        skin = np.maximum(seen_skin, 0.5 * anyhow)
        hair = np.maximum(seen_hair, 0.5 * crowning)
    other = np.maximum(np.maximum(other, ANYTHING), GROWN * hair)
    told = distinct(hair, skin)
    hair, skin = shared_colours(hair, skin, MODEST + told * (1.0 - MODEST))
    s = _rooted(expected[0], places.bare, places.body)
    h = _rooted(expected[1], places.crown, places.body)
    # What looks like skin on the crown and has nothing to do with the face is a gleam on hair.
    return s, h + (expected[0] - s) * places.crown * there, (skin, hair, other), told


def _own_skin(bare: npt.NDArray[np.int32], flesh: npt.NDArray[np.int32]) -> tuple[Floats, Floats, Floats]:
    """Skin's colours as two tables: from places where it is bare, apart from what covers it in some pivots,
    and from others as far as they have its hue; and its usual colour ``[3]`` in sRGB 0..1."""
    lab = cell_lab()[bare]
    usual = np.median(lab, 0)
    for _ in range(3):
        near = np.linalg.norm((lab - usual) / (18.0, 8.0, 8.0), axis=1) < 2.0
        usual = np.median(lab[near], 0)
    ab = cell_lab()[flesh, 1:]
    alike = np.abs(np.arctan2(ab @ (-usual[2], usual[1]), ab @ usual[1:])) < np.deg2rad(HUE)
    alike &= np.hypot(*ab.T) > COLOURED
    tables = typical_colours(bare[near]), typical_colours(flesh[alike])
    return *tables, srgb_from_lab(usual).astype(np.float32)


def _posterior(
    skin: Floats, hair: Floats, like_skin: Floats, like_hair: Floats, like_other: Floats
) -> tuple[Floats, Floats, Floats]:
    """Shares of skin, hair and everything else by Bayes' rule, from what is expected and how typical the
    colour is of each."""
    like_other = np.maximum(np.maximum(like_other, ANYTHING), GROWN * like_hair)
    other = np.maximum(1.0 - skin - hair, LEAST_OTHER) * like_other
    skin, hair = skin * np.maximum(like_skin, SELDOM), hair * np.maximum(like_hair, SELDOM)
    whole = skin + hair + other
    return skin / whole, hair / whole, other / whole


def _decided(skin: Floats, hair: Floats) -> tuple[Floats, Floats]:
    other = np.clip(1.0 - skin - hair, 0.0, 1.0)
    s, h, o = (e**DECIDED for e in (skin, hair, other))
    whole = s + h + o
    return s / whole, h / whole


def _rooted(share: Floats, root: npt.NDArray[np.bool_], body: npt.NDArray[np.bool_]) -> Floats:
    """What hangs together with where it is for sure: a dark collar is no hair, touching a lock or not."""
    there = (share > 0.35).astype(np.uint8)
    thin, wide = (cv2.erode(there, np.ones((side, side))) for side in LINKS)
    parts, _ = label(np.where(body, wide, thin))
    rooted = np.isin(parts, np.setdiff1d(parts[root], 0)).astype(np.uint8)
    near, far = (
        cv2.dilate(rooted * part, np.ones((side + 6, side + 6)))
        for side, part in zip(LINKS, (~body, body), strict=True)
    )
    return np.asarray(share * gaussian_filter(np.maximum(near, far).astype(np.float32), 1.0), np.float32)


def _learn_features(
    parts: WarpParts, chart: FaceChart, charted: ChartedPivots, places: Places
) -> tuple[Floats, Floats, Floats, Floats]:
    """Typical colours of lips, the inside of the mouth, irises, and what else is between the lids."""
    cells, clear = cells_of(charted.pictures), charted.clear
    lips = typical_colours(cells[clear & (places.lips > 0.7)], spread=FEW)
    within = cv2.erode(places.mouth, np.ones((3, 3))) > 0.7
    mouth = typical_colours(cells[clear & within], spread=FEW)
    side = SIDE // STEP
    y, x = np.mgrid[:side, :side] + 0.5
    radius = np.full((side, side), np.inf)
    for disc in irises_at(chart.places[:, :2] / np.float32(STEP)):
        u, v = (disc[k] * x + disc[k + 1] * y + disc[k + 2] for k in (0, 3))
        radius = np.minimum(radius, np.hypot(u, v))
    between = clear & (places.eyes > 0.6)
    between &= (parts.motion.eyelids[charted.numbers] < OPEN).all(1)[:, None, None]
    iris = typical_colours(cells[between & (radius < 0.8)], spread=FEW)
    return lips, mouth, iris, typical_colours(cells[between & (radius > 1.25)], spread=FEW)


@dataclass(frozen=True)
class Masks:
    """Shares 0..1 of the regions, ``[H, W]`` each, in what the person covers: coverage is not in them."""

    skin: Floats
    hair: Floats
    lips: Floats
    eyes: Floats


def region_masks(maps: RegionMaps, person: npt.NDArray[np.uint8], places: Floats, irises: Floats) -> Masks:
    """The regions in a picture, the slow and readable way; :mod:`studio.warping.recolour` does the same in
    one pass.

    Args:
        maps: the person's.
        person: ``[H, W, 3]`` RGB of the person alone.
        places: ``[H, W, 2]`` where on the chart each pixel lies, in chart pixels.
        irises: ``[2, 7]`` the irises in the picture, from :func:`region_places.irises_at`.
    """
    expected = {f.name: _sampled(getattr(maps.expected, f.name), places) for f in fields(Expected)}
    like = {f.name: _between_cells(getattr(maps.typical, f.name), person) for f in fields(Typical)}
    either = expected["skin"] + expected["hair"]
    shared = np.minimum(maps.shared * np.minimum(expected["skin"], expected["hair"]), 1.0)
    skin, hair = (e + shared * (0.5 * either - e) for e in (expected["skin"], expected["hair"]))
    skin, hair = skin * like["skin"], hair * like["hair"]
    other = np.maximum(1.0 - either, LEAST_OTHER) * like["other"]
    lips = expected["lips"] * like["lips"]
    beside = (1.0 - expected["lips"]) * like["skin"] + BESIDE_LIPS * like["mouth"]
    eyes = expected["eyes"] * like["iris"] / (like["iris"] + BESIDE_IRIS * like["lids"])
    y, x = np.mgrid[: person.shape[0], : person.shape[1]] + 0.5
    reach = [
        m[6] * iris_reach(np.hypot(m[0] * x + m[1] * y + m[2], m[3] * x + m[4] * y + m[5])) for m in irises
    ]
    return Masks(
        *(skin / (skin + hair + other), hair / (skin + hair + other)),
        *(lips / (lips + beside), np.asarray(eyes * np.max(reach, 0), np.float32)),
    )


def iris_reach(radius: npt.NDArray[np.floating]) -> Floats:
    """How far an iris reaches by the distance from its centre, in radii: 0 in the pupil and outside."""

    def beyond(near: float, far: float) -> npt.NDArray[np.floating]:
        t = np.clip((radius - near) / (far - near), 0.0, 1.0)
        return t * t * (3.0 - 2.0 * t)

    return np.asarray(beyond(*PUPIL) * (1.0 - beyond(*IRIS_REACH)), np.float32)


def _sampled(share: Bytes, places: Floats) -> Floats:
    x, y = (np.ascontiguousarray(places[..., k]) - np.float32(0.5) for k in (0, 1))
    whole = share.astype(np.float32) / np.float32(255.0)
    return np.asarray(cv2.remap(whole, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _between_cells(table: Bytes, picture: npt.NDArray[np.uint8]) -> Floats:
    cube = table.reshape(CELLS, CELLS, CELLS).astype(np.float32) / np.float32(255.0)
    at = np.clip((picture.reshape(-1, 3).T + 0.5) / (256 / CELLS) - 0.5, 0.0, CELLS - 1)
    found = map_coordinates(cube, at, order=1, mode="nearest")
    return np.asarray(found.reshape(picture.shape[:2]), np.float32)
