"""The curve editor: keyframes are chosen, dragged, added and removed with the mouse."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent
from PySide6.QtWidgets import QGraphicsRectItem, QWidget

from pipelines.timeline_edits import move_keyframes
from pipelines.timeline_evaluation import knob_values
from ui.theme import tokens
from ui.widgets.control_kinds import written
from ui.widgets.curve_axes import TimeRuler, ValueAxis, timecode
from ui.widgets.curve_drawing import MOST_BEHIND, CurveDrawing
from ui.widgets.curve_model import CurveModel, Frames

REACH = 9.0
"""Pixels within which the pointer finds a keyframe or a curve."""
SHIFT, CTRL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier
LEFT = Qt.MouseButton.LeftButton
Key = tuple[str, int]
"""A control's name and a frame."""


class CurveEditor(pg.PlotWidget):  # type: ignore[misc]
    """Curves over time. Drag a keyframe to move it, the ground to choose several, with Shift a range of time;
    double-click adds one. The wheel zooms time, with Ctrl values; the middle button pans.

    Attributes:
        menu_asked: a right click, with its place on the screen; what lies there has been chosen.
        hovered: words about the keyframe below the pointer, empty for none.
    """

    menu_asked = Signal(QPoint)
    hovered = Signal(str)

    def __init__(self, model: CurveModel, parent: QWidget | None = None) -> None:
        self.ruler, self._values = TimeRuler(), ValueAxis()
        self._view = _View(self)
        axes = {"top": self.ruler, "left": self._values}
        super().__init__(parent, viewBox=self._view, axisItems=axes)
        self.model = model
        self.setAccessibleName(self.tr("Curves over time"))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMenuEnabled(False)
        self.hideButtons()
        self.hideAxis("bottom")
        self.showAxis("top")
        self._view.disableAutoRange()
        self.drawing = CurveDrawing(self.plotItem, model)
        self._reliable = pg.LinearRegionItem(orientation="horizontal", movable=False)
        self._span = pg.LinearRegionItem(movable=False)
        self._end = pg.LinearRegionItem(movable=False)
        self._playhead = pg.InfiniteLine(movable=False)
        for item, height in ((self._end, -10), (self._reliable, -9), (self._span, -8), (self._playhead, 30)):
            item.setZValue(height)
            self.addItem(item, ignoreBounds=True)
        self._box = QGraphicsRectItem()
        self._box.setZValue(40)
        self._box.hide()
        self.addItem(self._box, ignoreBounds=True)
        self._drag: _Drag | None = None
        self.ruler.pressed.connect(lambda frame: model.go(round(frame)))
        model.changed.connect(self._draw)
        model.chosen_changed.connect(self._draw)
        model.sheet_changed.connect(self.fit)
        model.moved.connect(self._move_playhead)
        self.viewport().setMouseTracking(True)
        self._take_theme()
        self.fit()

    def fit(self) -> None:
        """Show the whole timeline, and every curve at a height where it can be seen."""
        self.drawing.fit()
        last = max(self.model.timeline.length - 1, 1)
        self._view.setRange(xRange=(-0.02 * last, 1.02 * last), yRange=(-0.02, 1.02), padding=0.0)
        self._draw()

    def place_of(self, name: str, frame: int, value: float | None = None) -> QPointF:
        """Where a keyframe is, or a value at a frame, in the viewport's own coordinates."""
        if value is None:
            value = self.model.value(name, frame)
        share = float(self.drawing.shown(name).share(value))
        return QPointF(self.mapFromScene(self._view.mapViewToScene(QPointF(frame, share))))

    def key_at(self, place: QPointF) -> Key | None:
        """The keyframe of an edited curve nearest to a place in the scene, None if none is near."""
        found: Key | None = None
        nearest = REACH
        for name in self.model.names:
            curve = self.model.timeline.curves.get(name)
            if curve is None:
                continue
            away = self._away(name, curve.frames, [key.value for key in curve.keyframes], place)
            if away.min() < nearest:
                nearest, found = float(away.min()), (name, curve.frames[int(away.argmin())])
        return found

    def curve_at(self, place: QPointF) -> str | None:
        """The curve nearest to a place in the scene, edited ones first; None if none is near."""
        at = self._view.mapSceneToView(place).x()
        around = np.linspace(at - 3, at + 3, 13)
        edited = [name for name in self.model.names if name in self.model.timeline.curves]
        others = [name for name in self.model.timeline.curves if name not in edited]
        for names in (edited, others if len(others) <= MOST_BEHIND else []):
            away = {}
            for name in names:
                curve = self.model.timeline.curves[name]
                away[name] = self._away(
                    name, around, knob_values(curve, self.model.timeline, around), place
                ).min()
            if away and min(away.values()) < REACH:
                return min(away, key=lambda name: away[name])
        return None

    def clicked(self, place: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """A click in the scene chooses a keyframe (with Ctrl one more), else a curve, else nothing."""
        key = self.key_at(place)
        if key is not None:
            self.model.choose(
                _with(self.model.chosen, key) if modifiers & CTRL else {key[0]: frozenset([key[1]])}
            )
            return
        self.model.choose({})
        curve = self.curve_at(place)
        if curve is not None and curve not in self.model.names:
            self.model.edit_curves((*self.model.names, curve) if modifiers & CTRL else (curve,))

    def double_clicked(self, place: QPointF) -> None:
        """A double-click in the scene puts a keyframe there: on the curve below it, or the one edited."""
        names = self.model.names
        if self.key_at(place) is not None or not names:
            return
        near = self.curve_at(place)
        name = near if near in names else names[-1]
        at = self._view.mapSceneToView(place)
        frame = min(max(round(at.x()), 0), self.model.timeline.length - 1)
        value = self.model.value(name, frame) if near == name else self.drawing.shown(name).value(at.y())
        after = self.model.set_value(name, frame, value)
        self.model.put(after, self.tr("Add a keyframe"), {name: [frame]})
        self.model.go(frame)

    def right_clicked(self, place: QPointF, screen: QPoint) -> None:
        """A right click chooses what lies there unless it is chosen, and asks for the menu."""
        key = self.key_at(place)
        if key is not None and key[1] not in self.model.chosen.get(key[0], ()):
            self.model.choose({key[0]: [key[1]]})
        self.menu_asked.emit(screen)

    def dragged(self, start: QPointF, now: QPointF, modifiers: Qt.KeyboardModifier, over: bool) -> None:
        """A drag in the scene with the left button, from its start to its end."""
        if self._drag is None:
            key = self.key_at(start)
            self._drag = _Drag(key, bool(modifiers & SHIFT), self.model.chosen)
            if key is not None:
                if key[1] not in self.model.chosen.get(key[0], ()):
                    more = self.model.chosen if modifiers & CTRL else {}
                    self.model.choose({**more, key[0]: {*more.get(key[0], ()), key[1]}})
                self._drag = replace(self._drag, chosen=self.model.chosen)
                self.model.begin()
                self._from = self.model.timeline
        if self._drag.key is not None:
            self._move_keys(start, now, modifiers)
        else:
            self._stretch_box(start, now)
        if over:
            if self._drag.key is not None:
                self.model.settle(self.tr("Move keyframes"))
                self._draw()
            self._drag = None
            self._box.hide()

    def give_up(self) -> None:
        """Escape: a drag that is going on was not meant; without one nothing is chosen any more."""
        if self._drag is not None and self._drag.key is not None:
            self.model.give_up()
        else:
            self.model.choose({})

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Qt's door: say what the pointer is over."""
        super().mouseMoveEvent(event)
        if event.buttons():
            return
        key = self.key_at(self.mapToScene(event.position().toPoint()))
        self.setCursor(Qt.CursorShape.ArrowCursor if key is None else Qt.CursorShape.SizeAllCursor)
        self.hovered.emit("" if key is None else self._words(*key))

    def changeEvent(self, event: QEvent) -> None:
        """Qt's door for changes of the theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_playhead"):
            self._take_theme()

    def _words(self, name: str, frame: int) -> str:
        knob = self.model.knob(name)
        value = written(knob, self.model.value(name, frame))
        at = timecode(frame, self.model.timeline.rate)
        return self.tr("{control} {value} at {time}").format(control=knob.label, value=value, time=at)

    def _away(self, name: str, frames: Any, values: Any, place: QPointF) -> np.ndarray:
        """Pixels from a place in the scene to points of a curve."""
        at, unit = self._view.mapSceneToView(place), self._view.viewPixelSize()
        x = (np.asarray(frames, float) - at.x()) / unit[0]
        y = (self.drawing.shown(name).share(values) - at.y()) / unit[1]
        return np.hypot(x, y)

    def _move_keys(self, start: QPointF, now: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        assert self._drag is not None
        way = self._view.mapSceneToView(now) - self._view.mapSceneToView(start)
        frames, share = round(way.x()), way.y()
        if modifiers & SHIFT:  # along one axis, whichever the hand has gone farther on
            pixels = now - start
            frames, share = (frames, 0.0) if abs(pixels.x()) > abs(pixels.y()) else (0, share)
        chosen = self._drag.chosen
        earliest = min(frame for of in chosen.values() for frame in of)
        latest = max(frame for of in chosen.values() for frame in of)
        frames = max(-earliest, min(frames, max(0, self.model.timeline.length - 1 - latest)))
        line, moved = self._from, {}
        for name, of in chosen.items():
            shown = self.drawing.shown(name)
            line = move_keyframes(line, {name: of}, frames, shown.value(share) - shown.value(0.0))
            moved[name] = [frame + frames for frame in of]
        self.model.show(self.model.limited(line, moved), moved)

    def _stretch_box(self, start: QPointF, now: QPointF) -> None:
        assert self._drag is not None
        a, b = self._view.mapSceneToView(start), self._view.mapSceneToView(now)
        if self._drag.shift:
            self.model.choose_range(round(a.x()), round(b.x()))
            return
        box = QRectF(
            QPointF(min(a.x(), b.x()), min(a.y(), b.y())), QPointF(max(a.x(), b.x()), max(a.y(), b.y()))
        )
        self._box.setRect(box)
        self._box.show()
        found = {}
        for name in self.model.names:
            curve, shown = self.model.timeline.curves.get(name), self.drawing.shown(name)
            if curve is not None:
                found[name] = [
                    k.frame
                    for k in curve.keyframes
                    if box.contains(QPointF(k.frame, float(shown.share(k.value))))
                ]
        self.model.choose(found)

    def _move_playhead(self, frame: int) -> None:
        self._playhead.setValue(frame)

    def _draw(self) -> None:
        t, model = tokens(), self.model
        self.ruler.rate = model.timeline.rate
        self.drawing.draw(t)
        name = model.names[-1] if model.names else None
        knob = None if name is None else model.knob(name)
        if name is not None:
            shown = self.drawing.shown(name)
            self._values.show_control(knob, lambda v: float(shown.share(v)), shown.value)
            if knob is not None and knob.reliable is not None and len(model.names) == 1:
                self._reliable.setRegion([float(shown.share(v)) for v in knob.reliable])
        else:
            self._values.show_control(None, float, float)
        self._reliable.setVisible(knob is not None and knob.reliable is not None and len(model.names) == 1)
        self._span.setVisible(model.span is not None)
        if model.span is not None:
            self._span.setRegion(model.span)
        self._end.setRegion((model.timeline.length - 1, 10**7))
        self._playhead.setValue(model.playhead)

    def _take_theme(self) -> None:
        t = tokens()
        self.setBackground(t.surface)
        for axis in (self.ruler, self._values):
            axis.setPen(QColor(t.line))
            axis.setTextPen(QColor(t.muted))
        self.showGrid(x=True, y=True, alpha=0.18)
        for item, colour, alpha in (
            (self._reliable, t.good, 22),
            (self._span, t.accent, 36),
            (self._end, t.ground, 170),
        ):
            wash = QColor(colour)
            wash.setAlpha(alpha)
            item.setBrush(wash)
            for line in item.lines:
                line.setPen(pg.mkPen(None) if item is not self._span else pg.mkPen(t.accent))
        self._playhead.setPen(pg.mkPen(t.bad, width=1.5))
        wash = QColor(t.accent)
        wash.setAlpha(40)
        self._box.setBrush(wash)
        self._box.setPen(pg.mkPen(t.accent))
        self._draw()


@dataclass(frozen=True)
class _Drag:
    """A movement of the hand that is going on."""

    key: Key | None
    """The keyframe that was taken hold of; None on the ground."""
    shift: bool
    """Whether a range of time is meant."""
    chosen: Frames
    """Keyframes that move along, as they were."""


class _View(pg.ViewBox):  # type: ignore[misc]
    """Hands what the mouse does to the editor."""

    def __init__(self, editor: CurveEditor) -> None:
        super().__init__(enableMenu=False)
        self._editor = editor

    def mouseClickEvent(self, event: Any) -> None:
        """pyqtgraph's door for clicks."""
        event.accept()
        if event.button() == Qt.MouseButton.RightButton:
            self._editor.right_clicked(event.scenePos(), event.screenPos().toPoint())
        elif event.button() == LEFT and event.double():
            self._editor.double_clicked(event.scenePos())
        elif event.button() == LEFT:
            self._editor.clicked(event.scenePos(), event.modifiers())

    def mouseDragEvent(self, event: Any, axis: int | None = None) -> None:
        """pyqtgraph's door for drags."""
        if event.button() != LEFT:
            super().mouseDragEvent(event, axis)
            return
        event.accept()
        self._editor.dragged(
            event.buttonDownScenePos(), event.scenePos(), event.modifiers(), event.isFinish()
        )

    def wheelEvent(self, event: Any, axis: int | None = None) -> None:
        """pyqtgraph's door for the wheel."""
        modifiers = event.modifiers()
        if modifiers & SHIFT:
            step = self.viewRect().width() * event.delta() / 1200
            self.translateBy(x=-step)
            event.accept()
            return
        super().wheelEvent(event, 1 if modifiers & CTRL else 0)


def _with(chosen: Frames, key: Key) -> dict[str, frozenset[int]]:
    """One keyframe more, or less if it was among them."""
    name, frame = key
    return {**chosen, name: chosen.get(name, frozenset()) ^ {frame}}
