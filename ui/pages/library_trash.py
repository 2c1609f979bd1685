"""What was deleted: a bar that undoes the last time, and a list of all that can come back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from PySide6.QtCore import QDateTime, QLocale, Qt
from PySide6.QtWidgets import QDialog, QFrame, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from studio.project.store import TrashEntry
from ui.actions.subjects import SubjectActions
from ui.theme import GAP
from ui.widgets.plain import button, label, line, tool


class UndoBar(QFrame):
    """One sentence and one button, at the foot of the page until the next thing happens."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "card")
        self.words = label()
        self.undo = button(self.tr("Undo"), self._undone, picture="undo", tip=self.tr("Undo (Ctrl+Z)"))
        self._action: Callable[[], object] | None = None
        inside = QHBoxLayout(self)
        inside.setContentsMargins(GAP + 4, 8, 8, 8)
        inside.addWidget(self.words, 1)
        inside.addWidget(self.undo)
        inside.addWidget(tool("close", self.tr("Close"), self.put_away))
        self.hide()

    def offer(self, words: str, undo: Callable[[], object] | None = None) -> None:
        """Say what happened, and how to take it back where that is possible."""
        self._action = undo
        self.words.setText(words)
        self.undo.setVisible(undo is not None)
        self.show()

    def put_away(self) -> None:
        """It is too late, or not wanted."""
        self._action = None
        self.hide()

    def _undone(self) -> None:
        action, self._action = self._action, None
        self.hide()
        if action is not None:
            action()


class TrashDialog(QDialog):
    """Everything that can come back, the latest first."""

    def __init__(self, parent: QWidget, actions: SubjectActions, entries: tuple[TrashEntry, ...]) -> None:
        super().__init__(parent)
        self._actions = actions
        self.setWindowTitle(self.tr("Trash"))
        self.setMinimumSize(520, 380)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.restore = {entry.path: self._button(entry) for entry in entries}
        rows = QVBoxLayout()
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(8)
        for number, entry in enumerate(entries):
            if number:
                rows.addWidget(line())
            rows.addLayout(self._row(entry))
        if not entries:
            rows.addWidget(label(self.tr("The trash is empty."), "hint"))
        rows.addStretch(1)
        held = QWidget()
        held.setLayout(rows)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setWidget(held)
        self.empty = button(
            self.tr("Empty trash…"),
            lambda: actions.ask_empty(self),
            "danger",
            tip=self.tr("Delete everything in it for good"),
        )
        self.empty.setEnabled(bool(entries))
        feet = QHBoxLayout()
        feet.addWidget(self.empty)
        feet.addStretch(1)
        feet.addWidget(button(self.tr("Close"), self.accept))
        inside = QVBoxLayout(self)
        inside.setContentsMargins(2 * GAP, 2 * GAP, 2 * GAP, 2 * GAP)
        inside.setSpacing(GAP)
        inside.addWidget(label(self.tr("Trash"), "title"))
        inside.addWidget(scroll, 1)
        inside.addLayout(feet)

    def _row(self, entry: TrashEntry) -> QHBoxLayout:
        made = QHBoxLayout()
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(label(entry.title, "heading"))
        words.addWidget(label(_when(entry), "hint"))
        made.addLayout(words, 1)
        made.addWidget(self.restore[entry.path])
        return made

    def _button(self, entry: TrashEntry) -> QWidget:
        def restore() -> None:
            self._actions.restore(entry)
            self.accept()

        return button(self.tr("Restore"), restore, picture="undo")


def _when(entry: TrashEntry) -> str:
    """When it was deleted, as the system writes times."""
    try:
        when = datetime.fromisoformat(entry.removed)
    except ValueError:
        return entry.origin
    moment = QDateTime.fromSecsSinceEpoch(round(when.timestamp()))
    return QLocale().toString(moment, QLocale.FormatType.ShortFormat)
