"""Regions are found where they are: on the sample's puppet, whose every pixel is known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from scipy.ndimage import binary_fill_holes

from pipelines.sample.pose import Pose
from studio.domain.camera import Similarity, View
from studio.head.rasterise import rasterise
from studio.warping.colour_classes import (
    CELLS,
    cell_lab,
    cells_of,
    distinct,
    skin_under_any_light,
    typical_colours,
)
from studio.warping.face_chart import INNER_LIPS, OUTER_LIPS, SIDE, face_chart
from studio.warping.lab import lab_from_srgb
from studio.warping.mesh import PersonMesh
from studio.warping.region_masks import SHARED, Masks, RegionMaps, iris_reach, learn_regions, region_masks
from studio.warping.region_places import irises_at, places_on
from studio.warping.warper import Warper
from tests.warping.average_person import motion_of
from tests.warping.painted_person import FILMED, PaintedPerson, painted_person, pose

Truth = dict[str, npt.NDArray[np.bool_]]
ASKED = [pose(2.0, -3.0), pose(-25.0, -4.0, 3.0), pose(25.0, -4.0, 3.0), pose(4.0, -6.0, 9.0)]
"""None of them is a pivot's."""


@pytest.fixture(scope="module")
def person() -> PaintedPerson:
    return painted_person()


@pytest.fixture(scope="module")
def maps(person: PaintedPerson) -> RegionMaps:
    return learn_regions(person.parts)


@pytest.fixture(scope="module")
def warper(person: PaintedPerson) -> Warper:
    return Warper(person.parts)


def looked(person: PaintedPerson, maps: RegionMaps, warper: Warper, at: Pose) -> tuple[Masks, Any]:
    """Masks in a rendering, and how much of each pixel the person covers."""
    posed = warper.posed(person.state(at))
    image, cover = warper.draw(posed, person.view)
    assert cover is not None
    points = person.view.placement.apply(posed.positions)
    triangles = person.parts.mesh.triangles
    seen = rasterise(points, triangles, person.view.width, person.view.height)
    places = seen.interpolate(maps.chart.places[:, :2], triangles)
    return region_masks(maps, image, places, irises_at(points)), cover / 255.0


@pytest.mark.parametrize("at", ASKED, ids=["front", "left", "right", "open"])
def test_regions_are_where_they_were_painted(person, maps, warper, at: Pose) -> None:
    found, cover = looked(person, maps, warper, at)
    truth = person.truth(at)
    for region, least in (("skin", 0.8), ("hair", 0.8), ("lips", 0.6), ("eyes", 0.6)):
        there, wanted = getattr(found, region) * cover > 0.4, truth[region]
        if region == "eyes":  # a pupil more or less of half a pixel is not what is asked here
            there, wanted = binary_fill_holes(there), binary_fill_holes(wanted)
        assert (there & wanted).sum() / (there | wanted).sum() > least, region


def test_teeth_and_collar_are_no_region_and_pupils_are_none_of_the_irises(person, maps, warper) -> None:
    at = pose(0.0, -6.0, 9.0)
    found, cover = looked(person, maps, warper, at)
    truth = person.truth(at)
    shares = np.stack([found.skin, found.hair, found.lips, found.eyes]) * cover
    assert shares.sum(0).max() < 1.02
    collar = truth["other"] & (np.arange(len(cover))[:, None] > 0.7 * len(cover))
    assert collar.sum() > 2000
    assert shares[:, collar].mean() < 0.02
    posed = warper.posed(person.state(at))
    mouth = posed.positions[[13, 14], :2].mean(0).astype(int)
    assert shares[:, mouth[1] - 1 : mouth[1] + 2, mouth[0] - 8 : mouth[0] + 8].max() < 0.3
    for eye in (468, 473):
        x, y = posed.positions[eye, :2].astype(int)
        assert found.eyes[y, x] < 0.3 < found.eyes[y - 4 : y + 5, x - 4 : x + 5].max()


