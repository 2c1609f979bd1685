"""How an edit was found: what was wished for, and what there is to know about it."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QGridLayout, QScrollArea, QVBoxLayout, QWidget

from studio.domain.edits import Edit
from ui.theme import GAP
from ui.widgets.edit_wish import field_words, tr
from ui.widgets.plain import button, label, row


def notes_of(edit: Edit) -> list[str]:
    """What its method says should be known, as sentences."""
    notes = edit.found.get("notes") or ([edit.found["note"]] if edit.found.get("note") else [])
    return [str(note) for note in notes] if isinstance(notes, list) else []


def facts_of(edit: Edit, method: str) -> list[tuple[str, str]]:
    """Words and values: the method, what was wished of it where that is not as usual, and strengths."""
    found = [(tr("Method"), method)]
    wish = edit.found.get("wish")
    for name, value in wish.items() if isinstance(wish, dict) else ():
        if value not in ("", None, [], False):
            found.append((field_words(name), _written(value)))
    low, high = (f"{round(100 * value)} %" for value in edit.suggested)
    found.append((tr("Suggested strength"), tr("{low} to {high}").format(low=low, high=high)))
    return found


class EditFacts(QDialog):
    """Shows them; what is written can be copied."""

    def __init__(self, parent: QWidget, edit: Edit, method: str) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("How it was found"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setMinimumSize(460, 320)
        inside = QWidget()
        words = QVBoxLayout(inside)
        words.setContentsMargins(0, 0, GAP, 0)
        words.setSpacing(GAP)
        grid = QGridLayout()
        grid.setHorizontalSpacing(GAP)
        grid.setVerticalSpacing(6)
        grid.setColumnStretch(1, 1)
        for place, (name, value) in enumerate(facts_of(edit, method)):
            grid.addWidget(label(name, "hint"), place, 0, Qt.AlignmentFlag.AlignTop)
            said = label(value, wrap=True)
            said.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            grid.addWidget(said, place, 1)
        for note in notes_of(edit):
            words.addWidget(label(note, wrap=True))
        words.addLayout(grid)
        words.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setWidget(inside)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(2 * GAP, 2 * GAP, 2 * GAP, 2 * GAP)
        whole.setSpacing(GAP)
        whole.addWidget(label(edit.title, "title", wrap=True))
        whole.addWidget(scroll, 1)
        whole.addLayout(row(None, button(self.tr("Close"), self.accept)))


def _written(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return tr("yes") if value is True else str(value)
