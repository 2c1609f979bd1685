"""The stack of edits as rows: the first is applied first."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QPoint, Signal
from PySide6.QtGui import QAction, QImage
from PySide6.QtWidgets import QVBoxLayout, QWidget

from studio.domain.edits import Edit, EditStack
from ui.controls_model import ControlsModel
from ui.widgets.edit_row import EditRow


class EditList(QWidget):
    """Rows in the stack's order; asks for what hands want done with an edit, by its name.

    Attributes:
        titled: name and the title typed.
        switched: name and whether it should show.
        moved: name and the place where it should be, 0 first.
        asked: name and ``remove``, ``bake`` or ``facts``.
    """

    titled = Signal(str, str)
    switched = Signal(str, bool)
    moved = Signal(str, int)
    asked = Signal(str, str)

    def __init__(self, model: ControlsModel) -> None:
        super().__init__()
        self._model = model
        self._stack = EditStack()
        self._bakeable: set[str] = set()
        self.rows: dict[str, EditRow] = {}
        self._order: list[str] = []
        self._dragging = False
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        model.value_changed.connect(self._show_value)
        model.sheet_changed.connect(self.take_controls)

    @property
    def names(self) -> list[str]:
        """From the top."""
        return list(self._order)

    @property
    def keys(self) -> list[QWidget]:
        """Where the keyboard goes, in order."""
        return [part for name in self._order for part in self.rows[name].keys]

    def show_stack(self, stack: EditStack) -> None:
        """These edits in this order; rows that are there stay, and whoever writes in one goes on."""
        self._stack = stack
        wanted = [edit.name for edit in stack.edits]
        for name in [name for name in self.rows if name not in wanted]:
            gone = self.rows.pop(name)
            self._column.removeWidget(gone)
            gone.hide()
            gone.deleteLater()
        for edit in stack.edits:
            row = self.rows.get(edit.name)
            if row is None:
                self.rows[edit.name] = self._row(edit)
            else:
                row.show_edit(edit)
        self._arrange(wanted)
        for name, row in self.rows.items():
            row.offer(self._actions(name))

    def offer_baking(self, names: set[str]) -> None:
        """Which edits can be baked into a copy of the avatar."""
        if names != self._bakeable:
            self._bakeable = names
            for name, row in self.rows.items():
                row.offer(self._actions(name))

    def take_controls(self) -> None:
        """Other controls: rows whose edit the avatar knows get their slider."""
        for row in self.rows.values():
            row.take_control()

    def show_picture(self, name: str, picture: QImage) -> None:
        """The face with this edit has come."""
        if name in self.rows:
            self.rows[name].face.show_picture(picture)

    def _row(self, edit: Edit) -> EditRow:
        name = edit.name
        made = EditRow(self._model, edit)
        made.titled.connect(partial(self.titled.emit, name))
        made.switched.connect(partial(self.switched.emit, name))
        made.asked.connect(partial(self._ask, name))
        made.dragged.connect(partial(self._drag, name))
        made.dropped.connect(partial(self._drop, name))
        return made

    def _arrange(self, names: list[str]) -> None:
        for place, name in enumerate(names):
            row = self.rows[name]
            if self._column.indexOf(row) != place:
                self._column.removeWidget(row)
                self._column.insertWidget(place, row)
        self._order = list(names)

    def _actions(self, name: str) -> list[QAction]:
        """What can be done with an edit where it stands."""
        row, place = self.rows[name], self._order.index(name)
        ways = (
            (self.tr("Rename"), "F2", row.title.edit, True),
            (self.tr("Move up"), "Alt+Up", partial(self._ask, name, "up"), place > 0),
            (
                self.tr("Move down"),
                "Alt+Down",
                partial(self._ask, name, "down"),
                place + 1 < len(self._order),
            ),
            (self.tr("How it was found"), "", partial(self._ask, name, "facts"), True),
            (self.tr("Bake into a copy"), "", partial(self._ask, name, "bake"), name in self._bakeable),
            (self.tr("Remove"), "Ctrl+Delete", partial(self._ask, name, "remove"), True),
        )
        found = []
        for words, keys, act, possible in ways:
            if keys == "" and not possible:
                continue
            made = QAction(f"{words}\t{keys}", row)
            made.setEnabled(possible)
            made.triggered.connect(lambda checked=False, act=act: act())
            found.append(made)
        return found

    def _ask(self, name: str, wish: str) -> None:
        place = self._order.index(name)
        if wish == "up" and place > 0:
            self.moved.emit(name, place - 1)
        elif wish == "down" and place + 1 < len(self._order):
            self.moved.emit(name, place + 1)
        elif wish not in ("up", "down"):
            self.asked.emit(name, wish)

    def _drag(self, name: str, height: int) -> None:
        """A row follows the hand: it changes places with its neighbour when it is over its middle."""
        self._dragging = True
        y = self.mapFromGlobal(QPoint(0, height)).y()
        others = [other for other in self._order if other != name]
        place = sum(self.rows[other].geometry().center().y() < y for other in others)
        names = [*others[:place], name, *others[place:]]
        if names != self._order:
            self._arrange(names)
            self._column.activate()

    def _drop(self, name: str) -> None:
        if not self._dragging:
            return
        self._dragging = False
        before = [edit.name for edit in self._stack.edits]
        if name in before and self._order.index(name) != before.index(name):
            self.moved.emit(name, self._order.index(name))

    def _show_value(self, name: str, value: float) -> None:
        for row in self.rows.values():
            if row.edit.control_name == name:
                row.show_value(value)
