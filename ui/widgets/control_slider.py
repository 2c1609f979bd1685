"""One control as a row: its name, a groove that shows where it is reliable, and its value."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QWheelEvent,
)
from PySide6.QtWidgets import QLineEdit, QSizePolicy, QSlider, QWidget

from studio.domain.controls import Control
from ui.controls_model import ControlsModel, is_edit
from ui.theme import tokens
from ui.widgets.control_kinds import LOOKS, read, written

NAME, VALUE, EDGE = 148, 58, 8
"""Pixels for the name, for the value, and between them and the groove."""
HANDLE = 7.0
"""Radius of the handle."""
SNAP = 3.0
"""Pixels from no strength within which an edit has none."""
STEPS = 1000
"""What the slider counts in; the value itself is not rounded to it."""


class ControlSlider(QSlider):
    """A slider for one control of a model; whatever its kind, the kind's look says how it is written.

    Args:
        name_room: pixels for the name; 0 where it stands beside the slider.
    """

    def __init__(
        self, model: ControlsModel, control: Control, parent: QWidget | None = None, name_room: int = NAME
    ) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._model, self._control, self._room = model, control, name_room
        # An edit rests at its strength; what it is seen from is the person as filmed.
        self._neutral = 0.0 if is_edit(control) else control.default
        self._value = model.value(control.name)
        self._grip: float | None = None
        self._editor: QLineEdit | None = None
        self.setRange(0, STEPS)
        self.setFixedHeight(30)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setObjectName(control.name)
        self.setAccessibleName(control.label)
        self.setToolTip(self._tip())
        self.show_value(self._value)

    @property
    def control(self) -> Control:
        """What it moves."""
        return self._control

    def show_value(self, value: float) -> None:
        """The model says where the control stands."""
        self._value = value
        self.setValue(round(STEPS * self._share(value)))
        self.setAccessibleDescription(written(self._control, value))
        self.update()

    def groove(self) -> QRect:
        """Where the handle's centre can be."""
        left = self._room + EDGE
        return QRect(left, 0, max(1, self.width() - left - EDGE - VALUE), self.height())

    def handle_at(self, value: float) -> QPointF:
        """Where the handle is for a value."""
        groove = self.groove()
        return QPointF(groove.left() + self._share(value) * groove.width(), self.height() / 2)

    def sizeHint(self) -> QSize:
        """Qt's question for a comfortable size."""
        return QSize(self._room + VALUE + 160, 30)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt's door for painting."""
        t, control = tokens(), self._control
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        moved = abs(self._value - self._neutral) > 1e-6
        painter.setPen(QColor(t.text if moved or self.hasFocus() or self.underMouse() else t.muted))
        name = painter.fontMetrics().elidedText(control.label, Qt.TextElideMode.ElideRight, self._room)
        painter.drawText(QRect(0, 0, self._room, self.height()), Qt.AlignmentFlag.AlignVCenter, name)
        self._paint_groove(painter)
        low, high = control.reliable or (control.low, control.high)
        span = LOOKS[control.kind].step
        beyond = moved and not low - span <= self._value <= high + span
        painter.setPen(QColor(t.warn if beyond else t.text if moved else t.muted))
        place = QRect(self.width() - VALUE, 0, VALUE, self.height())
        align = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
        painter.drawText(place, align, written(control, self._value))
        painter.end()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Qt's door for a button going down: the handle is gripped where it is, the groove moves it there."""
        if event.button() != Qt.MouseButton.LeftButton:
            return
        x, handle = event.position().x(), self.handle_at(self._value).x()
        groove = self.groove()
        if not groove.left() - HANDLE <= x <= groove.right() + HANDLE:
            return
        self._model.begin(self._control.label, self._control.name)
        self._grip = x - handle if abs(x - handle) <= HANDLE + 2 else 0.0
        if self._grip == 0.0 and x != handle:
            self._move(x)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Qt's door for a moving pointer."""
        if self._grip is not None:
            self._move(event.position().x() - self._grip)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Qt's door for a button going up."""
        self._let_go()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Qt's door for a double-click: on the value it is typed, anywhere else it is reset."""
        self._let_go()
        if event.position().x() > self.width() - VALUE:
            self._type()
        else:
            self._model.reset(self._control.name)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Qt's door for keys."""
        step = LOOKS[self._control.kind].step
        steps = {
            Qt.Key.Key_Left: -1.0,
            Qt.Key.Key_Right: 1.0,
            Qt.Key.Key_PageDown: -10.0,
            Qt.Key.Key_PageUp: 10.0,
        }.get(Qt.Key(event.key()))
        if steps is not None:
            if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
                steps *= 10
            self._put(self._value + steps * step)
        elif event.key() == Qt.Key.Key_Home:
            self._put(self._control.low)
        elif event.key() == Qt.Key.Key_End:
            self._put(self._control.high)
        elif event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self._model.reset(self._control.name)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_F2):
            self._type()
        else:
            event.ignore()  # up and down, too: they belong to the list

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Qt's door for the wheel, which scrolls the list and changes nothing by accident."""
        event.ignore()

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Qt's door for the keyboard coming here."""
        super().focusInEvent(event)
        self.update()

    def eventFilter(self, watched: object, event: QEvent) -> bool:
        """Escape leaves the typed value alone."""
        if watched is self._editor and event.type() == QEvent.Type.KeyPress:
            assert isinstance(event, QKeyEvent)
            if event.key() == Qt.Key.Key_Escape:
                self._close_editor()
                return True
        return False

    def _paint_groove(self, painter: QPainter) -> None:
        t, control, groove = tokens(), self._control, self.groove()
        middle = self.height() / 2

        def bar(low: float, high: float, colour: QColor, thick: float) -> None:
            left, right = self.handle_at(low).x(), self.handle_at(high).x()
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour)
            box = QRectF(left, middle - thick / 2, max(right - left, 1.0), thick)
            painter.drawRoundedRect(box, thick / 2, thick / 2)

        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(t.line))
        painter.drawRoundedRect(QRectF(groove.left(), middle - 2, groove.width(), 4), 2, 2)
        if control.reliable is not None:
            shade = QColor(t.good)
            shade.setAlpha(110)
            low, high = (min(max(v, control.low), control.high) for v in control.reliable)
            bar(low, high, shade, 8.0)
        low, high = sorted((self._neutral, self._value))
        if high - low > 1e-6:
            bar(low, high, QColor(t.accent), 4.0)
        painter.setBrush(QColor(t.muted))
        painter.drawRect(QRectF(self.handle_at(self._neutral).x() - 0.75, middle - 6, 1.5, 12))
        ring = self.hasFocus() or self._grip is not None
        painter.setPen(QPen(QColor(t.accent if ring or self.underMouse() else t.muted), 2.5 if ring else 1.5))
        painter.setBrush(QColor(t.surface))
        painter.drawEllipse(self.handle_at(self._value), HANDLE - 1, HANDLE - 1)

    def _share(self, value: float) -> float:
        control = self._control
        return min(max((value - control.low) / (control.high - control.low), 0.0), 1.0)

    def _move(self, x: float) -> None:
        control, groove = self._control, self.groove()
        share = min(max((x - groove.left()) / groove.width(), 0.0), 1.0)
        value = control.low + share * (control.high - control.low)
        if is_edit(control) and abs(x - self.handle_at(0.0).x()) <= SNAP:
            value = 0.0  # as filmed: a hand can hit it
        self._model.set(control.name, value)

    def _put(self, value: float) -> None:
        self._model.put({self._control.name: value}, self._control.label, self._control.name)

    def _let_go(self) -> None:
        if self._grip is not None:
            self._grip = None
            self._model.end()
            self.update()

    def _type(self) -> None:
        """A field over the value."""
        if self._editor is not None:
            return
        editor = self._editor = QLineEdit(written(self._control, self._value), self)
        editor.setAccessibleName(self._control.label)
        editor.setGeometry(self.width() - VALUE - 12, 1, VALUE + 12, self.height() - 2)
        editor.setStyleSheet("padding: 0 4px; min-height: 0;")
        editor.selectAll()
        editor.installEventFilter(self)
        editor.editingFinished.connect(self._typed)
        editor.show()
        editor.setFocus()

    def _typed(self) -> None:
        if self._editor is not None:
            value = read(self._control, self._editor.text())
            self._close_editor()
            if value is not None:
                self._put(value)

    def _close_editor(self) -> None:
        editor, self._editor = self._editor, None
        if editor is not None:
            editor.hide()
            editor.deleteLater()
            self.setFocus()

    def _tip(self) -> str:
        control = self._control
        words = [control.hint] if control.hint else []
        if control.reliable is not None:
            low, high = (written(control, value) for value in control.reliable)
            shown = self.tr("Reliable: {low} to {high}.")
            if is_edit(control):
                shown = self.tr("Suggested: {low} to {high}.")
            words.append(shown.format(low=low, high=high))
        words.append(self.tr("Double-click resets; press Enter to type a value."))
        return " ".join(words)
