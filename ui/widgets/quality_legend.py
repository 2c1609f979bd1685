"""How many frames of each verdict a clip has; a click goes to the next one."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from pipelines.frame_quality import FrameQuality, Verdict
from ui.theme import tokens
from ui.widgets.plain import button
from ui.widgets.quality_strip import colour_of


class QualityLegend(QWidget):
    """A button for each verdict that occurs.

    Attributes:
        wanted: the verdict that was clicked.
    """

    wanted = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(2)
        self.setStyleSheet("QPushButton { padding: 3px 6px; }")  # many may stand side by side
        self.buttons: dict[Verdict, QPushButton] = {}

    def show_quality(self, quality: FrameQuality | None) -> None:
        """Another clip's."""
        while (item := self._row.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        self.buttons = {}
        for verdict in Verdict if quality is not None else ():
            assert quality is not None
            count = int((quality.verdicts == verdict).sum())
            if count:
                made = self._button(verdict, count)
                self.buttons[verdict] = made
                self._row.addWidget(made)
        self._row.addStretch(1)
        self._paint_dots()

    def changeEvent(self, event: QEvent) -> None:
        """Qt's door: colours may have changed."""
        super().changeEvent(event)
        if hasattr(self, "buttons") and event.type() == QEvent.Type.PaletteChange:
            self._paint_dots()

    def _button(self, verdict: Verdict, count: int) -> QPushButton:
        words = {
            Verdict.GOOD: self.tr("{n} good"),
            Verdict.BLURRED: self.tr("{n} blurred"),
            Verdict.COVERED: self.tr("{n} covered"),
            Verdict.EDGE: self.tr("{n} leave the picture"),
            Verdict.SMALL: self.tr("{n} too small"),
            Verdict.JUMPED: self.tr("{n} jumped"),
            Verdict.LOST: self.tr("{n} without a face"),
            Verdict.TRIMMED: self.tr("{n} not used"),
        }
        text = words[verdict].format(n=count)
        made = button(text, lambda: self.wanted.emit(int(verdict)), "flat", tip=self.tr("Go to the next one"))
        made.setIconSize(QSize(10, 10))
        return made

    def _paint_dots(self) -> None:
        for verdict, made in self.buttons.items():
            picture = QPixmap(20, 20)
            picture.fill(Qt.GlobalColor.transparent)
            painter = QPainter(picture)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colour_of(verdict, tokens())))
            painter.drawEllipse(1, 1, 18, 18)
            painter.end()
            made.setIcon(QIcon(picture))


def next_of(quality: FrameQuality, verdict: int, after: int) -> int | None:
    """Where the next stretch of a verdict behind a frame begins, going round; None when there is none."""
    starts = np.flatnonzero(np.diff((quality.verdicts == verdict).astype(np.int8), prepend=0) == 1)
    if not len(starts):
        return None
    behind = starts[starts > after]
    return int(behind[0] if len(behind) else starts[0])
