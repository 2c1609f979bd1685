"""How far the clip's expressions go beside what people usually show, and what to record next."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QCoreApplication, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QGridLayout, QLabel, QLayout, QSizePolicy, QVBoxLayout, QWidget

from pipelines.coverage import Gap
from pipelines.expression_reach import ENOUGH, ExpressionReach
from ui.theme import GAP, tokens
from ui.widgets.plain import button, column, label

FULL = 1.5
"""Share of the usual that fills a bar."""


FIRST = 4
"""Gaps that are shown without asking."""


def clear(layout: QLayout) -> None:
    """Take everything out and let go of it."""
    while (item := layout.takeAt(0)) is not None:
        widget = item.widget()
        if widget is not None:
            widget.setParent(None)
            widget.deleteLater()


def tr(text: str) -> str:
    """Words that come with the data."""
    return QCoreApplication.translate("coverage", text)


class Bar(QWidget):
    """One bar, with a mark where it is enough."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share
        self.setFixedHeight(16)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """Qt asks for the size that is liked best."""
        return QSize(120, 16)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt's door for painting."""
        t = tokens()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        whole = QRectF(0, 4, self.width(), 8)
        painter.setBrush(QColor(t.raised))
        painter.drawRoundedRect(whole, 4, 4)
        filled = QRectF(whole)
        filled.setWidth(max(8.0, whole.width() * min(1.0, self.share / FULL)))
        painter.setBrush(QColor(t.good if self.share >= ENOUGH else t.warn))
        painter.drawRoundedRect(filled, 4, 4)
        painter.setPen(QPen(QColor(t.text), 1.5))
        x = whole.width() * ENOUGH / FULL
        painter.drawLine(QRectF(x, 1, 0, 14).topLeft(), QRectF(x, 1, 0, 14).bottomLeft())
        painter.end()


class ExpressionBars(QWidget):
    """One line for each expression."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName(self.tr("Expressions that the clip shows"))
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(GAP)
        self._grid.setVerticalSpacing(4)
        self._grid.setColumnStretch(1, 1)
        self.bars: dict[str, Bar] = {}

    def show_reach(self, expressions: Sequence[ExpressionReach]) -> None:
        """Another clip's."""
        clear(self._grid)
        self.bars = {}
        for line, one in enumerate(expressions):
            most = round(100 * FULL)
            number = round(100 * one.share)
            percent = self.tr("over {n} %") if number > most else self.tr("{n} %")
            percent = percent.format(n=min(number, most))
            bar = Bar(one.share)
            said = self.tr("{name} reaches {percent} of what people usually show.").format(
                name=tr(one.kind.label), percent=percent
            )
            if not one.enough:
                said = f"{said} {tr(one.kind.advice)}"
            amount = label(percent, "hint" if one.enough else "warn")
            amount.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            for place, part in enumerate((label(tr(one.kind.label)), bar, amount)):
                part.setToolTip(said)
                self._grid.addWidget(part, line, place)
            bar.setAccessibleName(said)
            self.bars[one.kind.id] = bar


class Advice(QWidget):
    """What to record next: a sentence for each gap, and why; the most useful first, the rest on demand."""

    def __init__(self) -> None:
        super().__init__()
        self._lines = QVBoxLayout(self)
        self._lines.setContentsMargins(0, 0, 0, 0)
        self._lines.setSpacing(GAP - 2)
        self._rest: list[QWidget] = []
        self.more = button("", self._show_rest, "flat")

    def show_gaps(self, gaps: Sequence[Gap]) -> None:
        """Another clip's."""
        self._lines.removeWidget(self.more)
        clear(self._lines)
        self._rest = []
        if not gaps:
            self._lines.addWidget(
                label(self.tr("Nothing is missing: the clip shows all that an avatar needs."), "good", True)
            )
        for number, gap in enumerate(gaps):
            why = self.tr("The clip does not show {what}.").format(what=tr(gap.what))
            pair = _pair(label(tr(gap.advice), wrap=True), label(why, "hint", wrap=True))
            self._lines.addWidget(pair)
            if number >= FIRST and len(gaps) > FIRST + 1:
                pair.hide()
                self._rest.append(pair)
        self.more.setText(self.tr("Show {n} more").format(n=len(self._rest)))
        self.more.setVisible(bool(self._rest))
        self._lines.addWidget(self.more, 0, Qt.AlignmentFlag.AlignLeft)

    def _show_rest(self) -> None:
        for pair in self._rest:
            pair.show()
        self.more.hide()

    @property
    def sentences(self) -> list[str]:
        """What is said, for tests and screen readers; also what is not unfolded yet."""
        return [part.text() for part in self.findChildren(QLabel)]


def _pair(first: QLabel, second: QLabel) -> QWidget:
    made = QWidget()
    made.setLayout(column(first, second, spacing=1))
    return made
