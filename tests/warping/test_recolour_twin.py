"""The fast pass changes pixels as a slow and readable one does, on the sample's puppet."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from skimage.color import lab2rgb, rgb2lab

from studio.domain.camera import Floats, Similarity
from studio.domain.controls import ControlState
from studio.domain.edits import Edit, EditStack, Recolour, Region, Relight
from studio.head.rasterise import rasterise
from studio.warping.lab import linear_from_srgb, srgb_from_lab, srgb_from_linear
from studio.warping.pigment import LEVELS, STEEP, hidden, response
from studio.warping.recolour import (
    DISTINCT,
    DOUBT,
    HARDLY,
    OPAQUE,
    Behind,
    Drawn,
    Recolourer,
)
from studio.warping.region_colours import region_statistics
from studio.warping.region_masks import RegionMaps, learn_regions, region_masks
from studio.warping.region_places import irises_at
from studio.warping.relight import Light, Normals, brightness
from studio.warping.warper import Warper
from tests.warping.painted_person import PaintedPerson, painted_person, pose

AT = pose(-9.0, -3.0, 4.0)
SIDE_LIGHT = Relight((-0.6, 0.2, 0.1), 0.05, (1.0, 0.8, 0.6))


def recolour(name: str, region: Region, shift: tuple[float, float, float]) -> Edit:
    return Edit(name, name, "recolour", Recolour(region, shift))


def relight(name: str, effect: Relight) -> Edit:
    return Edit(name, name, "relight", effect)


STACK = EditStack(
    (
        recolour("hair", "hair", (14.0, 6.0, 18.0)),
        recolour("skin", "skin", (-8.0, 4.0, 6.0)),
        recolour("lips", "lips", (-6.0, 25.0, 4.0)),
        recolour("all", "person", (2.0, 0.0, -3.0)),
        relight("light", SIDE_LIGHT),
    )
)


@pytest.fixture(scope="module")
def person() -> PaintedPerson:
    return painted_person()


@pytest.fixture(scope="module")
def maps(person: PaintedPerson) -> RegionMaps:
    return learn_regions(person.parts)


@pytest.fixture(scope="module")
def drawn(person: PaintedPerson) -> Drawn:
    """What a warper draws of the person, unchanged, with a soft outline."""
    warper = Warper(person.parts)
    posed = warper.posed(person.state(AT))
    image, cover = warper.draw(posed, person.view)
    assert cover is not None
    cover = np.minimum(cover, cv2.GaussianBlur(cover, (0, 0), 2.0))
    plate = np.ascontiguousarray(person.parts.plate.image[..., :3])
    points = person.view.placement.apply(posed.positions)
    return Drawn(image, cover, Behind(plate, Similarity(1.0, 0.0, 0.0, 0.0)), points, posed.motion)


def state(**strengths: float) -> ControlState:
    """All of the stack's edits off but those that are named."""
    wanted = {**{edit.name: 0.0 for edit in STACK.edits}, **strengths}
    names = tuple(f"edit_{name}" for name in wanted)
    return ControlState(names, np.array(list(wanted.values()), np.float32))