def test_what_is_not_there_is_not_found(person: PaintedPerson) -> None:
    # A bald head: all that was hair has the face's colour, a little lighter or darker.
    parts = person.parts
    bald = parts.textures.copy()
    random = np.random.default_rng(2)
    for texture, at in zip(bald, FILMED, strict=True):
        hair = person.truth(at)["hair"]
        shade = random.uniform(0.85, 1.1, (hair.sum(), 1))
        texture[hair, :3] = np.clip(shade * (212, 172, 146), 0, 255)
    smooth = replace(parts, textures=bald)
    maps = learn_regions(smooth)
    found, cover = looked(person, maps, Warper(smooth), pose(2.0, -3.0))
    truth = person.truth(pose(2.0, -3.0))
    assert (found.hair * cover)[truth["hair"]].mean() < 0.02
    assert (found.skin * cover)[truth["skin"]].mean() > 0.8


def dark_haired(person: PaintedPerson) -> PaintedPerson:
    """Nearly black hair that runs into light skin over some pixels."""
    random, textures = np.random.default_rng(4), person.parts.textures.copy()
    for texture, at in zip(textures, FILMED, strict=True):
        truth = person.truth(at)
        head, part = truth["skin"] | truth["hair"], softly(truth["hair"])[..., None]
        noise = random.normal(0.0, 4.0, (*head.shape, 1))
        mixed = part * (28.0, 24.0, 22.0) + (1.0 - part) * (205.0, 158.0, 132.0) + noise
        texture[head, :3] = np.clip(mixed, 0, 255)[head]
    return replace(person, parts=replace(person.parts, textures=textures))


def softly(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 2.5), np.float32)


def test_where_dark_hair_runs_into_light_skin_both_have_their_part(person: PaintedPerson) -> None:
    dark = dark_haired(person)
    maps = learn_regions(dark.parts)
    assert maps.shared == SHARED
    warper = Warper(dark.parts)
    for at in ASKED[:3]:
        truth = person.truth(at)
        head = cv2.erode((truth["skin"] | truth["hair"]).astype(np.uint8), np.ones((15, 15))) > 0
        part = softly(truth["hair"])
        edge = head & (part > 0.25) & (part < 0.75)
        assert edge.sum() > 200
        errors = {}
        for shared in (SHARED, 0.0):
            found, _ = looked(dark, replace(maps, shared=shared), warper, at)
            errors[shared] = float(np.abs(found.hair - part)[edge].mean())
            # And neither has what is the other's for sure.
            assert found.hair[head & (part > 0.98)].mean() > 0.9
            assert found.hair[head & (part < 0.02)].mean() < 0.05
        assert errors[SHARED] < 0.2
        assert errors[SHARED] < 0.75 * errors[0.0]


def test_where_hair_and_skin_are_alike_the_place_decides(maps: RegionMaps) -> None:
    assert maps.shared == 0.0
    dark, light = (typical_colours(np.full(50, cells_of(np.array([[v, v, v]]))[0])) for v in (20, 200))
    near = typical_colours(np.full(50, cells_of(np.array([[50, 50, 50]]))[0]))
    assert distinct(dark, light) == 1.0
    assert distinct(dark, near) < 0.1
    assert distinct(dark, np.zeros_like(dark)) == 0.0


def test_masks_say_the_same_at_another_size(person, maps, warper) -> None:
    at = person.state(pose(8.0))
    posed = warper.posed(at)
    shares = []
    for factor in (1.0, 0.5):
        side = int(person.view.width * factor)
        view = View(Similarity(factor, 0.0, 0.0, 0.0), side, side)
        image, cover = warper.draw(posed, view)
        points = view.placement.apply(posed.positions)
        seen = rasterise(points, person.parts.mesh.triangles, side, side)
        places = seen.interpolate(maps.chart.places[:, :2], person.parts.mesh.triangles)
        found = region_masks(maps, image, places, irises_at(points))
        shares.append([(part * cover).sum() / factor**2 for part in (found.skin, found.hair, found.lips)])
    small, large = shares
    assert np.allclose(small, large, rtol=0.06)


