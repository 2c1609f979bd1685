"""Live curves of a training: its losses, and beside them how good it is on frames that it never sees."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QVBoxLayout, QWidget

from pipelines.job_history import VALIDATION, Curve
from ui.theme import GAP, tokens
from ui.widgets.pivot_plot import dress
from ui.widgets.plain import column, label, row

_BESIDE = ("rate", "steps_per_second", "norm", "forecast_minutes", "memory_gigabytes")
"""Figures that come last in the list: they say how training runs, not how good it is."""
_HIGHER = ("psnr", "ssim", "haarpsi")
"""Words in the names of figures of which more is better."""


class TrainingCurves(QWidget):
    """One training at a time: the newest, until the user asks for another."""

    def __init__(self) -> None:
        super().__init__()
        self._curves: tuple[Curve, ...] = ()
        self._own_choice = False
        self.trainings = QComboBox()
        self.trainings.setAccessibleName(self.tr("Training"))
        self.trainings.activated.connect(self._chosen)
        self.losses = _Figure(self.tr("Training"), validation=False)
        # Frames of the clip that are kept from training and only judge it.
        self.judged = _Figure(self.tr("Unseen frames"), validation=True)
        plots = QHBoxLayout()
        plots.setSpacing(GAP)
        plots.addWidget(self.losses, 1)
        plots.addWidget(self.judged, 1)
        inside = QVBoxLayout(self)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(6)
        inside.addWidget(self.trainings)
        inside.addLayout(plots)
        self.setVisible(False)

    def show_curves(self, curves: Iterable[Curve]) -> None:
        """All curves of a job so far."""
        self._curves = tuple(curves)
        names = list(dict.fromkeys(curve.what for curve in self._curves))
        if names != [self.trainings.itemData(row) for row in range(self.trainings.count())]:
            before = self.trainings.currentData()
            self.trainings.clear()
            for name in names:
                self.trainings.addItem(name[:1].upper() + name[1:], name)
            self.trainings.setCurrentIndex(
                names.index(before) if self._own_choice and before in names else len(names) - 1
            )
        self.trainings.setVisible(len(names) > 1)
        self.setVisible(bool(names))
        self._fill()

    def _chosen(self, index: int) -> None:
        self._own_choice = index < self.trainings.count() - 1
        self._fill()

    def _fill(self) -> None:
        shown = [curve for curve in self._curves if curve.what == self.trainings.currentData()]
        self.losses.show_curves([curve for curve in shown if not curve.validation])
        self.judged.show_curves([curve for curve in shown if curve.validation])


class _Figure(QWidget):
    """One figure of several along the steps."""

    def __init__(self, title: str, validation: bool) -> None:
        super().__init__()
        self._validation = validation
        self._curves: list[Curve] = []
        self.names = QComboBox()
        self.names.setAccessibleName(title)
        self.names.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.names.activated.connect(self._draw)
        self.now = label(role="hint")
        self.plot = pg.PlotWidget()
        self.plot.setMenuEnabled(False)
        self.plot.hideButtons()
        self.plot.setMouseEnabled(False, False)
        self.plot.setFixedHeight(150)
        self.plot.setAccessibleName(title)
        self.plot.getAxis("bottom").setLabel(self.tr("Step"))
        self.line = self.plot.plot([], [])
        self.best = pg.ScatterPlotItem(pxMode=True)
        self.plot.addItem(self.best)
        inside = QVBoxLayout(self)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.addLayout(
            column(row(label(title, "heading"), None, self.names), self.now, self.plot, spacing=4)
        )
        self._draw()

    def show_curves(self, curves: list[Curve]) -> None:
        self._curves = sorted(curves, key=lambda curve: _rank(curve.name))
        names = [curve.name for curve in self._curves]
        if names != [self.names.itemData(row) for row in range(self.names.count())]:
            before = self.names.currentData()
            self.names.clear()
            for name in names:
                self.names.addItem(spoken(name), name)
            if before in names:
                self.names.setCurrentIndex(names.index(before))
        self.names.setVisible(len(names) > 1)
        self._draw()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "best"):
            self._draw()

    def _draw(self, *_: object) -> None:
        dress(self.plot)
        colour = tokens().good if self._validation else tokens().accent
        self.line.setPen(pg.mkPen(colour, width=2))
        curve = next((c for c in self._curves if c.name == self.names.currentData()), None)
        if curve is None or not np.isfinite(curve.values).any():
            self.line.setData([], [])
            self.best.setData([], [])
            self.now.setText(self.tr("Nothing to show yet"))
            return
        self.line.setData(
            curve.steps,
            curve.values,
            connect="finite",
            symbol="o" if self._validation else None,
            symbolSize=5,
            symbolBrush=pg.mkBrush(colour),
            symbolPen=None,
        )
        self.best.setData([], [])
        if not self._validation:
            self.now.setText(self.tr("Now {value}").format(value=f"{curve.values[-1]:.4g}"))
            return
        best = (np.nanargmax if any(word in curve.name for word in _HIGHER) else np.nanargmin)(curve.values)
        self.best.setData(
            [curve.steps[best]],
            [curve.values[best]],
            size=13,
            brush=None,
            pen=pg.mkPen(tokens().text, width=2),
        )
        self.now.setText(
            self.tr("Best {value} at step {step}; now {now}").format(
                value=f"{curve.values[best]:.4g}", step=int(curve.steps[best]), now=f"{curve.values[-1]:.4g}"
            )
        )


def _rank(name: str) -> tuple[bool, bool, bool, str]:
    plain = name.removeprefix(VALIDATION)
    return plain in _BESIDE, "psnr" not in plain, plain != "loss", plain


def spoken(name: str) -> str:
    """A figure's name for a person."""
    plain = name.removeprefix(VALIDATION)
    return {"psnr": "PSNR, dB", "rate": "learning rate"}.get(plain, plain.replace("_", " "))
