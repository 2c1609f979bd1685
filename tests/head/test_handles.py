"""Semantic handles do to the mean face what their names say, and to the rest of it nothing."""

from __future__ import annotations

import numpy as np
import pytest

from studio.domain.motion import HeadMotion
from studio.head import topology as mesh
from studio.head.builtin import builtin_head
from studio.head.handle_shapes import RECIPES, make_handles

LEFT_CORNER, RIGHT_CORNER = mesh.MOUTH_CORNERS
BROWS = {"left": [70, 63, 105, 66, 107], "right": [300, 293, 334, 296, 336]}


def moved(name, amount=1.0):
    """Millimetres that every point of the mean face goes."""
    model = builtin_head()
    motion = model.handles[name].apply(HeadMotion.neutral(1, np.ones(3)), amount)
    zero = np.zeros_like(model.template)
    return (model.vertices(np.zeros(1), zero, motion)[0] - model.template) * 1e3


def half(side):
    x = builtin_head().template[:, 0]
    return x < -0.008 if side == "left" else x > 0.008


def upper_face():
    model = builtin_head()
    return model.template[:, 1] > model.template[mesh.IRISES[0][0], 1] - 0.01


def test_stored_handles_are_those_that_the_recipes_give():
    made = make_handles(builtin_head())
    stored = builtin_head().handles
    assert list(made) == list(stored)
    for name, handle in made.items():
        np.testing.assert_allclose(stored[name].direction, handle.direction, atol=0.05)


def test_smile_raises_and_widens_the_mouth_corners():
    d = moved("smile")
    assert d[LEFT_CORNER, 1] > 3
    assert d[RIGHT_CORNER, 1] > 3
    assert d[LEFT_CORNER, 0] < -3
    assert d[RIGHT_CORNER, 0] > 3
    assert np.abs(d[upper_face()]).max() < 1.5


def test_frown_lowers_the_mouth_corners_and_keeps_the_lips_together():
    d = moved("frown")
    assert d[[LEFT_CORNER, RIGHT_CORNER], 1].max() < -2
    assert abs(d[13, 1] - d[14, 1]) < 1


def test_pucker_narrows_and_protrudes():
    d = moved("pucker")
    assert d[RIGHT_CORNER, 0] - d[LEFT_CORNER, 0] < -9
    assert d[[0, 17], 2].min() > 1.5


def test_mouth_open_parts_the_lips_and_jaw_open_lowers_the_chin():
    assert moved("mouth_open")[13, 1] - moved("mouth_open")[14, 1] > 7
    assert moved("jaw_open")[152, 1] < -10


def test_lip_press_thins_the_lips():
    d = moved("lip_press")
    assert d[0, 1] < -1
    assert d[17, 1] > 1


def test_mouth_shift_and_jaw_side_go_to_the_viewers_right():
    assert moved("mouth_shift")[[13, 14], 0].min() > 3
    assert moved("jaw_side")[152, 0] > 3


@pytest.mark.parametrize("name", ["brow_raise", "brow_raise_inner", "brow_raise_outer", "brow_lower"])
def test_brows_go_up_or_down_without_the_mouth(name):
    d = moved(name)
    sign = -1 if name == "brow_lower" else 1
    brow = [107, 336] if name.endswith("inner") else [70, 300]
    assert (sign * d[brow, 1]).min() > (1.2 if name == "brow_lower" else 3)
    assert np.abs(d[list(mesh.INNER_LOWER_LIP)]).max() < 0.8


def test_inner_and_outer_brows_are_told_apart():
    inner, outer = moved("brow_raise_inner"), moved("brow_raise_outer")
    assert inner[[107, 336], 1].min() > 3
    assert np.abs(inner[[70, 300], 1]).max() < 1.2
    assert outer[[70, 300], 1].min() > 3
    assert np.abs(outer[[107, 336], 1]).max() < 1.2


def lid_gap(d, side):
    shape = builtin_head().template * 1e3
    up, low = list(mesh.UPPER_LIDS[side]), list(mesh.LOWER_LIDS[side])
    before = np.linalg.norm(shape[up] - shape[low], axis=1)
    after = np.linalg.norm((shape + d)[up] - (shape + d)[low], axis=1)
    return float((after / before).mean())


def test_blink_closes_and_squint_narrows_and_wide_opens():
    for side in (0, 1):
        assert lid_gap(moved("blink"), side) < 0.15
        assert 0.5 < lid_gap(moved("squint"), side) < 0.9
        assert lid_gap(moved("eyes_wide"), side) > 1.1
    assert lid_gap(moved("blink_left"), 0) < 0.15
    assert lid_gap(moved("blink_left"), 1) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("name", [r.name for r in RECIPES if r.sided])
@pytest.mark.parametrize(("side", "other"), [("left", "right"), ("right", "left")])
def test_one_sided_handles_leave_the_other_side_alone(name, side, other):
    d = np.linalg.norm(moved(f"{name}_{side}"), axis=1)
    assert d[half(side)].max() > 1.5
    assert d[half(other)].max() < 0.2 * d[half(side)].max()


@pytest.mark.parametrize("name", [r.name for r in RECIPES if r.sided])
def test_left_and_right_are_mirror_images(name):
    mirror = mesh.topology().mirror
    left, right = moved(f"{name}_left"), moved(f"{name}_right")
    np.testing.assert_allclose(left[mirror] * (-1, 1, 1), right, atol=0.2)


def test_no_handle_asks_for_an_improbable_face():
    for name, handle in builtin_head().handles.items():
        assert np.abs(handle.expression).max() < 6, name
        assert handle.low < handle.high


def test_amounts_add_up_frame_by_frame():
    smile = builtin_head().handles["smile"]
    motion = smile.apply(HeadMotion.neutral(3, np.ones(3)), np.array([0.0, 0.5, 1.0], np.float32))
    np.testing.assert_allclose(motion.expression, np.outer([0, 0.5, 1], smile.expression), atol=1e-6)


@pytest.mark.parametrize("name", [r.name for r in RECIPES])
def test_no_handle_folds_the_skin(name):
    """Triangles that face the camera at rest still do at 1; the thin ones of lips and lids may turn."""
    model = builtin_head()
    shape = model.template
    after = shape + moved(name) / 1e3

    def facing(points):
        a, b, c = (points[model.triangles[:, i]] for i in range(3))
        return np.cross(b - a, c - a)[:, 2]

    soft = {v for s in (0, 1) for v in (*mesh.UPPER_LIDS[s], *mesh.LOWER_LIDS[s], *mesh.IRISES[s])}
    soft |= {*mesh.INNER_UPPER_LIP, *mesh.INNER_LOWER_LIP, *mesh.INNER_MOUTH_CORNERS}
    firm = np.array([not soft.intersection(t) for t in model.triangles.tolist()])
    large = firm & (facing(shape) > 2e-6)
    assert large.sum() > 500
    assert (facing(after)[large] > 0).all()
