"""The live picture, large: it shows what the worker drew last, and says how hands move over it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from ui.theme import RADIUS, tokens

if TYPE_CHECKING:
    from studio.live import LiveFrame

NOTCH = 120
"""Qt's angle of one step of a mouse wheel."""
ARROWS = {
    Qt.Key.Key_Left: (-1.0, 0.0),
    Qt.Key.Key_Right: (1.0, 0.0),
    Qt.Key.Key_Up: (0.0, -1.0),
    Qt.Key.Key_Down: (0.0, 1.0),
}
NUDGE = 0.02
"""Share of the picture's width that an arrow key moves."""
Hand = Literal["turn", "move", "orbit"]
"""How the hand moves over the picture: it turns the head, moves things about, or goes around."""
BUTTONS: dict[Qt.MouseButton, Hand] = {
    Qt.MouseButton.LeftButton: "turn",
    Qt.MouseButton.MiddleButton: "move",
    Qt.MouseButton.RightButton: "orbit",
}
KEYS: dict[Qt.KeyboardModifier, Hand] = {
    Qt.KeyboardModifier.AltModifier: "orbit",
    Qt.KeyboardModifier.ShiftModifier: "move",
}
"""What the left button and the arrows do while one of these is held."""


def hand_of(button: Qt.MouseButton, keys: Qt.KeyboardModifier) -> Hand | None:
    """What a button does with these keys held; None for one that does nothing."""
    hand = BUTTONS.get(button)
    if hand == "turn":
        return next((with_key for key, with_key in KEYS.items() if keys & key), hand)
    return hand


