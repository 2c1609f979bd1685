"""Attributes of faces and pictures whose truth is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from studio.editing.attributes import ATTRIBUTES, CATALOG, EXPRESSION, POSE, LookedAt, eight_bit, measure
from studio.editing.face_areas import area_colour, hair_area, lab, skin_area
from studio.editing.face_geometry import upright_faces
from tests.editing.face_of import landmarks_of, painted


def test_the_catalog_is_complete() -> None:
    assert list(ATTRIBUTES) == [attribute.id for attribute in CATALOG]
    assert len({attribute.title for attribute in CATALOG}) == len(CATALOG)
    assert all(attribute.unit for attribute in CATALOG)
    assert {*EXPRESSION, *POSE} <= set(ATTRIBUTES)


@pytest.mark.parametrize("angles", [(0, 0, 0), (20, 5, -8), (-15, -12, 10)])
@pytest.mark.parametrize(
    ("name", "handle", "sign"),
    [
        ("smile", "smile", 1),
        ("mouth_open", "mouth_open", 1),
        ("eyes_open", "blink", -1),
        ("brow_raise", "brow_raise", 1),
        ("mouth_width", "mouth_wide", 1),
    ],
)
def test_shape_follows_the_heads_handles_in_every_pose(name, handle, sign, angles) -> None:
    marks = np.stack([landmarks_of(angles, **{handle: amount}) for amount in np.linspace(0.0, 1.0, 5)])
    values = ATTRIBUTES[name].measure(LookedAt(np.zeros((5, 8, 8, 3), np.uint8), marks))
    assert (sign * np.diff(values) > 0).all(), values


def test_pose_is_read_in_degrees_and_hardly_moves_the_expression() -> None:
    angles = [(0, 0, 0), (25, 0, 0), (0, 15, 0), (0, 0, 12), (-20, -10, -5)]
    looked = LookedAt(np.zeros((5, 8, 8, 3), np.uint8), np.stack([landmarks_of(a) for a in angles]))
    for column, name in enumerate(POSE):
        read = ATTRIBUTES[name].measure(looked)
        assert np.allclose(read, np.array(angles)[:, column], atol=4.0)
    for name, handle in (("smile", "smile"), ("mouth_open", "mouth_open"), ("eyes_open", "blink")):
        values = ATTRIBUTES[name].measure(looked)
        full = np.stack([landmarks_of(), landmarks_of(**{handle: 1.0})])
        reach = np.ptp(ATTRIBUTES[name].measure(LookedAt(looked.pictures[:2], full)))
        assert np.ptp(values) < 0.35 * reach, name


def test_width_of_a_face_and_size_of_its_eyes_are_ratios_of_the_face() -> None:
    marks = landmarks_of()
    wide = marks.copy()
    wide[:, 0] = 128 + 1.1 * (wide[:, 0] - 128)
    near = marks * 1.5
    values = ATTRIBUTES["face_width"].measure(
        LookedAt(np.zeros((3, 8, 8, 3), np.uint8), np.stack([marks, wide, near]))
    )
    assert values[1] / values[0] == pytest.approx(1.1, abs=0.02)
    assert values[2] == pytest.approx(values[0], rel=1e-3)


def test_colours_of_skin_and_hair_are_those_painted() -> None:
    marks = landmarks_of((8, 4, -6))
    skin, hair = (210, 160, 130), (60, 40, 20)
    picture = painted(marks, skin, hair)
    flat: Any = lab(np.array([[skin, hair]], np.uint8))[0]
    colours = lab(picture)
    assert np.allclose(area_colour(colours, skin_area(marks, 256, 256)), flat[0], atol=0.1)
    assert np.allclose(area_colour(colours, hair_area(marks, 256, 256)), flat[1], atol=0.1)
    area = skin_area(marks, 256, 256)
    for point in (468, 473, 13, 14):
        x, y = marks[point, :2].astype(int)
        assert not area[y, x]
    for point in (4, 50, 280, 199):
        x, y = marks[point, :2].astype(int)
        assert area[y, x]
    typology = ATTRIBUTES["skin_light"].measure(LookedAt(picture[None], marks[None]))[0]
    assert typology == pytest.approx(np.rad2deg(np.arctan2(flat[0, 0] - 50, flat[0, 2])), abs=0.2)


def test_lab_of_known_colours() -> None:
    """White, and sRGB's red as the standard has it."""
    values = lab(np.array([[[255, 255, 255], [255, 0, 0], [0, 0, 0]]], np.uint8))[0]
    expected = np.array([[100.0, 0.0, 0.0], [53.24, 80.09, 67.2], [0.0, 0.0, 0.0]])
    assert np.allclose(values, expected, atol=0.3)


