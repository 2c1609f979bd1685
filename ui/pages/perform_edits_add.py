"""Add an edit: pick one that is there, or have one found."""

from __future__ import annotations

from functools import partial
from typing import get_args

from PySide6.QtCore import QCoreApplication, Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QButtonGroup, QGridLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from ui.pages.perform_edits_data import Group, Possible, Way, group_of
from ui.pages.perform_edits_find import FindEdit
from ui.session import Session
from ui.theme import GAP
from ui.widgets.edit_tiles import EditTiles, Offer
from ui.widgets.plain import button, label

WAY = 112
"""Of a button, pixels."""
ACROSS = 3
"""Ways side by side."""
ORDER = ("shape", "emotion", "colour", "words", "attributes", "components", "file")
"""Ways from the first; others follow."""
BY_METHOD = {
    "styleclip": "words",
    "interfacegan": "attributes",
    "ganspace": "components",
    "direction-file": "file",
}
"""What a method's id begins with, to the way it stands under; others stand by themselves."""


def tr(text: str) -> str:
    """Translated, in the words of ways."""
    return QCoreApplication.translate("ways", text)


def way_of(way: Way) -> str:
    """Under which button a method stands."""
    if not way.spec.generator:
        return group_of(way.spec)
    return next((to for begins, to in BY_METHOD.items() if way.spec.id.startswith(begins)), way.spec.id)


def way_words(way: str, title: str) -> str:
    """What stands on a button."""
    known = {
        "shape": tr("Shape"),
        "emotion": tr("Emotion"),
        "colour": tr("Colour, light"),
        "words": tr("Words"),
        "attributes": tr("Attributes"),
        "components": tr("Components"),
        "file": tr("From a file"),
    }
    return known.get(way, title)


def _place(way: tuple[str, object]) -> int:
    return ORDER.index(way[0]) if way[0] in ORDER else len(ORDER)


class AddEdit(QWidget):
    """Ways to an edit, of which one is open.

    Attributes:
        chosen: an :class:`Offer` that somebody wants.
        asked: a :class:`Way` and what is wished of it.
        changed: other tiles are seen.
    """

    chosen = Signal(object)
    asked = Signal(object, object)
    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._possible = Possible()
        self.offers: dict[str, Offer] = {}
        self.ways: dict[str, QPushButton] = {}
        self.tiles: dict[Group, EditTiles] = {group: EditTiles() for group in get_args(Group)}
        self.finders: dict[str, FindEdit] = {}
        self._pages: dict[str, QWidget] = {}
        self._open = "shape"
        self.measuring: QLabel | None = None
        self._group = QButtonGroup(self)
        self._places = QGridLayout()
        self._places.setSpacing(6)
        for across in range(ACROSS):
            self._places.setColumnStretch(across, 1)
        self._below = QVBoxLayout()
        inside = QVBoxLayout(self)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(GAP - 2)
        inside.addWidget(label(self.tr("Add an edit"), "heading"))
        inside.addLayout(self._places)
        inside.addLayout(self._below)
        for tiles in self.tiles.values():
            tiles.taken.connect(lambda key: self.chosen.emit(self.offers[key]))

    @property
    def offered(self) -> list[Offer]:
        """What is offered on the tiles that are seen."""
        tiles = next((t for way, t in self.tiles.items() if way == self._open), None)
        return [] if tiles is None else [tile.offer for tile in tiles.tiles.values()]

    @property
    def possible(self) -> Possible:
        """What can be done to the open avatar."""
        return self._possible

    @property
    def shown(self) -> str:
        """The way that is open."""
        return self._open

    def show_possible(self, possible: Possible) -> None:
        """What can be done to the open avatar; what is written in forms stays where nothing changed."""
        if possible == self._possible:
            return
        other = possible.ways != self._possible.ways or possible.attributes != self._possible.attributes
        self._possible = possible
        self.offers = {offer.key: offer for offers in possible.offers.values() for offer in offers}
        for group, tiles in self.tiles.items():
            tiles.show_offers(possible.offers.get(group, ()))
        if other:
            self._fill()
        elif self.measuring is not None:
            self.measuring.setVisible(possible.unmeasured)
        self.changed.emit()

    def open(self, way: str) -> None:
        """Open a way."""
        self._open = way
        self.ways[way].setChecked(True)
        for name, page in self._pages.items():
            page.setVisible(name == way)
        self.changed.emit()

    def show_used(self, keys: set[str]) -> None:
        """Which offers the avatar has already."""
        for tiles in self.tiles.values():
            tiles.show_used(keys)

    def show_picture(self, key: str, picture: QImage) -> None:
        """The face with an offer has come."""
        for tiles in self.tiles.values():
            tiles.show_picture(key, picture)

    def _fill(self) -> None:
        """A button for each way, and its page below."""
        for old in self._group.buttons():
            self._group.removeButton(old)
            old.hide()
            old.deleteLater()
        for page in self._pages.values():
            self._below.removeWidget(page)
            for tiles in self.tiles.values():
                tiles.setParent(None)
            page.hide()
            page.deleteLater()
        self.ways, self._pages, self.finders, self.measuring = {}, {}, {}, None
        together: dict[str, list[Way]] = {}
        for way in self._possible.ways:
            together.setdefault(way_of(way), []).append(way)
        for name, methods in sorted(together.items(), key=_place):
            made = self.ways[name] = button(way_words(name, methods[0].spec.title), partial(self.open, name))
            made.setCheckable(True)
            made.setToolTip(methods[0].spec.summary)
            made.setStyleSheet("padding: 6px 4px;")
            made.setMinimumWidth(WAY)
            self._group.addButton(made)
            place = len(self.ways) - 1
            self._places.addWidget(made, place // ACROSS, place % ACROSS)
        # After all buttons, so that the keyboard comes to them first.
        for name, methods in together.items():
            page = self._pages[name] = self._page(name, methods)
            self._below.addWidget(page)
        if self.ways:
            self.open(self._open if self._open in self.ways else next(iter(self.ways)))

    def _page(self, name: str, methods: list[Way]) -> QWidget:
        finder = self.finders[name] = FindEdit(self._session, methods, self._possible)
        finder.asked.connect(self.asked)
        tiles = next((t for group, t in self.tiles.items() if group == name), None)
        if tiles is None:
            return finder
        page = QWidget()
        inside = QVBoxLayout(page)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(GAP - 4)
        if name == "colour":
            self.measuring = label(self.tr("Looking at the colours of this person…"), "hint", wrap=True)
            self.measuring.setVisible(self._possible.unmeasured)
            inside.addWidget(self.measuring)
        inside.addWidget(tiles)
        tiles.show()
        own = button(self.tr("By numbers"), role="flat", tip=self.tr("Say yourself what is changed"))
        own.setStyleSheet("padding: 2px 4px; text-align: left; font-size: 12px;")
        own.setCheckable(True)
        own.toggled.connect(finder.setVisible)
        inside.addWidget(own)
        inside.addWidget(finder)
        finder.hide()
        return page
