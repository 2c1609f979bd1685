"""Which poses a clip shows: yaw across, pitch up, the more frames the stronger the colour."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QHelpEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from pipelines.coverage import NODDING, SIDEWAYS, Coverage
from ui.theme import Tokens, tokens
from ui.words import signed

PLENTY = 60
"""Frames from which a bin has the full colour."""


class PoseMap(QWidget):
    """A heat map of the good frames; a ring shows the pose of the frame on screen."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self.tr("Poses that the clip shows"))
        self._coverage: Coverage | None = None
        self._pose: tuple[float, float] | None = None

    def sizeHint(self) -> QSize:
        """Qt asks for the size that is liked best."""
        return QSize(320, 246)

    def hasHeightForWidth(self) -> bool:
        """Its bins are squares."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Its bins are squares."""
        return round((width - 46) / 13 * 9) + 42

    def show_coverage(self, coverage: Coverage | None) -> None:
        """Another clip's."""
        self._coverage = coverage
        self.update()

    def show_pose(self, yaw: float | None, pitch: float = 0.0) -> None:
        """Degrees of the frame on screen; None for no ring."""
        self._pose = None if yaw is None else (yaw, pitch)
        self.update()

    def tip(self, x: float, y: float) -> str:
        """What the tooltip says of a place; empty beside the map."""
        found = self._bin(x, y)
        if found is None or self._coverage is None:
            return ""
        column, row = found
        yaw = self._coverage.yaw_edges[column : column + 2]
        pitch = self._coverage.pitch_edges[row : row + 2]
        return self.tr("turned {a}° to {b}°, nodding {c}° to {d}°: {n} frames").format(
            a=signed(yaw[0]),
            b=signed(yaw[1]),
            c=signed(pitch[0]),
            d=signed(pitch[1]),
            n=int(self._coverage.frames[column, row]),
        )

    def place(self, yaw: float, pitch: float) -> QPointF:
        """Where a pose lies, in pixels."""
        yaws, pitches, plot = *self._edges(), self._plot()
        across = (yaw - yaws[0]) / (yaws[-1] - yaws[0])
        up = (pitch - pitches[0]) / (pitches[-1] - pitches[0])
        return QPointF(plot.left() + across * plot.width(), plot.bottom() - up * plot.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt's door for painting."""
        t = tokens()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_bins(painter, t)
        # What an avatar is usually asked for, at least.
        wish = QRectF(self.place(-SIDEWAYS, NODDING / 2), self.place(SIDEWAYS, -NODDING / 2))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(t.text), 1.2, Qt.PenStyle.DashLine))
        painter.drawRoundedRect(wish, 3, 3)
        self._paint_axes(painter, t)
        if self._pose is not None:
            yaws, pitches = self._edges()
            yaw, pitch = np.clip(self._pose, (yaws[0], pitches[0]), (yaws[-1], pitches[-1])).tolist()
            painter.setPen(QPen(QColor(t.text), 2))
            painter.drawEllipse(self.place(yaw, pitch), 6, 6)
        painter.end()

    def _paint_bins(self, painter: QPainter, t: Tokens) -> None:
        yaws, pitches = self._edges()
        painter.setPen(Qt.PenStyle.NoPen)
        for column in range(len(yaws) - 1):
            for row in range(len(pitches) - 1):
                corner = self.place(yaws[column], pitches[row + 1])
                opposite = self.place(yaws[column + 1], pitches[row])
                box = QRectF(corner, opposite).adjusted(1, 1, -1, -1)
                painter.setBrush(QColor(t.raised))
                painter.drawRoundedRect(box, 3, 3)
                frames = 0 if self._coverage is None else int(self._coverage.frames[column, row])
                if frames:
                    colour = QColor(t.accent)
                    colour.setAlphaF(0.25 + 0.75 * min(1.0, np.log1p(frames) / np.log1p(PLENTY)))
                    painter.setBrush(colour)
                    painter.drawRoundedRect(box, 3, 3)

    def _paint_axes(self, painter: QPainter, t: Tokens) -> None:
        painter.setPen(QColor(t.muted))
        small = self.font()
        small.setPixelSize(11)
        painter.setFont(small)
        plot = self._plot()
        centre = Qt.AlignmentFlag.AlignCenter
        for yaw in (-60, -30, 0, 30, 60):
            x = self.place(yaw, 0).x()
            painter.drawText(QRectF(x - 22, plot.bottom() + 3, 44, 15), centre, f"{signed(yaw)}°")
        for pitch in (-40, -20, 0, 20, 40):
            y = self.place(0, pitch).y()
            side = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(QRectF(0, y - 8, plot.left() - 6, 16), side, f"{signed(pitch)}°")
        below = QRectF(plot.left(), plot.bottom() + 20, plot.width(), 16)
        painter.drawText(below, Qt.AlignmentFlag.AlignLeft, self.tr("← viewer's left"))
        painter.drawText(below, Qt.AlignmentFlag.AlignRight, self.tr("viewer's right →"))

    def _plot(self) -> QRectF:
        return QRectF(self.rect()).adjusted(38, 2, -8, -40)

    def _edges(self) -> tuple[list[float], list[float]]:
        if self._coverage is None:
            return [float(x) for x in range(-65, 66, 10)], [float(x) for x in range(-45, 46, 10)]
        return self._coverage.yaw_edges.tolist(), self._coverage.pitch_edges.tolist()

    def _bin(self, x: float, y: float) -> tuple[int, int] | None:
        plot = self._plot()
        if not plot.contains(x, y):
            return None
        yaws, pitches = self._edges()
        column = int((x - plot.left()) / plot.width() * (len(yaws) - 1))
        row = int((plot.bottom() - y) / plot.height() * (len(pitches) - 1))
        return min(column, len(yaws) - 2), min(row, len(pitches) - 2)

    def event(self, event: QEvent) -> bool:
        """Qt's door: the bin under the pointer is said in a tooltip."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            QToolTip.showText(event.globalPos(), self.tip(event.pos().x(), event.pos().y()), self)
            return True
        return super().event(event)
