"""Time above the curves, and the edited control's own values beside them."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pyqtgraph as pg
from PySide6.QtCore import Qt, Signal

from studio.domain.controls import Control
from ui.widgets.control_kinds import written

_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800)
"""Seconds between two large marks."""
ROOM = 56.0
"""Pixels that a mark's words need."""


def timecode(frame: float, rate: Fraction) -> str:
    """1:07 at a whole second, 1:07:04 at the fourth frame after it, as editing programs write it."""
    a_second = max(1, round(rate))
    seconds, rest = divmod(round(frame), a_second)
    return f"{seconds // 60}:{seconds % 60:02d}" + (f":{rest:02d}" if rest else "")


class TimeRuler(pg.AxisItem):  # type: ignore[misc]
    """Marks in seconds and frames. A press or a drag on it moves the playhead.

    Attributes:
        pressed: the frame below the pointer, not yet a whole one.
    """

    pressed = Signal(float)

    def __init__(self) -> None:
        super().__init__("top")
        self.rate = Fraction(30)
        self.setHeight(26)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def tickValues(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, list[float]]]:
        """pyqtgraph's question where marks are."""
        a_second = max(1, round(self.rate))
        frames = sorted({f for f in (1, 2, 5, 10, 15) if f < a_second} | {s * a_second for s in _STEPS})
        wide = ROOM * (maxVal - minVal) / max(size, 1.0)
        large = next((step for step in frames if step >= wide), frames[-1])
        small = max((s for s in frames if s < large and large % s == 0 and 5 * s >= large), default=large)
        first = int(max(minVal, 0) // large) * large
        marks = [float(f) for f in range(first, int(maxVal) + 1, large) if f >= minVal]
        between = [float(f) for f in range(first, int(maxVal) + 1, small) if f >= minVal and f % large]
        return [(float(large), marks), (float(small), between)]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        """pyqtgraph's question what stands at them."""
        low, high = self.range
        levels = self.tickValues(low, high, self.boundingRect().width())
        return [timecode(v, self.rate) if spacing == levels[0][0] else "" for v in values]

    def mouseClickEvent(self, event: Any) -> None:
        """pyqtgraph's door for a click."""
        self._point(event)

    def mouseDragEvent(self, event: Any) -> None:
        """pyqtgraph's door for a drag."""
        self._point(event)

    def _point(self, event: Any) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            event.accept()
            self.pressed.emit(float(self.linkedView().mapSceneToView(event.scenePos()).x()))
        else:
            event.ignore()


class ValueAxis(pg.AxisItem):  # type: ignore[misc]
    """Values of the control that is edited; the view's own y is a share of the control's shown range."""

    def __init__(self) -> None:
        super().__init__("left")
        self.setWidth(58)
        self._control: Control | None = None
        self._to_share: Callable[[float], float] = float
        self._to_value: Callable[[float], float] = float

    def show_control(
        self, control: Control | None, to_share: Callable[[float], float], to_value: Callable[[float], float]
    ) -> None:
        """Whose values; None leaves the axis empty."""
        self._control, self._to_share, self._to_value = control, to_share, to_value
        self.picture = None
        self.update()

    def tickValues(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, list[float]]]:
        """pyqtgraph's question where marks are: at round values of the control."""
        if self._control is None:
            return []
        low, high = self._to_value(minVal), self._to_value(maxVal)
        levels = super().tickValues(low, high, size)[:2]
        unit = self._to_share(1.0) - self._to_share(0.0)
        return [(spacing * unit, [self._to_share(v) for v in values]) for spacing, values in levels]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        """pyqtgraph's question what stands at them."""
        return [written(self._control, self._to_value(v)) for v in values] if self._control else []
