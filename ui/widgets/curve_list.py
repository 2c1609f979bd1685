"""The controls that have curves, and a field that finds any other."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCompleter,
    QHeaderView,
    QLineEdit,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from pipelines.control_names import near_names
from studio.domain.edits import GROUP as EDITS
from ui.theme import GAP, tokens
from ui.widgets.control_kinds import written
from ui.widgets.curve_colours import curve_colour
from ui.widgets.curve_model import CurveModel

NAME = Qt.ItemDataRole.UserRole


class CurveList(QWidget):
    """Which curves are edited, and what each says at the playhead.

    Attributes:
        wanted: name of a control that somebody chose from the search.
    """

    wanted = Signal(str)

    def __init__(self, model: CurveModel) -> None:
        super().__init__()
        self._model = model
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Add a control…"))
        self.search.setAccessibleName(self.tr("Add a control"))
        self.search.setToolTip(self.tr("Type what should move: smile, turn, blink…"))
        self.search.setClearButtonEnabled(True)
        self.search.returnPressed.connect(self._take_best)
        self.tree = QTreeWidget()
        self.tree.setAccessibleName(self.tr("Curves"))
        self.tree.setColumnCount(2)
        self.tree.setHeaderHidden(True)
        self.tree.setRootIsDecorated(False)
        self.tree.setUniformRowHeights(True)
        self.tree.setIconSize(QSize(12, 12))
        self.tree.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.tree.header().setStretchLastSection(False)
        self.tree.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.tree.header().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.tree.itemSelectionChanged.connect(self._selected)
        self.tree.verticalScrollBar().valueChanged.connect(lambda place: self._show_values())
        inside = QVBoxLayout(self)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(GAP - 4)
        inside.addWidget(self.search)
        inside.addWidget(self.tree, 1)
        self._items: dict[str, QTreeWidgetItem] = {}
        self._labels: dict[str, str] = {}
        self._busy = False
        model.changed.connect(self._changed)
        model.chosen_changed.connect(self._show_selection)
        model.moved.connect(self._show_values)
        model.sheet_changed.connect(self._take_sheet)
        self._take_sheet()

    def changeEvent(self, event: QEvent) -> None:
        """Qt's door for changes of the theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_items"):
            for name, item in self._items.items():
                item.setIcon(0, _dot(curve_colour(name, tokens())))

    def choose(self, label: str) -> None:
        """What the search found, by its label."""
        if label in self._labels:
            self.search.clear()
            self.wanted.emit(self._labels[label])

    def _take_sheet(self) -> None:
        self._labels = {}
        for knob in self._model.knobs():
            label = knob.label
            if label in self._labels:
                if knob.group != EDITS:
                    continue
                # An edit may be called as a control is, or as another edit.
                label = f"{label} ({knob.name})"
            self._labels[label] = knob.name
        completer = QCompleter(list(self._labels), self.search)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.setMaxVisibleItems(12)
        # Queued: the field is filled with the choice after this signal.
        completer.activated.connect(self.choose, Qt.ConnectionType.QueuedConnection)
        self.search.setCompleter(completer)
        self._items.clear()
        self.tree.clear()
        self._changed()

    def _take_best(self) -> None:
        """Return: the first that contains what was typed, else what an everyday word means."""
        typed = self.search.text().strip()
        if not typed:
            return
        begun = [label for label in self._labels if typed.lower() in label.lower()]
        if begun:
            self.choose(begun[0])
            return
        near = near_names(typed, [knob.name for knob in self._model.knobs()], 1)
        if near:
            self.search.clear()
            self.wanted.emit(near[0])

    def _changed(self) -> None:
        line = self._model.timeline
        names = [*line.curves, *(n for n in (line.base.names if line.base else ()) if n not in line.curves)]
        if names != list(self._items):
            self._busy = True
            self.tree.clear()
            self._items = {}
            for name in names:
                knob = self._model.knob(name)
                item = QTreeWidgetItem([knob.label, ""])
                item.setData(0, NAME, name)
                item.setToolTip(0, knob.hint or knob.label)
                item.setIcon(0, _dot(curve_colour(name, tokens())))
                item.setTextAlignment(1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                if name not in line.curves:
                    item.setToolTip(0, self.tr("Imported motion, no keyframes yet"))
                    font = item.font(0)
                    font.setItalic(True)
                    item.setFont(0, font)
                self.tree.addTopLevelItem(item)
                self._items[name] = item
            self._busy = False
            self._show_selection()
        self._show_values()

    def _show_values(self) -> None:
        """Of the rows that are seen: it happens for every frame that is played."""
        room = self.tree.viewport().rect()
        for name, item in self._items.items():
            if not self.tree.visualItemRect(item).intersects(room):
                continue
            words = written(self._model.knob(name), self._model.value(name))
            if item.text(1) != words:
                item.setText(1, words)

    def _show_selection(self) -> None:
        self._busy = True
        for name, item in self._items.items():
            item.setSelected(name in self._model.names)
        self._busy = False

    def _selected(self) -> None:
        if not self._busy:
            chosen = [str(item.data(0, NAME)) for item in self.tree.selectedItems()]
            self._model.edit_curves(chosen)


def _dot(colour: QColor) -> QIcon:
    picture = QPixmap(24, 24)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    painter.drawEllipse(3, 3, 18, 18)
    painter.end()
    made = QIcon(picture)
    made.addPixmap(picture, QIcon.Mode.Selected)  # Qt would tint it
    return made