def test_lighter_skin_and_hair_are_higher() -> None:
    marks = np.stack([landmarks_of()] * 3)
    pictures = np.stack(
        [painted(marks[0], tuple(np.array((150, 110, 90)) + 30 * k), (40 + 40 * k,) * 3) for k in range(3)]
    )
    looked = LookedAt(pictures, marks)
    for name in ("skin_light", "hair_light", "brightness"):
        assert (np.diff(ATTRIBUTES[name].measure(looked)) > 1).all()


def test_hair_outside_of_the_picture_and_missing_faces_cannot_be_told() -> None:
    marks = np.stack([landmarks_of()] * 3)
    marks[1, :, 1] -= 100
    marks[2] = np.nan
    looked = LookedAt(np.stack([painted(marks[0], (200, 150, 120), (60, 40, 20))] * 3), marks)
    for attribute in CATALOG:
        told = np.isfinite(attribute.measure(looked))
        wanted = [True, "hair" not in attribute.id, attribute.kind == "picture"]
        assert told.tolist() == wanted, attribute.id


def test_light_and_colours_of_whole_pictures() -> None:
    grey = torch.linspace(-0.8, 0.8, 5)[:, None, None, None].expand(-1, 3, 8, 8)
    assert (np.diff(measure(grey, ["brightness"], None).ravel()) > 10).all()
    warm = torch.zeros(3, 3, 8, 8)
    warm[:, 2] = torch.tensor([0.5, 0.0, -0.5])[:, None, None]
    assert (np.diff(measure(warm, ["warmth"], None).ravel()) > 5).all()
    halves = torch.ones(3, 3, 8, 8) * torch.tensor([0.1, 0.3, 0.6])[:, None, None, None]
    halves[..., :4] *= -1
    assert (np.diff(measure(halves, ["contrast"], None).ravel()) > 5).all()


def test_values_of_one_picture_do_not_depend_on_the_others() -> None:
    marks = np.stack([landmarks_of((a, 0, 0), smile=a / 40) for a in (0.0, 10.0, 30.0)])
    together = upright_faces(marks)
    for k in range(3):
        assert np.allclose(upright_faces(marks[k : k + 1]).smile[0], together.smile[k], atol=1e-3)


def test_columns_are_in_the_order_that_was_asked_for() -> None:
    pictures = torch.rand(4, 3, 16, 16) * 2 - 1
    seen = []

    def faces(shown: np.ndarray) -> np.ndarray:
        seen.append(shown)
        return np.stack([landmarks_of((k, 0, 0)) for k in range(4)])

    values = measure(pictures, ["yaw", "contrast", "brightness"], faces)
    assert np.allclose(values[:, 0], range(4), atol=2)
    assert np.allclose(values[:, 1:], measure(pictures, ["contrast", "brightness"], None))
    (shown,) = seen
    assert np.array_equal(shown, eight_bit(pictures))
    assert shown.shape == (4, 16, 16, 3)


def test_eight_bits_are_what_is_shown() -> None:
    values = torch.tensor([-2.0, -1.0, 0.0, 1.0, 3.0])[:, None, None, None].expand(-1, 3, 1, 1)
    assert eight_bit(values)[:, 0, 0, 0].tolist() == [0, 0, 128, 255, 255]


def test_faces_that_nobody_looked_for_are_a_defect() -> None:
    with pytest.raises(ValueError, match="nobody looked"):
        measure(torch.zeros(1, 3, 8, 8), ["smile"], None)
