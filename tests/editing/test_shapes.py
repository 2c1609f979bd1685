"""Named shapes move their own measures, leave others alone, and stay somebody's face."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from studio.assets import AssetLibrary
from studio.domain.edits import Edit, ShapeShift
from studio.domain.problem import Problem
from studio.domain.progress import silent
from studio.editing.method import Workplace
from studio.editing.shape_finder import find_shape, named_shape, read_coefficients
from studio.editing.shape_measures import MEASURES, Measure, measured
from studio.editing.shapes import SHAPES, SPEC, Shape, ShapeName, ShapeWish
from studio.head import builtin_head
from studio.head.topology import IRISES, topology

MODEL = builtin_head()
BY_NAME = {shape.name: shape for shape in SHAPES}


def changed(identity: np.ndarray) -> np.ndarray:
    """``[478, 3]`` the average face with identity coefficients added."""
    return MODEL.template + np.tensordot(identity, MODEL.identity_basis, 1)


def growth(identity: np.ndarray) -> dict[str, float]:
    values = measured(changed(identity)) - measured(MODEL.template)
    return dict(zip(MEASURES, values.tolist()))


def found(wish: ShapeWish, tmp_path: Path) -> Edit:
    return SPEC.find(None, wish, Workplace(AssetLibrary(tmp_path), tmp_path, silent))


@pytest.fixture(scope="module")
def usual() -> dict[str, float]:
    """By how many percent each measure differs between people: a deviation over 300 of them."""
    people = np.random.default_rng(1).normal(size=(300, MODEL.identities))
    return dict(zip(MEASURES, np.std([measured(changed(person)) for person in people], 0).tolist()))


def test_measures_are_ratios_of_distances_that_a_ruler_gives():
    points = np.zeros((478, 3), np.float32)
    points[468, 0], points[473, 0] = -2.0, 2.0
    points[33], points[133] = (-3.0, 4.0, 9.0), (0.0, 0.0, 0.0)
    points[263], points[362] = (3.0, 0.0, 0.0), (0.0, 0.0, 0.0)
    assert MEASURES["eye_width"].of(points) == pytest.approx((5.0 + 3.0) / 2 / 4.0)
    points[2, 2], points[175, 2] = 0.7, 0.1
    assert MEASURES["chin_recess"].of(points) == pytest.approx(0.6 / 4.0)
    assert Measure(((2, 175),), way="depth").of(10.0 * points) == pytest.approx(0.6 / 4.0)  # of no size


def test_what_can_be_wished_for_is_what_there_is():
    assert set(get_args(ShapeName)) == {*BY_NAME, "coefficients"}
    for shape in SHAPES:
        assert {name for name, _ in shape.moves} | set(shape.free) <= set(MEASURES)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_a_shape_moves_its_own_measures_and_leaves_others_alone(shape: Shape, usual: dict[str, float]):
    grown = growth(named_shape(shape.name))
    moves = dict(shape.moves)
    for name, wanted in moves.items():
        assert grown[name] / wanted > 0.85, name  # as far as was asked for, or nearly
        assert grown[name] / wanted < 1.35, name
    # In what people usually differ by, so that a millimetre of lip counts like one of cheek does not.
    own = max(abs(grown[name]) / usual[name] for name in moves)
    others = {n: abs(v) / usual[n] for n, v in grown.items() if n not in moves and n not in shape.free}
    assert own > 1.1
    assert max(others.values()) < 0.5 * own
    assert max(others.values()) < 0.75


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_a_shape_is_somebodys_alike_on_both_sides_and_keeps_the_eyes_in_place(shape: Shape):
    identity = named_shape(shape.name)
    # People are this far from the average by 40 coefficients: about 6.3.
    assert np.linalg.norm(identity) < 5.0
    assert np.abs(identity).max() < 2.5
    moved = changed(identity) - MODEL.template
    mirrored = moved[topology().mirror] * (-1.0, 1.0, 1.0)
    assert np.abs(mirrored - moved).max() < 3e-4
    eyes = moved[[eye[0] for eye in IRISES]]
    assert np.abs(eyes[:, :2]).max() < 0.0006
    assert np.linalg.norm(moved, axis=1).max() > 0.0011  # something can be seen to move


def test_opposites_are_opposite():
    for one, other in (("chubby", "slim"), ("large_eyes", "small_eyes"), ("full_lips", "thin_lips")):
        a, b = named_shape(one), named_shape(other)
        assert a @ b / np.linalg.norm(a) / np.linalg.norm(b) < -0.85
        assert all(growth(-a)[name] < 0 for name, _ in BY_NAME[one].moves)


def test_the_method_gives_an_edit_that_says_what_it_does(tmp_path: Path):
    edit = found(ShapeWish("large_eyes"), tmp_path)
    assert (edit.name, edit.title, edit.method, edit.space) == ("large_eyes", "Large eyes", "shape", "shape")
    assert isinstance(edit.effect, ShapeShift)
    assert edit.effect.head_model == MODEL.id
    assert np.array_equal(edit.effect.identity, named_shape("large_eyes"))
    assert edit.suggested == (-1.0, 1.0)
    assert edit.found["percent"]["eye_height"] == pytest.approx(24.0, abs=1.0)
    edit.effect.identity[:] = 0.0  # theirs to write to: the next one is whole
    again = found(ShapeWish("large_eyes"), tmp_path).effect
    assert isinstance(again, ShapeShift)
    assert again.identity.any()


def test_coefficients_are_taken_as_they_are_written(tmp_path: Path):
    edit = found(ShapeWish("coefficients", " 3:-2, 0 = 1.5;11:.25 "), tmp_path)
    expected = np.zeros(MODEL.identities, np.float32)
    expected[[0, 3, 11]] = 1.5, -2.0, 0.25
    assert isinstance(edit.effect, ShapeShift)
    assert np.array_equal(edit.effect.identity, expected)
    assert edit.name == "identity_0_3_11"
    long = found(ShapeWish("coefficients", " ".join(f"{k}:1" for k in range(30))), tmp_path)
    assert len(long.name) <= 48


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Say which"),
        ("0:0", "all zero"),
        ("chubby", "'chubby' is no identity coefficient"),
        ("3:two", "'3:two' is no"),
        ("40:1", "no identity coefficient 40"),
        ("-1:1", "'-1:1' is no"),
        ("3:7", "cannot be 7"),
        ("3:nan", "'3:nan' is no"),
        ("3:1e99", "'3:1e99' is no"),
        ("٣:١٢", "is no identity coefficient"),
        ("x" * 5000, "is no identity coefficient"),
    ],
)
def test_other_words_are_refused_in_one_sentence(text: str, words: str):
    with pytest.raises(Problem, match=words) as said:
        read_coefficients(text, MODEL.identities)
    assert len(str(said.value)) < 200


def test_numbers_beside_a_named_shape_are_refused(tmp_path: Path):
    with pytest.raises(Problem, match="ask for the shape coefficients"):
        find_shape(None, ShapeWish("chubby", "3:1"), Workplace(AssetLibrary(tmp_path), tmp_path, silent))
