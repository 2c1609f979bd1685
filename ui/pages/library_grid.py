"""Cards in as many columns as fit, walked with the arrow keys."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QGridLayout, QSizePolicy, QVBoxLayout, QWidget

from ui.theme import GAP
from ui.widgets.subject_card import WIDTH, Card


class CardGrid(QWidget):
    """Columns are equally wide; the last row keeps their width."""

    def __init__(self) -> None:
        super().__init__()
        self.cards: tuple[Card, ...] = ()
        self._columns = 1
        self._grid = QGridLayout()
        self._grid.setSpacing(GAP + 4)
        self._grid.setContentsMargins(0, 0, 0, 0)
        inside = QVBoxLayout(self)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.addLayout(self._grid)
        inside.addStretch(1)
        # A row of many cards must not make the window wide: it breaks instead.
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.setMinimumWidth(WIDTH)

    @property
    def columns(self) -> int:
        """How many there are side by side."""
        return self._columns

    def show_cards(self, cards: Sequence[Card]) -> None:
        """Show these, in this order; cards that were shown and are not among them are hidden."""
        for card in self.cards:
            if card not in cards:
                self._grid.removeWidget(card)
                card.hide()
        self.cards = tuple(cards)
        self._lay()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Qt's door for another size."""
        super().resizeEvent(event)
        if self._fitting() != self._columns:
            self._lay()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Qt's door for keys that a card left alone."""
        ways = {
            Qt.Key.Key_Left: -1,
            Qt.Key.Key_Right: 1,
            Qt.Key.Key_Up: -self._columns,
            Qt.Key.Key_Down: self._columns,
        }
        focused = next((n for n, card in enumerate(self.cards) if card.hasFocus()), None)
        way = ways.get(Qt.Key(event.key()))
        if way is not None and focused is not None:
            if 0 <= focused + way < len(self.cards):
                self.cards[focused + way].setFocus(Qt.FocusReason.TabFocusReason)
        elif event.key() == Qt.Key.Key_Home and self.cards:
            self.cards[0].setFocus(Qt.FocusReason.TabFocusReason)
        elif event.key() == Qt.Key.Key_End and self.cards:
            self.cards[-1].setFocus(Qt.FocusReason.TabFocusReason)
        else:
            super().keyPressEvent(event)

    def _fitting(self) -> int:
        space = self._grid.spacing()
        return max(1, (self.width() + space) // (WIDTH + space))

    def _lay(self) -> None:
        before, self._columns = self._columns, self._fitting()
        for column in range(max(before, self._columns)):
            self._grid.setColumnStretch(column, 1 if column < self._columns else 0)
            self._grid.setColumnMinimumWidth(column, 0)
        for number, card in enumerate(self.cards):
            self._grid.removeWidget(card)
            self._grid.addWidget(card, number // self._columns, number % self._columns)
            card.show()
            if number:
                QWidget.setTabOrder(self.cards[number - 1], card)