def slowly(
    person: PaintedPerson, maps: RegionMaps, drawn: Drawn, shifts: dict[Region, Floats], lights: list[Light]
) -> np.ndarray:
    """``[H, W, 3]`` 0..255, floats."""
    mesh = person.parts.mesh
    height, width = drawn.image.shape[:2]
    seen = rasterise(drawn.points, mesh.triangles, width, height)
    places = seen.interpolate(maps.chart.places[:, :2], mesh.triangles)
    measured = region_statistics(person.parts, maps)
    usual = {kind: measured[kind].lab for kind in ("skin", "hair")}
    before = drawn.image.astype(np.float64)
    assert drawn.cover is not None
    assert drawn.behind is not None
    share = drawn.cover / 255.0
    share = np.where((seen.triangle < 0) | (share < HARDLY), 0.0, share)[..., None]
    behind = drawn.behind.plate.astype(np.float64)
    x, y = (np.ascontiguousarray(places[..., k]) - 0.5 for k in (0, 1))
    skin, hair = (
        cv2.remap(part.astype(np.float32), x, y, cv2.INTER_LINEAR)
        for part in (maps.expected.skin, maps.expected.hair)
    )
    colours = 255.0 * srgb_from_lab(np.stack([usual["skin"], usual["hair"]]))
    away = np.where((hair > skin)[..., None], colours[1], colours[0]) - behind
    across = (away**2).sum(-1, keepdims=True)
    told = ((before - behind) * away).sum(-1, keepdims=True) / np.maximum(across, 1e-9)
    told = np.clip(told, HARDLY, np.maximum(share, HARDLY))
    believed = np.minimum((1.0 - share) * DOUBT, 1.0) * (across > DISTINCT**2)
    soft = (share > 0.0) & (share <= OPAQUE)
    share = np.where(soft, share + believed * (told - share), share)
    safe = np.maximum(share, 1e-9)
    alone = np.clip(before / safe - (1.0 - share) / safe * behind, 0.0, 255.0)
    alone = np.where(soft, np.floor(alone + 0.5), before)

    lab = rgb2lab(alone / 255.0)
    found = region_masks(maps, alone.astype(np.uint8), places, irises_at(drawn.points))
    amounts: dict[Region, np.ndarray] = {
        "skin": found.skin,
        "hair": found.hair,
        "lips": found.lips,
        "person": np.ones(share.shape[:2]),
    }
    changed = lab.copy()
    for region, shift in shifts.items():
        own = lab
        if region in usual:
            other: Region = "hair" if region == "skin" else "skin"
            rest = np.minimum(amounts[other], 0.9)[..., None]
            own = (own - rest * usual[other]) / (1.0 - rest)
        table = response(measured[region].lightness, float(shift[0]), STEEP[region])
        level = np.clip(np.rint(own[..., 0] / 100.0 * (LEVELS - 1)), 0, LEVELS - 1).astype(int)
        by = table[level][..., [0, 1, 1]] * np.asarray(shift, np.float64)
        uneven = own[..., 1:] - table[level][..., 2:] * measured[region].lab[1:]
        by[..., 1:] -= hidden(measured[region].lab, np.asarray(shift), region) * uneven
        changed += amounts[region][..., None] * by
    new = 255.0 * np.clip(lab2rgb(changed), 0.0, 1.0)
    if lights:
        normals = Normals(mesh).at(drawn.points, drawn.motion)
        gain = seen.interpolate(brightness(normals, lights) ** (1 / 2.4), mesh.triangles) ** 2.4
        new = 255.0 * srgb_from_linear(np.clip(linear_from_srgb(new / 255.0) * gain, 0.0, 1.0))
    return before + share * (np.clip(new, 0.0, 255.0) - alone)


@pytest.mark.parametrize(
    "names", [("hair",), ("skin", "lips"), ("hair", "skin", "lips", "all")], ids="+".join
)
def test_recolouring_is_what_the_slow_way_gives(person, maps, drawn: Drawn, names: tuple[str, ...]) -> None:
    strength = 0.8
    got = Recolourer(person.parts, STACK).apply(state(**dict.fromkeys(names, strength)), drawn)
    shifts = {
        edit.effect.region: strength * np.array(edit.effect.shift, np.float32)
        for edit in STACK.edits
        if edit.name in names and isinstance(edit.effect, Recolour)
    }
    wanted = slowly(person, maps, drawn, shifts, [])
    away = np.abs(got - wanted)
    moved = np.abs(wanted - drawn.image).max(-1) > 2.0
    assert moved.sum() > 1500
    assert away[moved].mean() < 0.6
    assert np.percentile(away, 99.8) < 3.0


def test_light_is_linear_light_times_its_factor_where_that_is_not_near_white(person, maps, drawn) -> None:
    dark = replace(
        drawn, image=(drawn.image // 2), behind=Behind(drawn.behind.plate // 2, drawn.behind.to_plate)
    )
    got = Recolourer(person.parts, STACK).apply(state(light=1.0), dark)
    wanted = slowly(person, maps, dark, {}, [Light(SIDE_LIGHT, 1.0)])
    away = np.abs(got - wanted)
    assert np.abs(wanted - dark.image).max() > 15.0
    assert away.mean() < 0.5
    assert np.percentile(away, 99.5) < 3.0


def test_nothing_is_work_for_nobody_and_the_background_stays_to_the_last_bit(person, drawn: Drawn) -> None:
    recolourer = Recolourer(person.parts, STACK)
    assert recolourer.apply(state(hair=0.0, light=0.0), drawn) is drawn.image
    assert not recolourer.changes(state(hair=0.0))
    for name in ("hair", "skin", "lips", "all", "light"):
        kept = drawn.image.copy()
        got = recolourer.apply(state(**{name: 2.0}), drawn)
        assert np.array_equal(drawn.image, kept)
        empty = np.asarray(drawn.cover) == 0
        assert empty.sum() > 10000
        assert np.array_equal(got[empty], drawn.image[empty])
        assert not np.array_equal(got, drawn.image)


def test_shifts_of_a_region_add_up_and_their_order_does_not_matter(person, drawn: Drawn) -> None:
    one, two = recolour("one", "hair", (5.0, 2.0, 9.0)), recolour("two", "hair", (9.0, 4.0, 9.0))
    both = recolour("both", "hair", (14.0, 6.0, 18.0))
    pictures = [
        Recolourer(person.parts, EditStack(edits)).apply(state(one=1.0, two=1.0, both=1.0), drawn)
        for edits in ((one, two), (two, one), (both,))
    ]
    assert np.array_equal(pictures[0], pictures[1])
    assert np.array_equal(pictures[0], pictures[2])


@pytest.mark.parametrize(("name", "region"), [("hair", "hair"), ("skin", "skin"), ("lips", "lips")])
def test_a_regions_mean_moves_by_the_shift_times_the_strength(person, drawn, name, region) -> None:
    inside = person.truth(AT)[region] & (drawn.cover == 255)
    effect = STACK.find(name).effect
    assert isinstance(effect, Recolour)
    recolourer = Recolourer(person.parts, STACK)

    def mean(strength: float) -> np.ndarray:
        picture = recolourer.apply(state(**{name: strength}), drawn)
        return np.asarray(rgb2lab(picture[inside][None] / 255.0)[0].mean(0))

    own = mean(0.0)
    covered = {"hair": 0.9, "skin": 0.85, "lips": 0.65}[region]  # of what was painted, this much is found
    for strength in (0.5, 1.0):
        moved = (mean(strength) - own) / strength
        np.testing.assert_allclose(moved, covered * np.array(effect.shift), atol=3.5)
    along = [float((mean(s) - own) @ effect.shift) for s in (-1.0, -0.5, 0.25, 0.5, 0.75, 1.0)]
    assert (np.diff(along) > 0).all()


def test_a_mesh_that_was_rasterised_already_is_used_as_it_is(person, drawn: Drawn) -> None:
    recolourer = Recolourer(person.parts, STACK)
    height, width = drawn.image.shape[:2]
    seen = rasterise(drawn.points, person.parts.mesh.triangles, width, height)
    asked = state(hair=1.0, light=0.7)
    assert np.array_equal(recolourer.apply(asked, replace(drawn, seen=seen)), recolourer.apply(asked, drawn))


def test_what_is_nowhere_near_a_region_need_not_be_looked_at(person, drawn: Drawn) -> None:
    quick, thorough = Recolourer(person.parts, STACK), Recolourer(person.parts, STACK)
    tables = thorough._tables
    assert tables is not None
    few = quick._tables.reach  # type: ignore[union-attr]
    assert 0.1 < (few >> 16 & 255 > 0).mean() < 0.5, "lips are near some triangles"
    thorough._tables = replace(tables, reach=np.full_like(tables.reach, 0xFFFFFFFF))
    for names in (
        ("hair",),
        ("skin",),
        ("lips",),
        ("all",),
        ("light",),
        ("hair", "skin", "lips", "all", "light"),
    ):
        asked = state(**dict.fromkeys(names, 1.0))
        for picture in (drawn, replace(drawn, cover=None, behind=None)):
            assert np.array_equal(quick.apply(asked, picture), thorough.apply(asked, picture))


def test_where_coverage_is_not_known_the_persons_usual_outline_is_taken(person, drawn: Drawn) -> None:
    unknown = replace(drawn, cover=None, behind=None)
    got = Recolourer(person.parts, STACK).apply(state(all=1.0, hair=1.0), unknown)
    away = np.abs(got.astype(int) - drawn.image).max(-1)
    head = np.asarray(drawn.cover) == 255
    near = cv2.dilate(head.astype(np.uint8), np.ones((41, 41))) > 0
    assert (away[head] > 1).mean() > 0.9
    assert (away[~near] > 0).mean() < 0.02


def test_irises_are_coloured_where_they_look_even_if_the_model_looks_elsewhere(person, drawn: Drawn) -> None:
    # The picture's eyes look straight on, the vertices say that they look far to a side.
    blue = EditStack((recolour("eyes", "eyes", (25.0, -5.0, -30.0)),))
    recolourer = Recolourer(person.parts, blue)
    right = recolourer.apply(state(eyes=1.0), drawn)
    aside = drawn.points.copy()
    rims = [*range(468, 478)]
    across = np.linalg.norm(aside[469, :2] - aside[471, :2])
    aside[rims, 0] += 0.3 * across
    wrong = recolourer.apply(state(eyes=1.0), replace(drawn, points=aside))
    moved = [np.abs(got.astype(float) - drawn.image).sum(-1) for got in (right, wrong)]
    columns = np.arange(drawn.image.shape[1])
    middles = [float((m.sum(0) * columns).sum() / m.sum()) for m in moved]
    assert moved[0].sum() > 1000
    assert abs(middles[1] - middles[0]) < 0.15 * across
