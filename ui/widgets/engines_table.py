"""A row for each avatar that was compared, one for the nearest training frame; a column for each measure."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QBrush, QColor
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from pipelines.compare_result import ARROWS, Measure
from pipelines.compared_engines import ComparedEngines
from ui.theme import tokens
from ui.widgets.metric_words import direction, meaning, short_title

SHOWN = ("lpips", "haarpsi", "psnr", "flmd", "akd_mouth", "aed", "csim", "sharpness_ratio")
"""Measures that have a column, where they have values: pictures, faces, who it is, how sharp."""


class EnginesTable(QTableWidget):
    """The best of a column stands out by a tick, by weight and by colour."""

    def __init__(self) -> None:
        super().__init__(0, 0)
        self._compared = ComparedEngines()
        self._names: Sequence[str] = ()
        self.setAccessibleName(self.tr("All engines"))
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.setStyleSheet("QTableWidget::item { padding: 0 8px; }")
        self.setWordWrap(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(34)
        self.horizontalHeader().setHighlightSections(False)
        self.horizontalHeader().setSectionsClickable(False)

    @property
    def measures(self) -> tuple[Measure, ...]:
        """Those that have a column."""
        known = {m.id: m for m in self._compared.measures}
        rows = self._compared.rows
        return tuple(
            known[name] for name in SHOWN if name in known and any(name in row.means for row in rows)
        )

    def show_compared(self, compared: ComparedEngines, names: Sequence[str]) -> None:
        """Show figures; ``names``: of the avatars, as many as rows."""
        self._compared, self._names = compared, names
        self._fill()

    def changeEvent(self, event: QEvent) -> None:
        """Qt's door for changes of the theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_compared"):
            self._fill()

    def _fill(self) -> None:
        compared, measures = self._compared, self.measures
        self.clear()
        self.setColumnCount(len(measures) + 2)
        self.setRowCount(len(compared.rows) + bool(compared.rows))
        self._head(0, self.tr("Avatar"), "")
        for column, measure in enumerate(measures, 1):
            words = f"{ARROWS[measure.better]} {short_title(measure.id, measure.title)}"
            tip = "\n".join(t for t in (measure.name, meaning(measure.id), direction(measure.better)) if t)
            self._head(column, words, tip)
        speed = self.tr("Whole frames that were drawn in a second here, at full quality")
        self._head(len(measures) + 1, self.tr("↑ Frames/s"), speed)
        fastest = max((row.fps for row in compared.rows), default=0.0)
        best = {measure.id: compared.best(measure) for measure in measures}
        for place, (row, name) in enumerate(zip(compared.rows, self._names)):
            self._put(place, 0, name)
            for column, measure in enumerate(measures, 1):
                value = row.means.get(measure.id)
                text = self.tr("off") if value is None else measure.text(value)
                self._put(place, column, text, muted=value is None, best=row.side.id in best[measure.id])
            alone = len(compared.rows) < 2
            self._put(place, len(measures) + 1, f"{row.fps:.1f}", best=row.fps == fastest and not alone)
        if compared.rows:
            last = len(compared.rows)
            self._put(last, 0, self.tr("Nearest training frame"), muted=True)
            for column, measure in enumerate(measures, 1):
                self._put(last, column, measure.text(compared.nearest.get(measure.id)), muted=True)
            self._put(last, len(measures) + 1, "–", muted=True)
        header = self.horizontalHeader()
        for column in range(self.columnCount()):
            stretched = column == 0
            mode = QHeaderView.ResizeMode
            header.setSectionResizeMode(column, mode.Stretch if stretched else mode.ResizeToContents)

    def _head(self, column: int, words: str, tip: str) -> None:
        item = QTableWidgetItem(words)
        item.setToolTip(tip)
        item.setTextAlignment(_side(column))
        self.setHorizontalHeaderItem(column, item)

    def _put(self, row: int, column: int, text: str, muted: bool = False, best: bool = False) -> None:
        item = QTableWidgetItem(f"✓ {text}" if best else text)
        item.setTextAlignment(_side(column))
        item.setToolTip(text if not column else "")
        font = self.font()
        font.setBold(best)
        item.setFont(font)
        t = tokens()
        item.setForeground(QBrush(QColor(t.good if best else t.muted if muted else t.text)))
        if best:
            item.setData(Qt.ItemDataRole.AccessibleTextRole, self.tr("{value}, best").format(value=text))
        self.setItem(row, column, item)


def _side(column: int) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignRight if column else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter
