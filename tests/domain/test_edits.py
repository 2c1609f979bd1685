"""Edits as data: what a stack of them does, how much of each a state asks for, and what is no edit."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio.domain.avatar import Avatar
from studio.domain.camera import Similarity, View
from studio.domain.controls import Control, ControlSheet, ControlState
from studio.domain.edits import (
    EFFECTS,
    LATENT,
    Edit,
    EditStack,
    Effect,
    ExpressionShift,
    LatentMap,
    LatentShift,
    Recolour,
    Relight,
    ShapeShift,
    StyleShift,
)

DICE = np.random.default_rng(5)


def _floats(*shape: int) -> np.ndarray:
    return DICE.normal(size=shape).astype(np.float32)


EVERY: dict[str, Effect] = {
    "latent": LatentShift(_floats(8, 4)),
    "style": StyleShift(_floats(11)),
    "map": LatentMap(((0, 2), (4, 8)), _floats(2, 3, 4, 4), _floats(2, 3, 4)),
    "shape": ShapeShift(_floats(6), "builtin-1"),
    "expression": ExpressionShift(_floats(55), "builtin-1", 0.5),
    "recolour": Recolour("hair", (-4.0, 12.0, 3.5)),
    "relight": Relight((0.4, 0.1, 0.2), 0.05),
}


def _edit(name: str, **fields) -> Edit:
    made = Edit(name, f"Title of {name}", "tested", ShapeShift(np.ones(3, np.float32), "builtin-1"))
    return replace(made, **fields)


HEAD = ControlSheet(
    (
        Control("yaw", "Yaw", "angle", "Head", -60, 60, 0),
        Control("smile", "Smile", "amount", "Mouth", 0, 1, 0.25),
    )
)
STACK = EditStack((_edit("glasses", strength=0.7), _edit("beard", strength=-0.5), _edit("hair", on=False)))


def test_every_effect_has_a_name_in_files_and_says_where_it_acts():
    assert EVERY.keys() == EFFECTS.keys()
    assert all(isinstance(EVERY[kind], EFFECTS[kind]) for kind in EFFECTS)
    spaces = {kind: _edit("it", effect=effect).space for kind, effect in EVERY.items()}
    assert spaces == {
        "latent": "w+",
        "style": "style",
        "map": "w+",
        "shape": "shape",
        "expression": "expression",
        "recolour": "colour",
        "relight": "colour",
    }
    assert _edit("it", effect=LatentShift(_floats(1, 4))).space == "w"
    latent = [kind for kind, effect in EVERY.items() if isinstance(effect, LATENT)]
    assert latent == ["latent", "style", "map"]


def test_the_stack_keeps_order_and_puts_an_edit_in_the_place_of_its_name():
    names = [edit.name for edit in STACK.put(_edit("beard", title="Moustache")).edits]
    assert names == ["glasses", "beard", "hair"]
    assert STACK.put(_edit("beard", title="Moustache")).find("beard").title == "Moustache"
    assert [edit.name for edit in STACK.put(_edit("age")).edits] == ["glasses", "beard", "hair", "age"]
    assert [edit.name for edit in STACK.without("beard").edits] == ["glasses", "hair"]
    assert len(STACK) == 3, "a stack is never changed, only replaced"


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (0, "beard glasses hair"),
        (1, "glasses beard hair"),
        (2, "glasses hair beard"),
        (9, "glasses hair beard"),
    ],
)
def test_an_edit_moves_to_a_place(place: int, expected: str):
    assert " ".join(edit.name for edit in STACK.moved("beard", place).edits) == expected


def test_an_order_puts_the_named_first():
    assert [e.name for e in STACK.ordered(["hair", "glasses"]).edits] == ["hair", "glasses", "beard"]
    assert STACK.ordered([]) == STACK
    with pytest.raises(ValueError, match="twice"):
        STACK.ordered(["hair", "hair"])


def test_a_changed_edit_keeps_its_place_under_another_name_too():
    changed = STACK.changed("glasses", name="spectacles", strength=0.1)
    assert [edit.name for edit in changed.edits] == ["spectacles", "beard", "hair"]
    assert changed.find("spectacles").strength == 0.1
    with pytest.raises(ValueError, match="same name"):
        STACK.changed("glasses", name="beard")


@pytest.mark.parametrize(
    "act",
    [
        lambda stack: stack.find("nose"),
        lambda stack: stack.without("nose"),
        lambda stack: stack.moved("nose", 0),
        lambda stack: stack.changed("nose", on=True),
        lambda stack: stack.ordered(["hair", "nose"]),
    ],
)
def test_an_edit_that_is_not_there(act):
    with pytest.raises(KeyError):
        act(STACK)


def test_two_edits_of_one_name_are_no_stack():
    with pytest.raises(ValueError, match="same name"):
        EditStack((_edit("a"), _edit("b"), _edit("a", title="other")))


def test_places_of_some_kinds_come_in_order():
    stack = EditStack(tuple(_edit(kind, effect=effect) for kind, effect in EVERY.items()))
    assert stack.of(Recolour, Relight) == (5, 6)
    assert stack.of(*LATENT) == (0, 1, 2)
    assert EditStack().of(ShapeShift) == ()


def test_the_sheet_shows_every_edit_as_a_knob_behind_the_head():
    sheet = STACK.sheet(HEAD)
    assert sheet.names == ("yaw", "smile", "edit_glasses", "edit_beard", "edit_hair")
    assert [c.default for c in sheet.controls[2:]] == pytest.approx([0.7, -0.5, 0.0]), "off rests at nothing"
    knob = _edit("it", strength=0.5, suggested=(0.2, 0.9), limits=(-1.0, 3.0)).control
    assert (knob.low, knob.high, knob.default, knob.reliable) == (-1.0, 3.0, 0.5, (0.2, 0.9))
    assert (knob.name, knob.label, knob.group, knob.kind) == ("edit_it", "Title of it", "Edits", "amount")
    assert EditStack().sheet(HEAD) == HEAD


def test_strengths_are_found_by_name_wherever_they_stand():
    rest = STACK.strengths(STACK.sheet(HEAD).neutral())
    assert rest.dtype == np.float32
    assert rest == pytest.approx([0.7, -0.5, 0.0])
    state = ControlState(("edit_beard", "yaw", "edit_hair"), np.array([1.5, 20.0, 0.25], np.float32))
    assert STACK.strengths(state) == pytest.approx([0.7, 1.5, 0.25]), "who says nothing gets what it rests at"
    assert STACK.strengths(HEAD.neutral()) == pytest.approx([0.7, -0.5, 0.0]), "a track of the head alone"
    assert EditStack().strengths(HEAD.neutral()).shape == (0,)


def test_the_same_names_in_another_order_are_not_taken_for_each_other():
    state = STACK.sheet(HEAD).state({"edit_glasses": 0.1, "edit_beard": 0.2, "edit_hair": 0.3})
    turned = EditStack(STACK.edits[::-1])
    assert STACK.strengths(state) == pytest.approx([0.1, 0.2, 0.3])
    assert turned.strengths(state) == pytest.approx([0.3, 0.2, 0.1])


@pytest.mark.parametrize("kind", EVERY)
def test_edits_are_equal_by_content(kind: str):
    effect: Any = EVERY[kind]
    edit = _edit("it", effect=effect, found={"prompt": "眼鏡", "figures": (1, 2.5)})
    copied = pickle.loads(pickle.dumps(edit))
    assert copied == edit
    assert hash(copied) == hash(edit)
    assert copied.found == {"prompt": "眼鏡", "figures": [1, 2.5]}
    different: Any = {
        "latent": lambda: LatentShift(effect.rows + 1e-3),
        "style": lambda: StyleShift(effect.channels[:-1]),
        "map": lambda: replace(effect, scale=0.2),
        "shape": lambda: replace(effect, head_model="flame"),
        "expression": lambda: replace(effect, calm=0.4),
        "recolour": lambda: replace(effect, region="skin"),
        "relight": lambda: replace(effect, tint=(1.0, 0.5, 0.5)),
    }[kind]()
    assert replace(edit, effect=different) != edit
    changes: list[dict[str, Any]] = [{"strength": 0.9}, {"on": False}, {"title": "x"}, {"found": {}}]
    for change in (*changes, {"limits": (-3.0, 3.0)}):
        assert replace(edit, **change) != edit


def test_equal_bytes_of_another_shape_are_another_edit():
    numbers = np.arange(8, dtype=np.float32)
    one, other = (_edit("it", effect=LatentShift(numbers.reshape(shape))) for shape in ((2, 4), (4, 2)))
    assert one != other
    double = LatentShift(numbers.reshape(2, 4).astype(np.float64))
    assert one == _edit("it", effect=double), "one number format"


def test_how_it_was_found_cannot_be_changed_from_outside():
    found = {"prompts": ["a face"]}
    edit = _edit("it", found=found)
    found["prompts"].append("a kid")
    assert edit.found == {"prompts": ["a face"]}
    with pytest.raises(ValueError, match="JSON"):
        _edit("it", found={"figure": np.float32(1.0)})
    with pytest.raises(ValueError):
        _edit("it", found={"figure": float("nan")})


def test_an_avatar_travels_with_its_edits():
    stack = EditStack(tuple(_edit(kind, effect=effect) for kind, effect in EVERY.items()))
    avatar = Avatar("Ann", "pvp", "k", Path("x"), View(Similarity(1, 0, 0, 0), 64, 64), edits=stack)
    assert pickle.loads(pickle.dumps(avatar)) == avatar
    assert replace(avatar, edits=stack.without("map")) != avatar


@pytest.mark.parametrize("name", ["", "Brille", "mit brille", "眼鏡", "a-b", "a" * 49, "a\n"])
def test_names_that_no_control_file_could_write(name: str):
    with pytest.raises(ValueError, match="name"):
        _edit(name)


@pytest.mark.parametrize(
    "strengths",
    [
        {"strength": 2.1},
        {"strength": float("nan")},
        {"limits": (0.5, 2.0), "suggested": (0.5, 1.0)},  # it could not be switched off
        {"limits": (0.0, 0.0), "suggested": (0.0, 0.0), "strength": 0.0},
        {"suggested": (0.8, 0.2)},
        {"suggested": (0.0, 5.0)},
        {"limits": (-np.inf, 1.0)},
    ],
)
def test_strengths_that_make_no_sense(strengths):
    with pytest.raises(ValueError):
        _edit("it", **strengths)


@pytest.mark.parametrize(
    "make",
    [
        lambda: LatentShift(np.zeros(4, np.float32)),
        lambda: LatentShift(np.zeros((0, 4), np.float32)),
        lambda: LatentShift(np.array([[1.0, np.nan]], np.float32)),
        lambda: StyleShift(np.zeros((2, 3), np.float32)),
        lambda: LatentMap(((0, 2),), _floats(1, 3, 4, 5), _floats(1, 3, 4)),
        lambda: LatentMap(((0, 2), (1, 3)), _floats(2, 3, 4, 4), _floats(2, 3, 4)),
        lambda: LatentMap(((2, 2),), _floats(1, 3, 4, 4), _floats(1, 3, 4)),
        lambda: LatentMap((), _floats(0, 3, 4, 4), _floats(0, 3, 4)),
        lambda: LatentMap(((0, 2),), _floats(2, 3, 4, 4), _floats(2, 3, 4)),
        lambda: ShapeShift(np.zeros((1, 3), np.float32), "builtin-1"),
        lambda: Recolour("nose", (0.0, 0.0, 0.0)),  # type: ignore[arg-type]
        lambda: Recolour("hair", (0.0, float("inf"), 0.0)),
        lambda: Relight((1.0, 0.0)),  # type: ignore[arg-type]
    ],
)
def test_effects_whose_parts_do_not_fit(make):
    with pytest.raises(ValueError):
        make()
