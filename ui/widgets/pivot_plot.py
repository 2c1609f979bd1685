"""Frames as points over yaw and pitch: what the clip shows, and which frames stand for it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt, Signal
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPixmap
from PySide6.QtWidgets import QFrame, QLabel, QVBoxLayout

from ui.theme import tokens
from ui.widgets.plain import label

REACH = 12.0
"""Pixels within which the pointer finds a point."""
_PREVIEW = 96


class PivotPlot(pg.PlotWidget):  # type: ignore[misc]
    """Good frames faint, pivots in colour, locked ones as squares, the chosen one ringed.

    Attributes:
        pointed: frame below the pointer, -1 for none.
        picked: frame that was clicked.
    """

    pointed = Signal(int)
    picked = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._angles: npt.NDArray[np.float32] = np.zeros((0, 2), np.float32)
        self._frames: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self._pivots: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self._locked: frozenset[int] = frozenset()
        self._chosen = self._below = -1
        self.setAccessibleName(self.tr("Frames by turn and nod"))
        self.setMenuEnabled(False)
        self.hideButtons()
        self.setMouseEnabled(False, False)
        self.setLabel("bottom", self.tr("Turn to the viewer's left (−) or right, degrees"))
        self.setLabel("left", self.tr("Nod, degrees"))
        self._dots = pg.ScatterPlotItem(pxMode=True)
        self._points = pg.ScatterPlotItem(pxMode=True)
        self._ring = pg.ScatterPlotItem(pxMode=True)
        for item in (self._dots, self._points, self._ring):
            self.addItem(item)
        self._bubble = _Bubble(self)
        self.setMouseTracking(True)
        self.viewport().setMouseTracking(True)
        self._paint()

    def show_frames(self, frames: npt.NDArray[np.integer], angles: npt.NDArray[np.floating]) -> None:
        """What may be chosen from.

        Args:
            frames: ``[N]`` frame numbers, ascending.
            angles: ``[N, 2]`` their yaw and pitch, degrees.
        """
        self._frames, self._angles = frames.astype(np.int64), angles.astype(np.float32)
        self._pivots, self._locked, self._chosen = np.zeros(0, np.int64), frozenset(), -1
        if len(angles):
            low, high = angles.min(0) - 4.0, angles.max(0) + 4.0
            self.setRange(xRange=(low[0], high[0]), yRange=(low[1], high[1]), padding=0.02)
        self._paint()

    def show_pivots(self, pivots: Iterable[int], locked: Iterable[int]) -> None:
        """Which of them are pivots, and which of those are locked."""
        self._pivots, self._locked = np.array(list(pivots), np.int64), frozenset(locked)
        self._paint()

    def choose(self, frame: int | None) -> None:
        """Ring a frame; nothing is told."""
        self._chosen = -1 if frame is None else frame
        self._paint_ring()

    def frame_at(self, place: QPointF) -> int:
        """The frame nearest to a place in the widget, -1 where none is within REACH; pivots come first."""
        for among in (self._pivots, self._frames):
            rows = np.searchsorted(self._frames, among)
            if not len(rows):
                continue
            scene = self.mapToScene(place.toPoint())
            corner = self.plotItem.vb.mapSceneToView(scene)
            unit = self.plotItem.vb.viewPixelSize()
            away = (self._angles[rows] - (corner.x(), corner.y())) / unit
            distance = np.hypot(away[:, 0], away[:, 1])
            if distance.min() <= REACH:
                return int(among[distance.argmin()])
        return -1

    def place_of(self, frame: int) -> QPointF:
        """Where a frame's point is in the widget."""
        yaw, pitch = self._angles[np.searchsorted(self._frames, frame)]
        return QPointF(self.mapFromScene(self.plotItem.vb.mapViewToScene(QPointF(float(yaw), float(pitch)))))

    def show_bubble(self, frame: int, picture: QImage | None, words: str) -> None:
        """A frame's picture beside its point, as long as the pointer stays there."""
        if frame == self._below:
            self._bubble.show_at(self.place_of(frame).toPoint(), picture, words)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Qt's door."""
        super().mouseMoveEvent(event)
        below = self.frame_at(event.position())
        if below != self._below:
            self._below = below
            self._bubble.hide()
            self.setCursor(Qt.CursorShape.ArrowCursor if below < 0 else Qt.CursorShape.PointingHandCursor)
            self.pointed.emit(below)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Qt's door."""
        found = self.frame_at(event.position())
        if event.button() == Qt.MouseButton.LeftButton and found >= 0:
            self.picked.emit(found)
        super().mousePressEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        """Qt's door."""
        self._below = -1
        self._bubble.hide()
        super().leaveEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        """Qt's door for changes of the theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_bubble"):
            self._paint()

    def _paint(self) -> None:
        dress(self)
        accent, faint = QColor(tokens().accent), QColor(tokens().muted)
        faint.setAlpha(70)
        self._dots.setData(
            x=self._angles[:, 0], y=self._angles[:, 1], size=4, pen=None, brush=pg.mkBrush(faint)
        )
        rows = np.searchsorted(self._frames, self._pivots)
        held = [int(frame) in self._locked for frame in self._pivots]
        self._points.setData(
            x=self._angles[rows, 0],
            y=self._angles[rows, 1],
            size=[11 if lock else 8 for lock in held],
            symbol=["s" if lock else "o" for lock in held],
            pen=pg.mkPen(tokens().surface, width=1),
            brush=pg.mkBrush(accent),
        )
        self._paint_ring()

    def _paint_ring(self) -> None:
        row = int(np.searchsorted(self._frames, self._chosen))
        there = row < len(self._frames) and self._frames[row] == self._chosen
        x, y = (self._angles[row : row + 1].T) if there else ([], [])
        self._ring.setData(x=x, y=y, size=18, symbol="o", brush=None, pen=pg.mkPen(tokens().text, width=2.5))


class _Bubble(QFrame):
    """A picture and its caption over the plot; the pointer goes through it."""

    def __init__(self, plot: PivotPlot) -> None:
        super().__init__(plot)
        self._plot = plot
        self.setProperty("role", "card")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._picture, self._words = QLabel(), label(role="hint")
        self._picture.setFixedSize(_PREVIEW, _PREVIEW)
        inside = QVBoxLayout(self)
        inside.setContentsMargins(6, 6, 6, 4)
        inside.setSpacing(2)
        inside.addWidget(self._picture)
        inside.addWidget(self._words)
        self.hide()

    def show_at(self, point: QPoint, picture: QImage | None, words: str) -> None:
        ratio = self.devicePixelRatioF()
        shown = QPixmap() if picture is None else QPixmap.fromImage(picture)
        if not shown.isNull():
            side = round(_PREVIEW * ratio)
            shown = shown.scaled(
                side, side, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
            )
            shown.setDevicePixelRatio(ratio)
        self._picture.setPixmap(shown)
        self._words.setText(words)
        self.adjustSize()
        whole = self._plot.rect()
        left = (
            point.x() + 16 if point.x() + 16 + self.width() < whole.width() else point.x() - 16 - self.width()
        )
        top = min(max(0, point.y() - self.height() // 2), whole.height() - self.height())
        self.move(max(0, left), max(0, top))
        self.show()
        self.raise_()


def dress(plot: pg.PlotWidget) -> None:
    """Give a plot the theme's colours."""
    t = tokens()
    plot.setBackground(t.surface)
    for name in ("bottom", "left"):
        axis = plot.getAxis(name)
        axis.setPen(pg.mkPen(t.line))
        axis.setTextPen(pg.mkPen(t.muted))
        axis.label.setDefaultTextColor(QColor(t.muted))
    plot.showGrid(x=True, y=True, alpha=0.15)
