"""Expression edits are another state to an engine: every engine has them, and none knows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from studio.domain.camera import Similarity, View
from studio.domain.controls import HEAD_NAMES, ControlSheet, motion_from_values
from studio.domain.edits import Edit, EditStack, ExpressionShift, ShapeShift
from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem
from studio.domain.rendering import Frame, RenderRequest
from studio.engines.expressed import ExpressedEngine, with_expressions
from studio.head.builtin import builtin_head
from studio.head.expressing import expressing
from studio.head.sheet import head_sheet

CAMERA = np.array([900.0, 100.0, 120.0], np.float32)


class Asked:
    """An engine that remembers what it was asked for."""

    def __init__(self, edits: EditStack) -> None:
        self.sheet: ControlSheet = edits.sheet(head_sheet(HeadMotion.neutral(2, CAMERA), CAMERA))
        self.requests: list[RenderRequest] = []
        self.closed = False

    def render(self, request: RenderRequest) -> Frame:
        self.requests.append(request)
        return Frame(np.zeros((2, 2, 3), np.uint8), None, request, 1.0)

    def close(self) -> None:
        self.closed = True


def shift(name: str, amount: float = 1.0, calm: float = 0.0) -> Edit:
    direction = np.zeros(55, np.float32)
    direction[[3, 52, 53]] = (2.0, 0.1, 0.2)
    effect = ExpressionShift(amount * direction, builtin_head().id, calm)
    return Edit(name, name.title(), "emotion", effect, strength=0.5, limits=(0.0, 1.5))


def opened(*edits: Edit) -> tuple[ExpressedEngine, Asked]:
    stack = EditStack(edits)
    engine = Asked(stack)
    made = with_expressions(engine, stack)
    assert isinstance(made, ExpressedEngine)
    return made, engine


VIEW = View(Similarity(1.0, 0.0, 0.0, 0.0), 2, 2)


def test_the_engine_is_asked_for_the_expressed_state_and_the_frame_answers_what_was_asked() -> None:
    made, engine = opened(shift("one"))
    state = made.sheet.state(
        {"yaw": 12.0, "move_x": 0.05, "zoom": 1.3, "expression_07": 1.0, "edit_one": 1.0}
    )
    frame = made.render(RenderRequest(state, VIEW))
    assert frame.request.state == state
    (asked,) = engine.requests
    values = dict(zip(asked.state.names, asked.state.values.tolist()))
    assert values["expression_03"] == pytest.approx(2.0)
    assert values["expression_07"] == pytest.approx(1.0)
    # The jaw's third axis is called jaw_side, and is in degrees.
    assert values["jaw_side"] == pytest.approx(np.rad2deg(0.1), rel=1e-5)
    assert values["eyelid_left"] == pytest.approx(0.2)
    assert values["eyelid_right"] == 0.0
    assert [values[name] for name in ("yaw", "move_x", "zoom")] == [
        state["yaw"],
        state["move_x"],
        state["zoom"],
    ]
    assert values["edit_one"] == 1.0


def test_it_is_the_same_as_shifting_the_motion() -> None:
    made, engine = opened(shift("one"), shift("two", -0.7, calm=0.5))
    rng = np.random.default_rng(0)
    values = made.sheet.neutral().values.copy()
    values[:63] += rng.normal(0, 0.3, 63).astype(np.float32)
    values[-2:] = (0.8, 1.2)
    state = replace(made.sheet.neutral(), values=values)
    made.render(RenderRequest(state, VIEW))
    effects: Any = tuple(edit.effect for edit in (shift("one"), shift("two", -0.7, calm=0.5)))
    truth = expressing(
        builtin_head(), motion_from_values(state.values[None], CAMERA), effects, np.array([0.8, 1.2])
    )
    got = motion_from_values(engine.requests[0].state.values[None], CAMERA)
    for name in ("expression", "jaw", "eyelids", "gaze", "angles", "camera"):
        assert np.allclose(getattr(got, name), getattr(truth, name), atol=1e-5), name


def test_at_rest_an_edit_shows_at_its_strength_and_at_zero_nothing_changes() -> None:
    made, engine = opened(shift("one"))
    made.render(RenderRequest(made.sheet.neutral(), VIEW))
    assert engine.requests[-1].state["expression_03"] == pytest.approx(1.0)
    off = made.sheet.state({"edit_one": 0.0})
    made.render(RenderRequest(off, VIEW))
    assert engine.requests[-1].state is off
    # A state of a motion that knows no edits gets what they rest at.
    bare = HeadMotionState()
    made.render(RenderRequest(bare, VIEW))
    assert engine.requests[-1].state["expression_03"] == pytest.approx(1.0)


def HeadMotionState():
    sheet = head_sheet(HeadMotion.neutral(2, CAMERA), CAMERA)
    assert sheet.names == HEAD_NAMES
    return sheet.neutral()


def test_without_such_edits_the_engine_is_itself() -> None:
    shape = Edit("wide", "Wide", "shape", ShapeShift(np.ones(3, np.float32), builtin_head().id))
    stack = EditStack((shape,))
    engine = Asked(stack)
    assert with_expressions(engine, stack) is engine


def test_another_heads_edit_is_refused_and_closing_closes() -> None:
    alien = replace(shift("one"), effect=ExpressionShift(np.zeros(55, np.float32), "flame-2020"))
    with pytest.raises(Problem, match=r"“One” was made for the head model “flame-2020”"):
        opened(alien)
    made, engine = opened(shift("one"))
    made.close()
    assert engine.closed
