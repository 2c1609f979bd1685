"""Under the player: how good each frame is, where the clip stands, and which part of it is used."""

from __future__ import annotations

from typing import Literal

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QPixmap,
    QPolygonF,
    QResizeEvent,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from pipelines.frame_quality import FrameQuality, Verdict
from ui.theme import Tokens, tokens

HANDLE = 9
"""Pixels to each side of a handle in which it can be taken."""
LOWEST = 0.16
"""Share of the height that even a worthless frame has: its colour must be seen."""
Hold = Literal["", "playhead", "first", "stop"]


def colour_of(verdict: Verdict, t: Tokens) -> str:
    """Good, could be better, of no use; trimmed frames are faint."""
    if verdict is Verdict.GOOD:
        return t.good
    if verdict in (Verdict.BLURRED, Verdict.EDGE, Verdict.SMALL):
        return t.warn
    return t.line if verdict is Verdict.TRIMMED else t.bad


class QualityStrip(QWidget):
    """One column for each frame, or for several: as high as it is good, in the colour of the worst verdict.

    Attributes:
        sought: frame that was clicked or dragged to.
        trimmed: (first frame, frame after the last) while a handle is dragged.
    """

    sought = Signal(int)
    trimmed = Signal(int, int)

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(56)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(self.tr("Quality of each frame"))
        self.setAccessibleDescription(self.tr("Left and Right go from frame to frame."))
        self._quality: FrameQuality | None = None
        self._frames = 0
        self._frame = 0
        self._part = (0, 0)
        self._hold: Hold = ""
        self._columns: QPixmap | None = None

    def sizeHint(self) -> QSize:
        """Qt asks for the size that is liked best."""
        return QSize(480, 56)

    def show_clip(self, frames: int, quality: FrameQuality | None) -> None:
        """A clip of so many frames; without quality every frame is grey. The whole clip is chosen."""
        self._frames, self._quality = frames, quality
        self._part = (0, frames)
        self._columns = None
        self.update()

    def show_frame(self, frame: int) -> None:
        """Where the clip stands."""
        self._frame = frame
        self.update()

    @property
    def part(self) -> tuple[int, int]:
        """First frame of the part that is chosen and the one after its last."""
        return self._part

    def choose(self, first: int, stop: int) -> None:
        """Choose a part; it is never empty."""
        stop = min(max(1, stop), max(1, self._frames))
        first = min(max(0, first), stop - 1)
        if (first, stop) != self._part:
            self._part = (first, stop)
            self.trimmed.emit(first, stop)
            self.update()

    def x_of(self, frame: float) -> float:
        """Where a frame begins, in pixels."""
        inside = self._inside()
        return inside.left() + frame / max(1, self._frames) * inside.width()

    def frame_at(self, x: float) -> int:
        """The frame under a place; the nearest one beside the strip."""
        inside = self._inside()
        share = (x - inside.left()) / max(1.0, inside.width())
        return int(np.clip(int(share * self._frames), 0, max(0, self._frames - 1)))

    def tip(self, frame: int) -> str:
        """What the tooltip says of a frame."""
        said = self.tr("Frame {n}").format(n=frame)
        if self._quality is None or frame >= len(self._quality.verdicts):
            return said
        reasons = [self.tr(reason) for reason in self._quality.reasons(frame)]
        return f"{said}: {', '.join(reasons) if reasons else self.tr('good')}"

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt's door for painting."""
        t = tokens()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        inside = self._inside()
        frame = QPainterPath()
        frame.addRoundedRect(inside, 5, 5)
        painter.fillPath(frame, QColor(t.stage))
        if self._frames:
            if self._columns is None:
                self._columns = self._drawn(t)
            painter.save()
            painter.setClipPath(frame)
            painter.drawPixmap(inside.topLeft(), self._columns)
            painter.restore()
            self._paint_part(painter, t, inside)
            self._paint_playhead(painter, t)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(t.accent), 1))
            painter.drawRoundedRect(inside.adjusted(0.5, 0.5, -0.5, -0.5), 5, 5)
        painter.end()

    def _inside(self) -> QRectF:
        return QRectF(self.rect()).adjusted(10, 4, -10, -4)

    def _drawn(self, t: Tokens) -> QPixmap:
        inside, ratio = self._inside(), self.devicePixelRatioF()
        width, height = max(1, round(inside.width() * ratio)), max(1, round(inside.height() * ratio))
        made = QPixmap(width, height)
        made.fill(Qt.GlobalColor.transparent)
        # The first frame of each column and of the one after the last.
        edges = np.arange(width + 1) * self._frames // width
        starts, stops = edges[:-1], np.maximum(edges[1:], edges[:-1] + 1)
        painter = QPainter(made)
        if self._quality is None:
            painter.fillRect(0, round(height * 0.5), width, height, QColor(t.line))
        else:
            verdicts, quality = self._quality.verdicts, self._quality.quality
            for x, (start, stop) in enumerate(zip(starts.tolist(), stops.tolist())):
                verdict = Verdict(int(verdicts[start:stop].max()))
                worth = LOWEST + (1.0 - LOWEST) * float(quality[start:stop].min())
                tall = max(1, round(height * worth))
                painter.fillRect(x, height - tall, 1, tall, QColor(colour_of(verdict, t)))
        painter.end()
        made.setDevicePixelRatio(ratio)
        return made

    def _paint_part(self, painter: QPainter, t: Tokens, inside: QRectF) -> None:
        first, stop = self.x_of(self._part[0]), self.x_of(self._part[1])
        veil = QColor(t.ground)
        veil.setAlpha(190)
        painter.fillRect(QRectF(inside.left(), inside.top(), first - inside.left(), inside.height()), veil)
        painter.fillRect(QRectF(stop, inside.top(), inside.right() - stop, inside.height()), veil)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(t.accent))
        for x, side in ((first, -1.0), (stop, 1.0)):
            grip = QRectF(x, inside.top(), side * 7, inside.height()).normalized()
            painter.drawRoundedRect(grip, 2.5, 2.5)
        pen = QPen(QColor(t.on_accent), 1.2)
        painter.setPen(pen)
        for x in (first - 3.5, stop + 3.5):
            painter.drawLine(QPointF(x, inside.center().y() - 6), QPointF(x, inside.center().y() + 6))

    def _paint_playhead(self, painter: QPainter, t: Tokens) -> None:
        x = self.x_of(min(self._frame, self._frames - 1) + 0.5)
        painter.setPen(QPen(QColor(t.text), 1.6))
        painter.drawLine(QPointF(x, 2), QPointF(x, self.height() - 2))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(t.text))
        painter.drawPolygon(QPolygonF([QPointF(x - 5, 0), QPointF(x + 5, 0), QPointF(x, 7)]))

    def _handle_at(self, x: float) -> Hold:
        first, stop = self.x_of(self._part[0]), self.x_of(self._part[1])
        # Handles stand outside of the part, so that a part of one frame still has two.
        if -HANDLE <= x - first <= 2 and abs(x - first) < abs(x - stop):
            return "first"
        return "stop" if -2 <= x - stop <= HANDLE else ""

    def _drag(self, x: float) -> None:
        if self._hold == "playhead":
            self.sought.emit(self.frame_at(x))
            return
        inside = self._inside()
        edge = round((x - inside.left()) / max(1.0, inside.width()) * self._frames)
        if self._hold == "first":
            self.choose(min(edge, self._part[1] - 1), self._part[1])
        elif self._hold == "stop":
            self.choose(self._part[0], max(edge, self._part[0] + 1))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Qt's door: take a handle, or jump."""
        if event.button() == Qt.MouseButton.LeftButton and self._frames:
            self._hold = self._handle_at(event.position().x()) or "playhead"
            if self._hold == "playhead":
                self._drag(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Qt's door: drag what is held, or show what could be taken."""
        x = event.position().x()
        if self._hold:
            self._drag(x)
        else:
            over = bool(self._frames and self._handle_at(x))
            self.setCursor(Qt.CursorShape.SizeHorCursor if over else Qt.CursorShape.ArrowCursor)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Qt's door: let go."""
        self._hold = ""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Qt's door: Left, Right, Home and End."""
        last = self._frames - 1
        places = {
            Qt.Key.Key_Left: self._frame - 1,
            Qt.Key.Key_Right: self._frame + 1,
            Qt.Key.Key_Home: self._part[0],
            Qt.Key.Key_End: self._part[1] - 1,
        }
        wanted = places.get(Qt.Key(event.key()))
        if wanted is None or last < 0:
            super().keyPressEvent(event)
        else:
            self.sought.emit(min(max(0, wanted), last))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Qt's door: draw the columns again."""
        self._columns = None

    def changeEvent(self, event: QEvent) -> None:
        """Qt's door: colours may have changed."""
        self._columns = None
        super().changeEvent(event)

    def event(self, event: QEvent) -> bool:
        """Qt's door: what is under the pointer is said in a tooltip."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent) and self._frames:
            x = event.pos().x()
            if self._handle_at(x):
                words = self.tr("Drag to choose the part of the clip that is used")
            else:
                words = self.tip(self.frame_at(x))
            QToolTip.showText(event.globalPos(), words, self)
            return True
        return super().event(event)