class Viewport(QWidget):
    """Paints the newest frame as large as fits, smoothly and in the screen's own pixels.

    Attributes:
        painted: number of the ticket that is on the screen for the first time.
        resized: the picture's size in device pixels changed.
        pressed, released: a movement over the picture begins (with its :data:`Hand`) and ends.
        dragged: x and y moved so far in this movement, in widths of the picture.
        wheeled: steps of the wheel, positive away from the hand.
        reset_asked: a double-click, with its :data:`Hand`.
    """

    painted = Signal(int)
    resized = Signal()
    pressed = Signal(str)
    released = Signal()
    dragged = Signal(float, float)
    wheeled = Signal(float)
    reset_asked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._image = QImage()
        self._frame: LiveFrame | None = None
        self._told = 0
        self._words = self._corner = self._badge = ""
        self._origin: QPointF | None = None
        self._held: Qt.MouseButton | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(240, 240)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)  # the right button drags
        self.setCursor(Qt.CursorShape.OpenHandCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent, False)
        self.setAccessibleName(self.tr("Live picture"))
        self.setToolTip(
            self.tr(
                "Drag to turn the head, Shift-drag to move it, scroll to come closer, double-click to reset"
            )
        )

    def show_frame(self, frame: LiveFrame | None) -> None:
        """Show this one; None shows nothing."""
        self._frame = frame
        if frame is None:
            self._image = QImage()
        else:
            height, width = frame.image.shape[:2]
            # The frame is kept beside it: Qt reads its memory and copies nothing.
            self._image = QImage(frame.image.data, width, height, 3 * width, QImage.Format.Format_RGB888)
        self.update()

    @property
    def frame(self) -> LiveFrame | None:
        """What is shown."""
        return self._frame

    def say(self, words: str) -> None:
        """Words in the middle of the stage, over the picture; empty for none."""
        if words != self._words:
            self._words = words
            self.update()

    def say_in_corner(self, figures: str, badge: str = "") -> None:
        """Small words in the upper right corner, and in the upper left one."""
        if (figures, badge) != (self._corner, self._badge):
            self._corner, self._badge = figures, badge
            self.update()

    def picture_rect(self) -> QRectF:
        """Where the picture is, in the widget's own coordinates."""
        aspect = self._image.width() / self._image.height() if not self._image.isNull() else 1.0
        ratio = self.devicePixelRatioF()
        # Whole device pixels, so that an edge is an edge.
        whole = QSize(round(self.width() * ratio), round(self.height() * ratio))
        width = min(whole.width(), round(whole.height() * aspect))
        height = min(whole.height(), round(width / aspect))
        left, top = (whole.width() - width) // 2, (whole.height() - height) // 2
        return QRectF(left / ratio, top / ratio, width / ratio, height / ratio)

    def device_side(self) -> int:
        """Device pixels along the picture's longer edge."""
        rect = self.picture_rect()
        return round(max(rect.width(), rect.height()) * self.devicePixelRatioF())

    def sizeHint(self) -> QSize:
        """Qt's question for a comfortable size."""
        return QSize(640, 640)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt's door for painting."""
        t = tokens()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        if self._image.isNull():
            path = QPainterPath()
            path.addRoundedRect(QRectF(self.rect()), RADIUS, RADIUS)
            painter.fillPath(path, QColor(t.stage))
        else:
            painter.fillRect(self.rect(), QColor(t.stage))
            painter.drawImage(self.picture_rect(), self._image)
        if self.hasFocus():
            painter.setPen(QPen(QColor(t.accent), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 3, 3)
        if self._corner:
            self._pill(painter, self._corner, Qt.AlignmentFlag.AlignRight)
        if self._badge:
            self._pill(painter, self._badge, Qt.AlignmentFlag.AlignLeft)
        if self._words:
            self._sentence(painter)
        painter.end()
        if self._frame is not None and self._frame.ticket != self._told:
            self._told = self._frame.ticket
            self.painted.emit(self._told)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Qt's door for a button going down."""
        hand = hand_of(event.button(), event.modifiers())
        if hand is not None and self._held is None and not self._image.isNull():
            self._origin, self._held = event.position(), event.button()
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
            self.pressed.emit(hand)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Qt's door for a moving pointer."""
        if self._origin is not None:
            way = (event.position() - self._origin) / max(1.0, self.picture_rect().width())
            self.dragged.emit(way.x(), way.y())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Qt's door for a button going up."""
        if event.button() == self._held:
            self._let_go()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Qt's door for a double-click."""
        hand = hand_of(event.button(), event.modifiers())
        if hand is not None:
            self.reset_asked.emit(hand)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Qt's door for the wheel."""
        steps = event.angleDelta().y() / NOTCH
        if steps and not self._image.isNull():
            self.wheeled.emit(steps)
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Qt's door for keys: arrows turn, with Shift they move, with Alt they go around; + and - zoom."""
        way = ARROWS.get(Qt.Key(event.key()))
        if way is not None:
            self.pressed.emit(hand_of(Qt.MouseButton.LeftButton, event.modifiers()))
            self.dragged.emit(NUDGE * way[0], NUDGE * way[1])
            self.released.emit()
        elif event.text() in ("+", "-"):
            self.wheeled.emit(1.0 if event.text() == "+" else -1.0)
        else:
            super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Qt's door for losing the keyboard: a drag that was going on is over."""
        self._let_go()
        super().focusOutEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Qt's door for another size."""
        super().resizeEvent(event)
        self.resized.emit()

    def _let_go(self) -> None:
        if self._origin is not None:
            self._origin = self._held = None
            self.setCursor(Qt.CursorShape.OpenHandCursor)
            self.released.emit()

    def _pill(self, painter: QPainter, words: str, side: Qt.AlignmentFlag) -> None:
        """Words on a dark pill, which can be read over any picture."""
        font = self.font()
        font.setPixelSize(12)
        painter.setFont(font)
        width = painter.fontMetrics().horizontalAdvance(words) + 20
        left = 10.0 if side == Qt.AlignmentFlag.AlignLeft else self.width() - width - 10.0
        box = QRectF(left, 10.0, width, 24.0)
        path = QPainterPath()
        path.addRoundedRect(box, 12.0, 12.0)
        painter.fillPath(path, QColor(0, 0, 0, 150))
        painter.setPen(QColor("#ffffff"))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, words)

    def _sentence(self, painter: QPainter) -> None:
        font = self.font()
        font.setPixelSize(14)
        painter.setFont(font)
        room = QRectF(self.rect()).adjusted(40, 40, -40, -40)
        flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
        around = painter.boundingRect(room, flags, self._words).adjusted(-16, -10, 16, 10)
        path = QPainterPath()
        path.addRoundedRect(around, RADIUS, RADIUS)
        painter.fillPath(path, QColor(0, 0, 0, 170))
        painter.setPen(QColor("#ffffff"))
        painter.drawText(around, flags, self._words)
