"""What a face could look like: tiles with small pictures, to be chosen from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QEnterEvent, QImage, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QGridLayout, QSizePolicy, QWidget

from studio.domain.edits import Edit
from ui.theme import icon, tokens
from ui.widgets.edit_face import ROUND, paint_face

SIDE = 112
"""Of a picture, pixels."""
COLUMNS = 3
"""Tiles side by side."""
CAPTION = 22
"""Height of the words below a picture, pixels."""


@dataclass(frozen=True)
class Offer:
    """An edit that needs no searching: it can be had at once."""

    key: str
    """Tells it from all others that are offered."""
    hint: str
    """One sentence: what it does."""
    edit: Edit
    """What is added."""


class EditTile(QAbstractButton):
    """One offer: the face with it, and its title."""

    def __init__(self, offer: Offer) -> None:
        super().__init__()
        self.offer = offer
        self._picture = QImage()
        self._used = False
        self.setText(offer.edit.title)
        self.setAccessibleName(offer.edit.title)
        self.setAccessibleDescription(offer.hint)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFixedSize(self.sizeHint())
        self.show_used(False)

    @property
    def picture(self) -> QImage:
        """What is shown."""
        return self._picture

    def show_picture(self, picture: QImage) -> None:
        """The face with it has come."""
        self._picture = picture
        self.update()

    def show_used(self, used: bool) -> None:
        """Whether the avatar has it already."""
        self._used = used
        more = self.tr("Added already: click to go to it.") if used else self.tr("Click to add it.")
        self.setToolTip(f"{self.offer.hint} {more}".strip())
        self.update()

    def sizeHint(self) -> QSize:
        """Qt's question for a comfortable size."""
        return QSize(SIDE, SIDE + CAPTION)

    def enterEvent(self, event: QEnterEvent) -> None:
        """Qt's door: the pointer is here."""
        super().enterEvent(event)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt's door for painting."""
        t = tokens()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(0.0, 0.0, SIDE, SIDE).adjusted(1, 1, -1, -1)
        paint_face(painter, box, self._picture)
        lively = self.underMouse() or self.hasFocus()
        if lively or self._used:
            painter.setPen(QPen(QColor(t.accent if lively else t.muted), 2 if lively else 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box, ROUND, ROUND)
        if self._used:
            badge = QRectF(box.right() - 24, box.top() + 4, 20, 20)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(t.accent))
            painter.drawEllipse(badge)
            icon("check", t.on_accent).paint(painter, badge.adjusted(4, 4, -4, -4).toRect())
        font = self.font()
        font.setPixelSize(12)
        painter.setFont(font)
        painter.setPen(QColor(t.text if lively else t.muted))
        words = QRect(0, SIDE, self.width(), CAPTION)
        align = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(words, align, self.text())
        painter.end()


class EditTiles(QWidget):
    """A grid of offers, walked through with the arrows.

    Attributes:
        taken: the key of the offer that was clicked.
    """

    taken = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.tiles: dict[str, EditTile] = {}
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(7)
        self._grid.setColumnStretch(COLUMNS, 1)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_offers(self, offers: Sequence[Offer]) -> None:
        """These, in place of what was offered before; pictures of those that stay are kept."""
        before = self.tiles
        if [tile.offer for tile in before.values()] == list(offers):
            return
        self.tiles = {}
        for place, offer in enumerate(offers):
            made = self.tiles[offer.key] = EditTile(offer)
            if offer.key in before:
                made.show_picture(before[offer.key].picture)
            made.clicked.connect(lambda checked=False, key=offer.key: self.taken.emit(key))
            made.installEventFilter(self)
            self._grid.addWidget(made, place // COLUMNS, place % COLUMNS)
        for old in before.values():
            self._grid.removeWidget(old)
            old.hide()
            old.deleteLater()

    def show_picture(self, key: str, picture: QImage) -> None:
        """The face with an offer has come."""
        if key in self.tiles:
            self.tiles[key].show_picture(picture)

    def show_used(self, keys: set[str]) -> None:
        """Which of them the avatar has already."""
        for key, tile in self.tiles.items():
            tile.show_used(key in keys)

    def eventFilter(self, watched: object, event: object) -> bool:
        """Arrows go to the neighbour."""
        if isinstance(event, QKeyEvent) and event.type() == QKeyEvent.Type.KeyPress:
            steps = {
                Qt.Key.Key_Left: -1,
                Qt.Key.Key_Right: 1,
                Qt.Key.Key_Up: -COLUMNS,
                Qt.Key.Key_Down: COLUMNS,
            }.get(Qt.Key(event.key()))
            tiles = list(self.tiles.values())
            if steps is not None and watched in tiles:
                place = tiles.index(watched) + steps
                if 0 <= place < len(tiles):
                    tiles[place].setFocus()
                return True
        return False
