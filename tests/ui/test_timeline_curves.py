"""The curve editor under a real mouse: what is dragged, added, chosen and removed, and taken back."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyqtgraph as pg
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from pipelines.control_list import plain_sheet
from pipelines.timeline_edits import set_keyframe
from studio.domain.timeline import BaseMotion, Timeline
from studio.head import builtin_head
from studio.live.handles import live_handles
from ui import theme
from ui.pages.timeline_actions import TimelineActions, TimelineDeeds
from ui.widgets.curve_editor import CurveEditor
from ui.widgets.curve_list import CurveList
from ui.widgets.curve_model import CurveModel

LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton
NONE, SHIFT, CTRL = (
    Qt.KeyboardModifier.NoModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.ControlModifier,
)


def line() -> Timeline:
    made = Timeline(length=100)
    for name, frame, value in (
        *(("yaw", 10, 0.0), ("yaw", 40, 20.0), ("yaw", 80, -10.0)),
        *(("smile", 20, 0.0), ("smile", 60, 1.0)),
    ):
        made = set_keyframe(made, name, frame, value, "linear")
    return made


@pytest.fixture
def model(qapp) -> CurveModel:
    theme.apply(qapp, "dark")
    made = CurveModel()
    sheet = plain_sheet()
    made.take_sheet(sheet, live_handles(builtin_head().handles.values(), sheet))
    made.load(line())
    return made


@pytest.fixture
def editor(qtbot, model: CurveModel) -> Iterator[CurveEditor]:
    limit = pg.getConfigOption("mouseRateLimit")
    pg.setConfigOption("mouseRateLimit", -1)  # every movement counts, however fast they come
    made = CurveEditor(model)
    qtbot.addWidget(made)
    made.resize(900, 400)
    made.show()
    qtbot.waitExposed(made)
    made.fit()
    QApplication.processEvents()
    yield made
    pg.setConfigOption("mouseRateLimit", limit)


def at(editor: CurveEditor, name: str, frame: int, value: float | None = None) -> QPoint:
    return editor.place_of(name, frame, value).toPoint()


def drag(editor: CurveEditor, start: QPoint, end: QPoint, modifiers=NONE, let_go: bool = True) -> None:
    QTest.mousePress(editor.viewport(), LEFT, modifiers, start)
    for share in np.linspace(0.1, 1.0, 8):
        place = start + (QPointF(end - start) * share).toPoint()
        _move(editor, place, modifiers)
    if let_go:
        QTest.mouseRelease(editor.viewport(), LEFT, modifiers, end)


def _move(editor: CurveEditor, place: QPoint, modifiers) -> None:
    """QTest moves the pointer without modifiers, which a drag may need."""
    where = QPointF(place)
    globally = QPointF(editor.viewport().mapToGlobal(place))
    event = QMouseEvent(QEvent.Type.MouseMove, where, globally, LEFT, LEFT, modifiers)
    QApplication.sendEvent(editor.viewport(), event)


def keys(model: CurveModel, name: str) -> list[tuple[int, float]]:
    return [(key.frame, key.value) for key in model.timeline.curves[name].keyframes]


def test_a_keyframe_is_dragged_to_whole_frames_and_back_by_undo(editor, model) -> None:
    drag(editor, at(editor, "yaw", 40), at(editor, "yaw", 50, 30.0))
    (frame, value) = keys(model, "yaw")[1]
    assert frame == 50
    assert value == pytest.approx(30.0, abs=0.6)
    assert model.chosen == {"yaw": {50}}
    assert model.undo.count() == 1, "one movement is one entry"
    model.undo.undo()
    assert model.timeline == line()
    model.undo.redo()
    assert keys(model, "yaw")[1][0] == 50


def test_a_drag_stays_within_the_timeline_and_the_controls_limits(editor, model) -> None:
    editor.drawing._shown["yaw"] = type(editor.drawing.shown("yaw"))(-100.0, 100.0)
    drag(editor, at(editor, "yaw", 80), at(editor, "yaw", 99, 95.0) + QPoint(300, 0))
    assert keys(model, "yaw")[-1] == (99, 75.0)


def test_shift_keeps_a_drag_on_one_axis(editor, model) -> None:
    drag(editor, at(editor, "yaw", 40), at(editor, "yaw", 55, 23.0), SHIFT)
    assert keys(model, "yaw")[1] == (55, 20.0)


def test_escape_in_a_drag_leaves_all_as_it_was(editor, model) -> None:
    drag(editor, at(editor, "yaw", 40), at(editor, "yaw", 60, 5.0), let_go=False)
    assert keys(model, "yaw")[1][0] == 60
    editor.give_up()
    assert model.timeline == line()
    QTest.mouseRelease(editor.viewport(), LEFT, NONE, at(editor, "yaw", 60, 5.0))
    assert model.undo.count() == 0


def test_a_double_click_adds_a_keyframe_where_it_is(editor, model) -> None:
    place = at(editor, "yaw", 95, 15.0)
    QTest.mouseClick(editor.viewport(), LEFT, NONE, place)
    QTest.mouseDClick(editor.viewport(), LEFT, NONE, place)
    QTest.mouseRelease(editor.viewport(), LEFT, NONE, place)
    frame, value = keys(model, "yaw")[-1]
    assert (frame, model.playhead) == (95, 95)
    assert value == pytest.approx(15.0, abs=0.6)
    model.undo.undo()
    assert model.timeline == line()


def test_a_double_click_on_a_curve_leaves_its_shape(editor, model) -> None:
    before = [model.value("yaw", frame) for frame in range(100)]
    place = at(editor, "yaw", 25)
    QTest.mouseDClick(editor.viewport(), LEFT, NONE, place)
    QTest.mouseRelease(editor.viewport(), LEFT, NONE, place)
    assert len(keys(model, "yaw")) == 4
    assert [model.value("yaw", frame) for frame in range(100)] == pytest.approx(before, abs=1e-4)


def test_clicks_choose_keyframes_and_curves(editor, model) -> None:
    QTest.mouseClick(editor.viewport(), LEFT, NONE, at(editor, "yaw", 40))
    assert model.chosen == {"yaw": {40}}
    QTest.mouseClick(editor.viewport(), LEFT, CTRL, at(editor, "yaw", 80))
    assert model.chosen == {"yaw": {40, 80}}
    QTest.mouseClick(editor.viewport(), LEFT, CTRL, at(editor, "yaw", 40))
    assert model.chosen == {"yaw": {80}}
    QTest.mouseClick(editor.viewport(), LEFT, NONE, at(editor, "smile", 45))
    assert model.names == ("smile",)
    assert model.chosen == {}


def test_a_box_chooses_what_lies_in_it_and_shift_a_range(editor, model) -> None:
    model.edit_curves(("yaw", "smile"))
    drag(editor, at(editor, "yaw", 30, 25.0), at(editor, "yaw", 90, 10.0))
    assert model.chosen["yaw"] == {40}
    drag(editor, at(editor, "yaw", 15, -5.0), at(editor, "yaw", 65, -6.0), SHIFT)
    assert model.span == (15, 65)
    assert model.chosen == {"yaw": {40}, "smile": {20, 60}}


def test_a_right_click_chooses_and_asks_for_the_menu(editor, model, qtbot) -> None:
    with qtbot.waitSignal(editor.menu_asked):
        QTest.mouseClick(editor.viewport(), RIGHT, NONE, at(editor, "yaw", 80))
    assert model.chosen == {"yaw": {80}}


def test_the_ruler_moves_the_playhead(editor, model) -> None:
    place = at(editor, "yaw", 33)
    place.setY(12)
    QTest.mouseClick(editor.viewport(), LEFT, NONE, place)
    assert model.playhead == 33
    far = at(editor, "yaw", 70)
    far.setY(12)
    drag(editor, place, far)
    assert model.playhead == 70


def test_deeds_change_the_chosen_and_are_one_entry_each(editor, model) -> None:
    deeds = TimelineDeeds(model, model)
    model.choose_range(10, 80)
    for do in (
        *(lambda: deeds.scale(0.5), lambda: deeds.offset(5.0), deeds.smooth, deeds.reverse),
        *(lambda: deeds.stretch(1.2), lambda: deeds.set_ease("hold"), deeds.delete),
    ):
        before, count = model.timeline, model.undo.index()
        do()
        assert model.timeline != before
        assert model.undo.index() == count + 1
    assert "yaw" not in model.timeline.curves
    while model.undo.canUndo():
        model.undo.undo()
    assert model.timeline == line()
    assert keys(model, "yaw") == [(10, 0.0), (40, 20.0), (80, -10.0)]


def test_copies_go_to_the_playhead_and_onto_another_control(editor, model) -> None:
    deeds = TimelineDeeds(model, model)
    deeds.paste()
    assert model.undo.count() == 0, "nothing was copied"
    model.choose({"yaw": [40, 80]})
    deeds.copy()
    model.go(5)
    deeds.add_curve("pitch")
    deeds.paste()
    assert keys(model, "pitch") == [(5, 20.0), (45, -10.0)]
    assert model.chosen == {"pitch": {5, 45}}
    assert keys(model, "yaw") == [(10, 0.0), (40, 20.0), (80, -10.0)]


def test_keys_do_what_the_menu_says(qtbot, editor, model) -> None:
    actions = TimelineActions(TimelineDeeds(model, model), editor)
    assert not actions.delete.isEnabled()
    editor.activateWindow()
    editor.setFocus()
    qtbot.waitUntil(editor.hasFocus)
    QTest.keyClick(editor, Qt.Key.Key_A, CTRL)
    assert model.chosen == {"yaw": {10, 40, 80}}
    assert actions.eases["linear"].isChecked()
    assert not actions.eases["hold"].isChecked()
    actions.eases["ease-in"].trigger()
    assert {key.ease for key in model.timeline.curves["yaw"].keyframes} == {"ease-in"}
    QTest.keyClick(editor, Qt.Key.Key_Delete)
    assert "yaw" not in model.timeline.curves
    QTest.keyClick(editor, Qt.Key.Key_Z, CTRL)
    QTest.keyClick(editor, Qt.Key.Key_Z, CTRL)
    assert model.timeline == line()


def test_a_loop_is_closed_and_curves_can_go(editor, model) -> None:
    deeds = TimelineDeeds(model, model)
    deeds.close_circle(0.5)
    assert model.timeline.loop
    assert abs(model.value("yaw", 99) - model.value("yaw", 0)) < 1.5
    deeds.remove_curves()
    assert list(model.timeline.curves) == ["smile"]


def test_the_list_shows_values_and_chooses_curves(qtbot, model) -> None:
    shown = CurveList(model)
    qtbot.addWidget(shown)
    shown.resize(240, 300)
    shown.show()
    model.go(40)
    rows = [item for i in range(9) if (item := shown.tree.topLevelItem(i)) is not None]
    assert [(row.text(0), row.text(1)) for row in rows] == [("Turn", "20.0°"), ("Smile", "50 %")]
    rect = shown.tree.visualItemRect(rows[1])
    QTest.mouseClick(shown.tree.viewport(), LEFT, NONE, rect.center())
    assert model.names == ("smile",)
    QTest.mouseClick(shown.tree.viewport(), LEFT, CTRL, shown.tree.visualItemRect(rows[0]).center())
    assert set(model.names) == {"yaw", "smile"}


@pytest.mark.parametrize(("typed", "name"), [("nod", "pitch"), ("Blink", "blink"), ("happy", "smile")])
def test_any_control_is_found_by_its_name_or_an_everyday_word(qtbot, model, typed: str, name: str) -> None:
    shown = CurveList(model)
    qtbot.addWidget(shown)
    shown.search.setText(typed)
    with qtbot.waitSignal(shown.wanted) as heard:
        QTest.keyClick(shown.search, Qt.Key.Key_Return)
    assert heard.args == [name]
    assert shown.search.text() == ""


def test_a_control_over_imported_motion_gets_a_curve_that_adds(model) -> None:
    motion = np.linspace(0, 30, 100, dtype=np.float32)[:, None]
    model.load(Timeline(length=100, base=BaseMotion("walk", 0, ("yaw",), motion)))
    assert model.value("yaw", 99) == pytest.approx(30.0)
    after = model.set_value("yaw", 50, float(motion[50, 0]) + 4.0)
    assert after.curves["yaw"].mode == "add"
    assert after.curves["yaw"].keyframes[0].value == pytest.approx(4.0, abs=1e-5)
