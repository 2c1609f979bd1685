"""A pose, its history, and what it means for an avatar's controls."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.control_list import plain_sheet
from studio.domain.controls import Control
from studio.live.handles import LiveHandle
from ui.controls_model import ControlsModel
from ui.widgets.control_kinds import LOOKS, read, written

SHEET = plain_sheet()


def smile(amount: float = 3.0) -> LiveHandle:
    change = np.zeros(len(SHEET.controls), np.float32)
    change[SHEET.names.index("expression_04")] = amount
    return LiveHandle(Control("smile", "Smile", "amount", "Mouth", 0.0, 1.5, 0.0), change)


@pytest.fixture
def model(qapp) -> ControlsModel:
    made = ControlsModel()
    made.take_sheet(SHEET, (smile(),))
    return made


def test_a_pose_becomes_a_state_with_handles_added_and_limits_held(model) -> None:
    model.set_many({"yaw": 12.0, "zoom": 1.5, "smile": 0.5, "expression_04": 1.0, "pitch": 900.0})
    state = model.state()
    expected = SHEET.state({"yaw": 12.0, "zoom": 1.5, "expression_04": 2.5, "pitch": 50.0})
    assert state == expected
    under = SHEET.state({"yaw": -2.0, "zoom": 1.2})
    assert model.state(under=under)["yaw"] == 10.0
    assert model.state(under=under)["zoom"] == pytest.approx(1.7)
    assert model.state({}) == SHEET.neutral()


def test_a_movement_is_one_entry_however_many_steps_it_has(model) -> None:
    model.begin("Turn")
    for yaw in range(20):
        model.set("yaw", float(yaw))
    model.end()
    assert model.undo.count() == 1
    model.begin("Nothing")
    model.end()
    assert model.undo.count() == 1
    model.undo.undo()
    assert model.pose == {}
    model.undo.redo()
    assert model.pose == {"yaw": 19.0}


def test_a_click_and_the_double_click_that_resets_are_one_entry_or_none(model) -> None:
    model.put({"yaw": 30.0}, "Turn", "yaw")
    model.reset("yaw")
    assert model.pose == {}
    assert model.undo.count() == 0  # back where it was
    model.put({"pitch": 3.0}, "Nod", "pitch")
    model.put({"yaw": 5.0}, "Turn", "yaw")
    model.put({"yaw": 6.0}, "Turn", "yaw")
    assert model.undo.count() == 2


def test_another_avatars_controls_keep_the_pose_by_name(model) -> None:
    model.set_many({"yaw": 5.0, "horns": 0.3})
    model.take_sheet(SHEET, ())
    assert model.state()["yaw"] == 5.0
    assert model.pose["horns"] == 0.3
    assert not model.knows("smile")


def test_every_changed_value_is_told_once_and_the_pose_after_them(model) -> None:
    told: list[object] = []
    model.value_changed.connect(lambda name, value: told.append((name, value)))
    model.changed.connect(lambda: told.append("changed"))
    model.set("yaw", 4.0)
    model.set("yaw", 4.0)
    model.reset_all()
    assert told == [("yaw", 4.0), "changed", ("yaw", 0.0), "changed"]


@pytest.mark.parametrize("kind", list(LOOKS))
def test_what_is_written_can_be_typed_again(kind) -> None:
    control = Control("x", "X", kind, "Head", -10.0, 10.0, 0.0)
    for value in (-1.25, 0.0, 0.5):
        typed = read(control, written(control, value))
        assert typed == pytest.approx(value, abs=0.051)
    assert read(control, "many") is None
    assert read(control, "0,5") == pytest.approx(0.5 / LOOKS[kind].factor)
    assert "-" not in written(control, -1e-9)
