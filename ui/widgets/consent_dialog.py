"""Whose face is it, and who allowed it? Asked once for everybody, kept in the project."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from PySide6.QtCore import QCoreApplication, Signal
from PySide6.QtWidgets import QCheckBox, QLineEdit, QPlainTextEdit, QVBoxLayout, QWidget

from studio.project.slug import tidy_name
from ui.widgets.plain import label
from ui.widgets.small_dialog import SmallDialog

LONGEST = 400
"""Letters of a statement that are kept."""


class ConsentField(QWidget):
    """A tick "This is my own face", or a sentence of one's own.

    Attributes:
        changed: another statement.
    """

    changed = Signal()

    def __init__(self, statement: str = "") -> None:
        super().__init__()
        self._mine = self.tr("This is my own face.")
        self.own = QCheckBox(self.tr("This is my own face"))
        self.sentence = QPlainTextEdit()
        self.sentence.setPlaceholderText(
            self.tr("Whose face is it, and how did they allow it? For example: Ada Byron, agreed by e-mail.")
        )
        self.sentence.setAccessibleName(self.tr("Whose face it is and with whose permission"))
        self.sentence.setTabChangesFocus(True)
        self.sentence.setFixedHeight(70)
        self.own.toggled.connect(self._ticked)
        self.sentence.textChanged.connect(self.changed)
        inside = QVBoxLayout(self)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(8)
        inside.addWidget(self.own)
        inside.addWidget(self.sentence)
        self.show_statement(statement)

    @property
    def statement(self) -> str:
        """What is stated; empty while nothing is."""
        if self.own.isChecked():
            return self._mine
        return " ".join(self.sentence.toPlainText().split())[:LONGEST]

    def show_statement(self, statement: str) -> None:
        """Start from a statement made before."""
        self.own.setChecked(statement == self._mine)
        self.sentence.setPlainText("" if self.own.isChecked() else statement)

    def _ticked(self, on: bool) -> None:
        self.sentence.setEnabled(not on)
        self.changed.emit()


class NewSubjectDialog(SmallDialog):
    """Name and consent for a clip. A name that is here already takes the clip in as one more of theirs."""

    def __init__(self, parent: QWidget | None, video: Path, known: Mapping[str, str]) -> None:
        """
        Args:
            parent: the window.
            video: the clip, whose name is shown.
            known: name to statement of everybody who is here.
        """
        super().__init__(parent, _tr("Who is this?"), _tr("Bring in"))
        self._known = known
        self._filled = ""
        self.field = QLineEdit()
        self.field.setPlaceholderText(self.tr("Name"))
        self.field.setMaxLength(80)
        self.field.setAccessibleName(self.tr("Name"))
        self.consent = ConsentField()
        self.hint = label("", "hint", wrap=True)
        clip = label(video.name, "hint")
        clip.setMaximumWidth(420)
        for part in (
            clip,
            label(self.tr("Name"), "heading"),
            self.field,
            label(self.tr("Permission"), "heading"),
            self.consent,
            self.hint,
        ):
            if part.property("role") == "heading":
                self.inside.addSpacing(6)
            self.inside.addWidget(part)
        self.field.textChanged.connect(self._look)
        self.consent.changed.connect(self._look)
        self._look()
        self.field.setFocus()

    @property
    def name(self) -> str:
        """The name, tidied."""
        return tidy_name(self.field.text())

    @property
    def statement(self) -> str:
        """Whose face it is and with whose permission."""
        return self.consent.statement

    def _look(self) -> None:
        from studio.domain.problem import Problem

        name, sentence = "", ""
        if self.field.text().strip():
            try:
                name = self.name
            except Problem as problem:
                sentence = str(problem)
        known = name in self._known
        if known and name != self._filled and not self.consent.statement:
            self._filled = name
            self.consent.show_statement(self._known[name])
        if known:
            sentence = self.tr("{name} is here already: this becomes one more of their clips.").format(
                name=name
            )
        elif not sentence and name and not self.statement:
            sentence = self.tr("Tick the box, or say whose face it is and who allowed it.")
        elif not sentence and not name:
            sentence = self.tr("The name is yours to choose; it can be changed later.")
        self.hint.setText(sentence)
        self.sure.setEnabled(bool(name and self.statement))


class ConsentDialog(SmallDialog):
    """Another statement for somebody who is here."""

    def __init__(self, parent: QWidget | None, name: str, statement: str) -> None:
        super().__init__(parent, _tr("Permission of {name}").format(name=name), _tr("Keep"))
        self.consent = ConsentField(statement)
        self.inside.addWidget(
            label(self.tr("Whose face is this, and with whose permission do you use it?"), "hint", wrap=True)
        )
        self.inside.addWidget(self.consent)
        self.consent.changed.connect(self._look)
        self._look()

    @property
    def statement(self) -> str:
        """Whose face it is and with whose permission."""
        return self.consent.statement

    def _look(self) -> None:
        self.sure.setEnabled(bool(self.statement))


def _tr(text: str) -> str:
    return QCoreApplication.translate("consent", text)
