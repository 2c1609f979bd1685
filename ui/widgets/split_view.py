"""Two pictures in one place with a divider between them that can be dragged."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QImage,
    QKeyEvent,
    QLinearGradient,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from ui.theme import RADIUS, tokens

NUDGE = 0.02
"""Share of the picture's width that an arrow key moves the divider."""
_HANDLE = 13.0
"""Radius of the divider's knob."""
_EDGE = 10.0
"""Pixels between a name and the edges around it."""


class SplitView(QWidget):
    """Left of the divider one picture, right of it another: the same place in both, so that nothing jumps.

    Attributes:
        divider_moved: where it is now, 0 (all right) to 1 (all left).
    """

    divider_moved = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self._left, self._right = QImage(), QImage()
        self._names = ("", "")
        self._divider = 0.5
        self._legend: tuple[Sequence[QColor], str, str] | None = None
        self._words = ""
        self._dragging = False
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(200, 180)
        self.setMouseTracking(True)
        self.setAccessibleName(self.tr("Split view"))
        self.setToolTip(self.tr("Drag the divider, or move it with the arrow keys; double-click centres it"))

    @property
    def divider(self) -> float:
        """Where the divider is, 0..1 of the picture's width."""
        return self._divider

    @property
    def pictures(self) -> tuple[QImage, QImage]:
        """What is shown at the left and at the right."""
        return self._left, self._right

    def show_pair(self, left: QImage, right: QImage) -> None:
        """Two pictures of the same size; empty ones show nothing. One picture for both has no divider."""
        self._left, self._right, self._words = left, right, ""
        self.update()

    def show_names(self, left: str, right: str) -> None:
        """What the two sides are."""
        self._names = (left, right)
        self.setAccessibleDescription(self.tr("Left: {a}, right: {b}").format(a=left, b=right))
        self.update()

    def show_legend(self, colours: Sequence[QColor], low: str = "", high: str = "") -> None:
        """A scale of colours below the picture; no colours, no scale."""
        self._legend = (colours, low, high) if colours else None
        self.update()

    def say(self, words: str) -> None:
        """A sentence instead of pictures."""
        self._left, self._right, self._words = QImage(), QImage(), words
        self.update()

    def set_divider(self, share: float) -> None:
        """Move the divider."""
        share = min(1.0, max(0.0, share))
        if share != self._divider:
            self._divider = share
            self.divider_moved.emit(share)
            self.update()

    def picture_rect(self) -> QRectF:
        """Where the picture is in the widget: as large as fits, in the middle."""
        width, height = max(1, self._left.width()), max(1, self._left.height())
        scale = min(self.width() / width, self.height() / height)
        size = (width * scale, height * scale)
        return QRectF((self.width() - size[0]) / 2, (self.height() - size[1]) / 2, *size)

    def sizeHint(self) -> QSize:
        """Qt's question."""
        return QSize(480, 480)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt's door."""
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        ground = QPainterPath()
        ground.addRoundedRect(QRectF(self.rect()), RADIUS, RADIUS)
        painter.setClipPath(ground)
        painter.fillRect(self.rect(), QColor(tokens().stage))
        if self._left.isNull() or self._right.isNull():
            painter.setPen(QColor(tokens().muted))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self._words)
        else:
            self._paint_pair(painter)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(tokens().accent), 2))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), RADIUS, RADIUS)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Qt's door: the divider comes to the pointer."""
        if event.button() == Qt.MouseButton.LeftButton and not self._left.isNull():
            self._dragging = True
            self.set_divider(self._share(event.position()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Qt's door."""
        there = not self._left.isNull() and self.picture_rect().contains(event.position())
        self.setCursor(Qt.CursorShape.SplitHCursor if there else Qt.CursorShape.ArrowCursor)
        if self._dragging:
            self.set_divider(self._share(event.position()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Qt's door."""
        self._dragging = False

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Qt's door."""
        self.set_divider(0.5)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Qt's door: arrows move the divider, Home and End show one side alone."""
        ways = {Qt.Key.Key_Left: -NUDGE, Qt.Key.Key_Right: NUDGE, Qt.Key.Key_Home: -1.0, Qt.Key.Key_End: 1.0}
        way = ways.get(Qt.Key(event.key()))
        if way is None:
            super().keyPressEvent(event)
        else:
            self.set_divider(self._divider + way)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Qt's door."""
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Qt's door."""
        self._dragging = False
        super().focusOutEvent(event)
        self.update()

    def _share(self, place: QPointF) -> float:
        box = self.picture_rect()
        return (place.x() - box.left()) / max(1.0, box.width())

    def _paint_pair(self, painter: QPainter) -> None:
        box = self.picture_rect()
        at = box.left() + self._divider * box.width()
        for picture, left, right in ((self._left, box.left(), at), (self._right, at, box.right())):
            if right > left:
                painter.save()
                painter.setClipRect(
                    QRectF(left, box.top(), right - left, box.height()), Qt.ClipOperation.IntersectClip
                )
                painter.drawImage(box, picture)
                painter.restore()
        alone = self._left is self._right
        if not alone:
            painter.setPen(QPen(QColor(0, 0, 0, 130), 4))
            painter.drawLine(QPointF(at, box.top()), QPointF(at, box.bottom()))
            painter.setPen(QPen(QColor("#ffffff"), 2))
            painter.drawLine(QPointF(at, box.top()), QPointF(at, box.bottom()))
            self._paint_handle(painter, QPointF(at, box.center().y()))
            self._pill(painter, box, self._names[1], 1)
        self._pill(painter, box, self._names[0], 0 if alone else -1)
        if self._legend is not None:
            self._paint_legend(painter, box)

    def _paint_handle(self, painter: QPainter, centre: QPointF) -> None:
        painter.setPen(QPen(QColor(0, 0, 0, 110), 1))
        painter.setBrush(QColor("#ffffff"))
        painter.drawEllipse(centre, _HANDLE, _HANDLE)
        painter.setPen(QPen(QColor("#30343c"), 1.8, c=Qt.PenCapStyle.RoundCap, j=Qt.PenJoinStyle.RoundJoin))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for way in (-1, 1):
            tip = centre + QPointF(way * 7.5, 0)
            back = QPointF(-way * 3.5, 0)
            painter.drawPolyline([tip + back + QPointF(0, -4), tip, tip + back + QPointF(0, 4)])

    def _pill(self, painter: QPainter, box: QRectF, words: str, side: int) -> None:
        """A side's name on a dark pill, which can be read over any picture; a long one reaches beyond it.

        Args:
            painter: draws.
            box: of the picture.
            words: the name.
            side: -1 for the left picture, 1 for the right one, 0 for one alone.
        """
        font = self.font()
        font.setPixelSize(12)
        painter.setFont(font)
        room = self.width() / (2 if side else 1) - 2 * _EDGE
        words = painter.fontMetrics().elidedText(words, Qt.TextElideMode.ElideRight, int(room - 20))
        width = painter.fontMetrics().horizontalAdvance(words) + 20
        if side > 0:
            left = max(box.right() - _EDGE - width, box.center().x() + _EDGE)
            left = min(left, self.width() - _EDGE - width)
        else:
            left = min(box.left() + _EDGE, box.center().x() - _EDGE - width) if side else box.left() + _EDGE
            left = max(left, _EDGE)
        pill = QRectF(left, box.top() + _EDGE, width, 24)
        path = QPainterPath()
        path.addRoundedRect(pill, 12, 12)
        painter.fillPath(path, QColor(0, 0, 0, 165))
        painter.setPen(QColor("#ffffff"))
        painter.drawText(pill, Qt.AlignmentFlag.AlignCenter, words)

    def _paint_legend(self, painter: QPainter, box: QRectF) -> None:
        assert self._legend is not None
        colours, low, high = self._legend
        width = min(300.0, box.width() - 20)
        ground = QRectF(box.center().x() - width / 2, box.bottom() - 50, width, 40)
        path = QPainterPath()
        path.addRoundedRect(ground, RADIUS, RADIUS)
        painter.fillPath(path, QColor(0, 0, 0, 185))
        bar = QRectF(ground.left() + 12, ground.top() + 8, width - 24, 8)
        gradient = QLinearGradient(bar.topLeft(), bar.topRight())
        for number, colour in enumerate(colours):
            gradient.setColorAt(number / max(1, len(colours) - 1), colour)
        painter.fillRect(bar, gradient)
        painter.setPen(QColor(255, 255, 255, 90))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(bar)
        painter.setPen(QColor("#ffffff"))
        below = QRectF(bar.left(), bar.bottom() + 2, bar.width(), 18)
        for text, side in ((low, Qt.AlignmentFlag.AlignLeft), (high, Qt.AlignmentFlag.AlignRight)):
            painter.drawText(below, side | Qt.AlignmentFlag.AlignVCenter, text)
