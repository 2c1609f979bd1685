"""How far an edit takes a face away from its person, where that was measured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from ui.theme import tokens

ROOM = 1.5
"""What fills the meter, in bounds."""


@dataclass(frozen=True)
class Drift:
    """What is known of an edit: distances between the faces with and without it, 0 for the same person."""

    strengths: tuple[float, ...]
    """At which it was measured, ascending."""
    distances: tuple[float, ...]
    """The distance at each."""
    bound: float
    """Up to which it counts as the same person."""
    network: str
    """What has measured it."""

    def at(self, strength: float) -> float | None:
        """The distance at a strength; None beyond what was measured."""
        if not self.strengths[0] <= strength <= self.strengths[-1]:
            return None
        return float(np.interp(strength, self.strengths, self.distances))


def drift_of(found: Mapping[str, Any]) -> Drift | None:
    """What a search for an edit left about identity; None where nobody has measured it."""
    identity = found.get("identity")
    if not isinstance(identity, Mapping):
        return None
    try:
        tried = [(float(one[0]), float(one[1])) for one in identity["tried"] if one[1] is not None]
        bound, network = float(identity["bound"]), str(identity["network"])
    except (KeyError, TypeError, ValueError, IndexError):
        return None  # of another version
    tried = sorted(pair for pair in tried if all(map(math.isfinite, pair)))
    if len(tried) < 2 or bound <= 0:
        return None
    return Drift(tuple(s for s, _ in tried), tuple(d for _, d in tried), bound, network)


class DriftMeter(QWidget):
    """A thin bar with words behind it; hidden where there is nothing to show."""

    def __init__(self) -> None:
        super().__init__()
        self._drift: Drift | None = None
        self._strength = 0.0
        self.words = ""
        self.setFixedHeight(18)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.hide()

    @property
    def distance(self) -> float | None:
        """At the strength that is shown; None where it is not known."""
        return None if self._drift is None else self._drift.at(self._strength)

    def show_found(self, found: Mapping[str, Any]) -> None:
        """What is known of an edit."""
        self._drift = drift_of(found)
        self.setVisible(self._drift is not None)
        self._say()

    def show_strength(self, strength: float) -> None:
        """Its strength now."""
        self._strength = strength
        self._say()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt's door for painting."""
        if self._drift is None:
            return
        t, distance, bound = tokens(), self.distance, self._drift.bound
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = self.font()
        font.setPixelSize(12)
        painter.setFont(font)
        wide = painter.fontMetrics().horizontalAdvance(self.words)
        middle = self.height() / 2
        bar = QRectF(8, middle - 2, max(20.0, self.width() - wide - 8 - 12), 4)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(t.line))
        painter.drawRoundedRect(bar, 2, 2)
        colour = QColor(t.muted)
        if distance is not None:
            colour = QColor(t.good if distance <= bound else t.warn)
            done = QRectF(bar)
            done.setWidth(max(4.0, bar.width() * min(1.0, distance / (ROOM * bound))))
            painter.setBrush(colour)
            painter.drawRoundedRect(done, 2, 2)
        painter.setBrush(QColor(t.muted))
        painter.drawRect(QRectF(bar.left() + bar.width() / ROOM - 0.75, middle - 5, 1.5, 10))
        painter.setPen(colour)
        align = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(self.rect(), align, self.words)
        painter.end()

    def _say(self) -> None:
        drift, distance = self._drift, self.distance
        if drift is None:
            return
        if distance is None:
            self.words, figure = self.tr("not measured here"), "–"
        else:
            same = distance <= drift.bound
            self.words = self.tr("same person") if same else self.tr("may be somebody else")
            figure = f"{distance:.2f}"
        tip = self.tr(
            "Distance of identity between the faces with and without this edit: {n}. Up to {bound:.2f} "
            "counts as the same person ({network})."
        )
        self.setToolTip(tip.format(n=figure, bound=drift.bound, network=drift.network))
        self.setAccessibleName(self.tr("Identity: {words}").format(words=self.words))
        self.update()
