"""A row for each measure: both sides, the nearest training frame, and who is better."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QBrush, QColor
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from pipelines.compare_result import ARROWS, Comparison, Measure, Side
from ui.theme import tokens
from ui.widgets.metric_words import direction, meaning, short_title

_COLUMNS: tuple[Side, ...] = ("a", "b", "nearest")


class MetricTable(QTableWidget):
    """The better side stands out by a tick, by weight and by colour; what is off says so at the end.

    Attributes:
        chosen: id of the measure whose row is chosen.
    """

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__(0, 4)
        self._comparison: Comparison | None = None
        self._rows: tuple[Measure, ...] = ()
        self.setAccessibleName(self.tr("Measures"))
        names = (self.tr("Measure"), self.tr("A"), self.tr("B"), self.tr("Nearest"))
        self._heads = [QTableWidgetItem(name) for name in names]
        for column, head in enumerate(self._heads):
            side = Qt.AlignmentFlag.AlignRight if column else Qt.AlignmentFlag.AlignLeft
            head.setTextAlignment(side | Qt.AlignmentFlag.AlignVCenter)
            self.setHorizontalHeaderItem(column, head)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.setStyleSheet("QTableWidget::item { padding: 0 6px; }")
        self.setWordWrap(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(27)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionsClickable(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in (1, 2, 3):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        self._heads[3].setToolTip(
            self.tr(
                "Showing the most similar training frame instead: whoever does not beat this learnt little"
            )
        )
        self.itemSelectionChanged.connect(self._selected)

    @property
    def measure(self) -> Measure | None:
        """The measure whose row is chosen."""
        row = self.currentRow()
        return self._rows[row] if 0 <= row < len(self._rows) else None

    def show_comparison(self, comparison: Comparison) -> None:
        """Measures with values first, those that are off after them."""
        kept = self.measure.id if self.measure else ""
        self._comparison = comparison
        on = [m for m in comparison.measures if _known(comparison, m)]
        self._rows = (*on, *(m for m in comparison.measures if m not in on))
        for column, name in ((1, comparison.names[0]), (2, comparison.names[1])):
            self._heads[column].setToolTip(name)
        self.blockSignals(True)
        self._fill()
        self.blockSignals(False)
        self.choose(kept)

    def choose(self, name: str) -> None:
        """Choose a measure's row by id; the first for an unknown one."""
        rows = [row for row, measure in enumerate(self._rows) if measure.id == name]
        self.setCurrentCell(rows[0] if rows else 0, 0)

    def changeEvent(self, event: QEvent) -> None:
        """Qt's door for changes of the theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and getattr(self, "_comparison", None) is not None:
            self._fill()

    def _selected(self) -> None:
        if self.measure is not None:
            self.chosen.emit(self.measure.id)

    def _fill(self) -> None:
        comparison = self._comparison
        assert comparison is not None
        self.setRowCount(len(self._rows))
        for row, measure in enumerate(self._rows):
            better = comparison.better(measure)
            why = comparison.off.get(measure.id, "")
            tip = "\n".join(
                t for t in (measure.name, meaning(measure.id), direction(measure.better), why) if t
            )
            title = QTableWidgetItem(f"{ARROWS[measure.better]}  {short_title(measure.id, measure.title)}")
            self._put(row, 0, title, tip, muted=not _known(comparison, measure))
            for column, side in enumerate(_COLUMNS, 1):
                value = comparison.means[side].get(measure.id)
                off = value is None
                won = side == better
                text = self.tr("off") if off else measure.text(value)
                item = QTableWidgetItem(f"✓ {text}" if won else text)
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                font = self.font()
                font.setBold(won)
                item.setFont(font)
                self._put(row, column, item, tip, muted=off or side == "nearest", won=won)
                if won:
                    words = self.tr("{side} {value}, better").format(side=side.upper(), value=text)
                    item.setData(Qt.ItemDataRole.AccessibleTextRole, words)

    def _put(
        self, row: int, column: int, item: QTableWidgetItem, tip: str, muted: bool = False, won: bool = False
    ) -> None:
        t = tokens()
        item.setToolTip(tip)
        item.setForeground(QBrush(QColor(t.good if won else t.muted if muted else t.text)))
        self.setItem(row, column, item)


def _known(comparison: Comparison, measure: Measure) -> bool:
    return any(measure.id in comparison.means[side] for side in ("a", "b"))