def test_the_chart_has_a_place_for_what_is_between_the_lips(mesh: PersonMesh) -> None:
    chart = face_chart(mesh)
    outer, inner = chart.polygon(OUTER_LIPS), chart.polygon(INNER_LIPS)
    assert np.ptp(inner[:, 1]) > 6.0  # pixels; the mouth of this face is closed
    assert np.ptp(outer[:, 1]) > np.ptp(inner[:, 1]) + 6.0
    table = chart.triangle_table(mesh.triangles)
    u, v = 0.2, 0.5
    corners = chart.places[mesh.triangles, :2]
    wanted = u * corners[:, 0] + v * corners[:, 1] + (1 - u - v) * corners[:, 2]
    at = np.stack([table[:, k] + u * table[:, k + 1] + v * table[:, k + 2] for k in (0, 3)], 1)
    np.testing.assert_allclose(at, wanted, atol=1e-3)
    rest = chart.places[: mesh.shell[1], :2]
    assert rest.min() >= 0.0
    assert rest.max() <= SIDE


def test_what_is_expected_is_as_heads_are_made(mesh: PersonMesh) -> None:
    chart = face_chart(mesh)
    places = places_on(mesh, chart)

    def at(share: np.ndarray, vertex: int) -> float:
        x, y = chart.places[vertex, :2].astype(int)
        return float(share[y, x])

    assert at(places.skin, 50) > 0.9 > 0.01 > at(places.hair, 50)  # a cheek
    x, y = chart.places[[105, 65], :2].mean(0).astype(int)
    assert places.skin[y, x] < 0.3  # in a brow
    assert at(places.eyes, 468) > 0.9
    assert at(places.lips, 13) < 0.6 < at(places.lips, 0) + at(places.lips, 12) + at(places.lips, 37)
    top = mesh.shell[0] + 2 * len(mesh.rim) + int(np.argmax(mesh.shell_at_rest[: len(mesh.rim), 1]))
    assert at(places.hair, top) > 0.8
    assert bool(at(places.crown, top))
    assert not at(places.crown, 50)


def test_an_iris_is_a_disc_of_radius_one_and_hidden_by_lids(mesh: PersonMesh) -> None:
    points = mesh.positions(motion_of([20.0]))[0]
    for disc, (centre, rim) in zip(irises_at(points), ((468, 469), (473, 476)), strict=True):
        for vertex, radius in ((centre, 0.0), (rim, 1.0)):
            x, y = points[vertex, :2]
            u, v = disc[0] * x + disc[1] * y + disc[2], disc[3] * x + disc[4] * y + disc[5]
            assert np.hypot(u, v) == pytest.approx(radius, abs=0.15)
        assert disc[6] == 1.0
    shut = motion_of([0.0])
    shut.eyelids[:] = 1.0
    assert (irises_at(mesh.positions(shut)[0])[:, 6] == 0.0).all()
    assert iris_reach(np.array([0.0, 0.6, 1.5])).tolist() == [0.0, 1.0, 0.0]


def test_typical_colours_are_those_of_the_examples_whatever_their_number() -> None:
    random = np.random.default_rng(0)
    red = np.clip(random.normal((180, 40, 40), 6.0, (400, 3)), 0, 255).astype(np.uint8)
    few, many = typical_colours(cells_of(red)), typical_colours(np.tile(cells_of(red), 50))
    np.testing.assert_allclose(few, many, atol=1e-5)
    middle, other = cells_of(np.array([[180, 40, 40], [40, 40, 180]], np.uint8))
    assert few[middle] == 1.0
    assert few[other] == 0.0
    assert not typical_colours(cells_of(red)[:5]).any()  # too few to tell
    assert few.shape == (CELLS**3,)


def test_skin_is_expected_in_shadow_and_under_gloss_and_nothing_else_is() -> None:
    skin = np.array([0.80, 0.60, 0.50], np.float32)
    likely = skin_under_any_light(skin)

    def at(colour: tuple[int, int, int]) -> float:
        return float(likely[cells_of(np.array(colour, np.uint8))])

    assert at((204, 153, 128)) > 0.7
    assert at((120, 88, 72)) > 0.5  # in shadow
    assert at((225, 195, 182)) > 0.3  # under gloss
    assert at((60, 90, 200)) < 0.01
    assert at((60, 200, 90)) < 0.01
    assert skin_under_any_light(skin, 0.6)[cells_of(np.array((60, 43, 36), np.uint8))] < 0.05
    assert cell_lab().shape == (CELLS**3, 3)
    np.testing.assert_allclose(lab_from_srgb(np.array([1.0, 1.0, 1.0])), [100, 0, 0], atol=0.02)
