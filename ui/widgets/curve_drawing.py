"""Curves and keyframes on a plot: drawn anew only where they changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor

from pipelines.timeline_evaluation import knob_values
from studio.domain.timeline import BaseMotion, Curve, Ease
from ui.theme import Tokens
from ui.widgets.curve_colours import curve_colour
from ui.widgets.curve_model import CurveModel

SYMBOLS: dict[Ease, str] = {
    "hold": "s",
    "linear": "d",
    "smooth": "o",
    "ease-in": "t3",
    "ease-out": "t2",
    "ease-in-out": "h",
}
"""pyqtgraph's name of the sign of a keyframe, by how it goes on."""
MOST_POINTS = 4000
"""Of one curve; longer ones are drawn through every second, third… frame."""
MOST_BEHIND = 16
"""Curves that are drawn behind the edited ones; of more nobody could tell which is which."""
KEY, CHOSEN_KEY = 9, 12
"""Pixels."""


@dataclass(frozen=True)
class Shown:
    """The range of a control that fills the height of the plot."""

    low: float
    """Value at the bottom."""
    high: float
    """Value at the top."""

    def share(self, value: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """0 at the bottom, 1 at the top."""
        return (np.asarray(value, np.float64) - self.low) / (self.high - self.low)

    def value(self, share: float) -> float:
        """And back."""
        return self.low + share * (self.high - self.low)


@dataclass(frozen=True)
class _Drawn:
    """What an item shows; an equal one needs no new drawing."""

    curve: Curve | None
    length: int
    loop: bool
    shown: Shown
    edited: bool
    theme: str
    base: BaseMotion | None


class _Keys(pg.ScatterPlotItem):  # type: ignore[misc]
    """Signs that leave clicks to the editor."""

    def mouseClickEvent(self, event: Any) -> None:
        """pyqtgraph's door for clicks."""
        event.ignore()


class CurveDrawing:
    """The items of one plot."""

    def __init__(self, plot: pg.PlotItem, model: CurveModel) -> None:
        self._plot, self._model = plot, model
        self._lines: dict[str, tuple[pg.PlotCurveItem, _Drawn]] = {}
        self._motions: dict[str, tuple[pg.PlotCurveItem, _Drawn]] = {}
        self._keys = _Keys(pxMode=True)
        self._keys.setZValue(20)
        plot.addItem(self._keys, ignoreBounds=True)
        self._shown: dict[str, Shown] = {}

    def shown(self, name: str) -> Shown:
        """The range of a control that fills the height."""
        if name not in self._shown:
            self._shown[name] = self._fitting(name)
        return self._shown[name]

    def fit(self) -> None:
        """Choose every control's range anew: what its curve does, and enough around it."""
        self._shown.clear()

    def draw(self, t: Tokens) -> None:
        """Everything that changed."""
        line, model = self._model.timeline, self._model
        base = line.base
        moved = set() if base is None else set(base.names)
        few = len(line.curves) - len(model.names) <= MOST_BEHIND
        drawn = [name for name in line.curves if few or name in model.names]
        wanted = {name: self._drawn(name, line.curves[name], t) for name in drawn}
        self._update(self._lines, wanted, t, Qt.PenStyle.SolidLine)
        below = {name: self._drawn(name, None, t) for name in model.names if name in moved}
        self._update(self._motions, below, t, Qt.PenStyle.DashLine)
        spots = []
        for name in model.names:
            curve, chosen = line.curves.get(name), model.chosen.get(name, frozenset())
            if curve is None:
                continue
            colour, shown = curve_colour(name, t), self.shown(name)
            for key in curve.keyframes:
                picked = key.frame in chosen
                spots.append(
                    {
                        "pos": (key.frame, float(shown.share(key.value))),
                        "symbol": SYMBOLS[key.ease],
                        "size": CHOSEN_KEY if picked else KEY,
                        "brush": QColor(t.text) if picked else colour,
                        "pen": pg.mkPen(
                            colour if picked else QColor(t.surface), width=2.5 if picked else 1.5
                        ),
                    }
                )
        self._keys.setData(spots)

    def _drawn(self, name: str, curve: Curve | None, t: Tokens) -> _Drawn:
        line = self._model.timeline
        edited = name in self._model.names
        return _Drawn(curve, line.length, line.loop, self.shown(name), edited, t.name, line.base)

    def _update(
        self,
        items: dict[str, tuple[pg.PlotCurveItem, _Drawn]],
        wanted: dict[str, _Drawn],
        t: Tokens,
        style: Qt.PenStyle,
    ) -> None:
        for name in [name for name in items if name not in wanted]:
            self._plot.removeItem(items.pop(name)[0])
        for name, drawn in wanted.items():
            item, before = items.get(name, (None, None))
            if drawn == before:
                continue
            if item is None:
                item = pg.PlotCurveItem(antialias=True)
                self._plot.addItem(item, ignoreBounds=True)
            colour = curve_colour(name, t)
            if not drawn.edited or drawn.curve is None:
                colour.setAlpha(110 if drawn.curve is None else 80)
            item.setPen(pg.mkPen(colour, width=2 if drawn.edited and drawn.curve else 1, style=style))
            item.setZValue(10 if drawn.edited else 5)
            item.setData(*self._points(name, drawn))
            items[name] = (item, drawn)

    def _points(self, name: str, drawn: _Drawn) -> tuple[npt.NDArray, npt.NDArray]:
        line = self._model.timeline
        frames = np.arange(0, drawn.length, max(1, drawn.length // MOST_POINTS))
        if drawn.curve is not None:
            values = knob_values(drawn.curve, line, frames)
        else:
            assert line.base is not None
            values = line.base.at(frames)[:, line.base.names.index(name)]
        return frames.astype(np.float64), drawn.shown.share(values)

    def _fitting(self, name: str) -> Shown:
        line, knob = self._model.timeline, self._model.knob(name)
        values = [knob.default]
        if (curve := line.curves.get(name)) is not None:
            values += [key.value for key in curve.keyframes]
        if line.base is not None and name in line.base.names:
            motion = line.base.values[:, line.base.names.index(name)]
            values += [float(motion.min()), float(motion.max())]
        low, high = min(values), max(values)
        if high - low < 0.05 * (knob.high - knob.low):
            # Nothing moves yet: everything that may be wanted can be reached.
            wanted = knob.reliable or (knob.low, knob.high)
            bottom, top = min(low, *wanted), max(high, *wanted)
            if top > bottom:
                return Shown(bottom - 0.08 * (top - bottom), top + 0.08 * (top - bottom))
        least = 0.3 * (knob.high - knob.low)
        room = max(0.25 * (high - low), (least - (high - low)) / 2)
        return Shown(low - room, high + room)
