"""One measure along the held-out frames, for both sides."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPointF, Qt, Signal
from PySide6.QtGui import QMouseEvent

from pipelines.compare_result import Comparison, Side
from ui.theme import tokens
from ui.widgets.pivot_plot import dress

ROLES = {"a": "accent", "b": "warn", "nearest": "muted"}
"""Colours of the sides, as roles of the theme."""
_ORDER: tuple[Side, ...] = ("nearest", "b", "a")
"""The last one drawn lies on top."""


class ErrorCurve(pg.PlotWidget):  # type: ignore[misc]
    """A line for A, one for B, a dashed one for the nearest training frame, and where we are.

    Attributes:
        picked: number of the frame that was clicked at.
    """

    picked = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._comparison: Comparison | None = None
        self._measure = ""
        self._frame = 0
        self.setAccessibleName(self.tr("Error along the frames"))
        self.setMenuEnabled(False)
        self.hideButtons()
        self.setMouseEnabled(False, False)
        self.getAxis("left").setWidth(52)
        self._lines: dict[Side, pg.PlotDataItem] = {side: self.plot([], []) for side in _ORDER}
        self._here = pg.InfiniteLine(angle=90)
        self.addItem(self._here)
        self._paint()

    def show_measure(self, comparison: Comparison, measure: str) -> None:
        """Draw one measure of a comparison."""
        self._comparison, self._measure = comparison, measure
        if len(comparison.frames):
            first, last = int(comparison.frames[0]), int(comparison.frames[-1])
            self.setXRange(first, max(last, first + 1), padding=0.01)
        self._paint()

    def show_frame(self, frame: int) -> None:
        """Where we are."""
        self._frame = frame
        self._here.setValue(frame)

    def values(self, side: Side) -> np.ndarray | None:
        """What is drawn of a side ``[T]``, None for nothing."""
        if self._comparison is None:
            return None
        return self._comparison.curves[side].get(self._measure)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Qt's door: a click or a drag goes to a frame."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._pick(event.position())
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Qt's door."""
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._pick(event.position())
        super().mouseMoveEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        """Qt's door for changes of the theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_here"):
            self._paint()

    def _pick(self, place: QPointF) -> None:
        if self._comparison is None or not len(self._comparison.frames):
            return
        x = self.plotItem.vb.mapSceneToView(self.mapToScene(place.toPoint())).x()
        frames = self._comparison.frames
        self.picked.emit(int(frames[np.abs(frames - x).argmin()]))

    def _paint(self) -> None:
        dress(self)
        t = tokens()
        known = any(self.values(side) is not None for side in self._lines)
        self.getAxis("left").setStyle(showValues=known)
        self._here.setPen(pg.mkPen(t.text, width=1.5))
        for side, line in self._lines.items():
            dashed = Qt.PenStyle.DashLine if side == "nearest" else Qt.PenStyle.SolidLine
            line.setPen(
                pg.mkPen(getattr(t, ROLES[side]), width=1.2 if side == "nearest" else 2, style=dashed)
            )
            values = self.values(side)
            if values is None or self._comparison is None:
                line.setData([], [])
            else:
                line.setData(self._comparison.frames, values, connect="finite")
