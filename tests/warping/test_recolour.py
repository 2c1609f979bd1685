"""Colours and light on a person painted by hand: what is skin, hair and clothes is known."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from studio.domain.camera import View
from studio.domain.controls import ControlState, track_from_motion
from studio.domain.edits import Edit, EditStack, Recolour, Relight
from studio.domain.rendering import Frame, RenderRequest
from studio.head.rasterise import rasterise
from studio.warping.lab import lab_from_srgb
from studio.warping.parts import WarpParts, pivot_positions
from studio.warping.plate import Plate
from studio.warping.region_colours import measure_colours
from studio.warping.warper import Warper
from tests.warping.average_person import CAMERA, STAGE, average_person, motion_of, parts_from

SKIN, HAIR, CLOTHES, WALL = (200, 150, 125), (48, 34, 26), (40, 70, 130), (120, 160, 120)
TURNS = [-22.0, -14.0, -7.0, 0.0, 5.0, 10.0, 16.0, 24.0]
EDITS = EditStack(
    (
        Edit("green", "Green hair", "recolour", Recolour("hair", (0.0, -30.0, 20.0))),
        Edit("rosy", "Rosy", "recolour", Recolour("skin", (0.0, 10.0, 0.0))),
        Edit("dark", "Darker", "recolour", Recolour("person", (-12.0, 0.0, 0.0))),
        Edit("left", "From the left", "relight", Relight((-0.5, 0.0, 0.0))),
        Edit("right", "From the right", "relight", Relight((0.5, 0.0, 0.0))),
    )
)


def painted(mesh, at: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """A texture ``[S, S, 4]`` and what each pixel is: 0 nothing, 1 skin, 2 hair, 3 clothes."""
    seen = rasterise(at, mesh.triangles, size, size)
    face, (first, end) = len(mesh.neutral_face), mesh.shell
    corner = mesh.triangles[np.maximum(seen.triangle, 0)]
    ring = np.where(corner < first, 0, 1 + (corner - first) // len(mesh.rim)).max(-1)
    rest = np.concatenate([mesh.neutral_face, mesh.shell_at_rest, np.zeros((len(mesh.border), 3))])
    height = rest[corner, 1].mean(-1)
    eyes, chin = mesh.neutral_face[[33, 263], 1].mean(), mesh.neutral_face[:, 1].min()
    kind = np.zeros((size, size), int)
    there = seen.triangle >= 0
    kind[there & (ring == 0)] = 1
    kind[there & (ring > 0) & (ring <= 4) & (height > eyes)] = 2
    kind[there & (ring > 0) & (ring <= 6) & (corner.max(-1) < end) & (height < chin - 0.02)] = 3
    assert face == first
    random = np.random.default_rng(1)
    colour = np.array([(0, 0, 0), SKIN, HAIR, CLOTHES])[kind] + random.normal(0.0, 3.0, (size, size, 3))
    texture = np.dstack([np.clip(colour, 0, 255), 255 * (kind > 0)]).astype(np.uint8)
    return texture, kind


@pytest.fixture(scope="module")
def parts() -> WarpParts:
    mesh, motion = average_person(), motion_of(TURNS)
    size = STAGE.width
    at = STAGE.placement.apply(
        pivot_positions(mesh, motion, np.zeros((len(TURNS), _shell(mesh), 2), np.float32))
    )
    textures = np.stack([painted(mesh, one, size)[0] for one in at])
    made = parts_from(mesh, motion, textures)
    wall = np.full((size, size, 4), 255, np.uint8)
    wall[..., :3] = WALL
    return replace(made, plate=Plate(wall, 0.0))


def _shell(mesh) -> int:
    first, end = mesh.shell
    return end - first


@pytest.fixture(scope="module")
def warper(parts: WarpParts) -> Warper:
    return Warper(parts, EDITS)


def drawn(warper: Warper, yaw: float = 0.0, view: View = STAGE, **strengths: float) -> Frame:
    values = track_from_motion(motion_of([yaw]), CAMERA, Fraction(1))
    asked = [strengths.get(edit.name, 0.0) for edit in EDITS.edits]
    names = (*values.names, *(edit.control_name for edit in EDITS.edits))
    state = ControlState(names, np.append(values.values[0], asked).astype(np.float32))
    return warper.render(RenderRequest(state, view))


def covered(frame: Frame) -> np.ndarray:
    assert frame.alpha is not None
    return frame.alpha


def truth(parts: WarpParts, yaw: float) -> np.ndarray:
    mesh = parts.mesh
    at = pivot_positions(mesh, motion_of([yaw]), np.zeros((1, _shell(mesh), 2), np.float32))[0]
    return painted(mesh, STAGE.placement.apply(at), STAGE.width)[1]


def test_nothing_asked_for_is_nothing_changed(parts: WarpParts, warper: Warper):
    plain = Warper(parts)
    for yaw in (-15.0, 0.0, 12.0):
        state = drawn(warper, yaw)
        same = plain.render(RenderRequest(ControlState(*_plain_state(yaw)), STAGE))
        assert np.array_equal(state.image, same.image)
        assert np.array_equal(covered(state), covered(same))


def _plain_state(yaw: float) -> tuple[tuple[str, ...], np.ndarray]:
    track = track_from_motion(motion_of([yaw]), CAMERA, Fraction(1))
    return track.names, track.values[0].copy()


@pytest.mark.parametrize("yaw", [-18.0, 0.0, 18.0])
@pytest.mark.parametrize(("name", "kind", "least"), [("green", 2, 0.75), ("rosy", 1, 0.8)])
def test_a_region_is_where_it_was_painted(
    parts: WarpParts, warper: Warper, yaw: float, name: str, kind: int, least: float
):
    before, after = drawn(warper, yaw), drawn(warper, yaw, STAGE, **{name: 1.0})
    changed = np.abs(lab_from_srgb(after.image / 255.0) - lab_from_srgb(before.image / 255.0)).sum(-1) > 4.0
    wanted = truth(parts, yaw) == kind
    both, either = (changed & wanted).sum(), (changed | wanted).sum()
    assert both / either > least


def test_the_wall_and_what_covers_nothing_stay_to_the_last_bit(warper: Warper):
    before = drawn(warper)
    for name in ("green", "rosy", "dark", "left"):
        after = drawn(warper, 0.0, STAGE, **{name: 1.0})
        assert np.array_equal(covered(after), covered(before))
        empty = covered(before) == 0
        assert empty.sum() > 1000
        assert np.array_equal(after.image[empty], before.image[empty])
        assert not np.array_equal(after.image, before.image)


def test_the_mean_of_a_region_moves_by_what_was_asked_for_and_the_more_the_stronger(
    parts: WarpParts, warper: Warper
):
    hair = truth(parts, 0.0) == 2
    inner = hair & (covered(drawn(warper)) == 255)
    means = [
        lab_from_srgb(drawn(warper, green=strength).image[inner] / 255.0).mean(0)
        for strength in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    a, b = np.array(means)[:, 1], np.array(means)[:, 2]
    assert (np.diff(a) < 0).all()
    assert (np.diff(b) > 0).all()
    # Hair this dark cannot be that green: what sRGB does not have is cut off.
    assert a[2] - a[0] == pytest.approx(-15.0, abs=6.0)


def test_edits_of_colour_add_up(warper: Warper):
    together = drawn(warper, rosy=0.5, green=0.5).image.astype(int)
    one, other = (drawn(warper, 0.0, STAGE, **{name: 0.5}).image.astype(int) for name in ("rosy", "green"))
    plain = drawn(warper).image.astype(int)
    assert np.abs(together - (one + other - plain)).max() <= 4


def test_light_from_the_left_lights_the_left_and_light_from_the_right_mirrors_it(warper: Warper):
    plain = drawn(warper)
    width = plain.image.shape[1]
    inside = covered(plain) == 255

    def gain(name: str) -> np.ndarray:
        lit = drawn(warper, 0.0, STAGE, **{name: 1.0}).image.astype(float)
        return np.where(inside, lit.mean(-1) - plain.image.mean(-1), 0.0)

    left, right = gain("left"), gain("right")
    half = width // 2
    assert left[:, :half].sum() > 0 > left[:, half:].sum()
    assert right[:, half:].sum() > 0 > right[:, :half].sum()
    assert np.corrcoef(left.ravel(), right[:, ::-1].ravel())[0, 1] > 0.9


def test_the_persons_own_colours_are_measured(parts: WarpParts):
    colours = measure_colours(parts)
    for found, painted_in in ((colours["skin"], SKIN), (colours["hair"], HAIR)):
        wanted = lab_from_srgb(np.array(painted_in, np.float64) / 255.0)
        assert np.abs(np.asarray(found.lab, np.float64) - wanted).max() < 6.0
    assert colours["person"].share > colours["skin"].share > 0.02
