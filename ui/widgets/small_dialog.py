"""Dialogs that ask one thing."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from studio.domain.problem import Problem
from ui.theme import GAP
from ui.widgets.plain import button, label


class SmallDialog(QDialog):
    """A title, what is asked, Cancel and one button that is ready when the answers are."""

    def __init__(self, parent: QWidget | None, title: str, sure: str) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setMinimumWidth(460)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.inside = QVBoxLayout()
        self.inside.setSpacing(8)
        self.sure = button(sure, self.accept, "primary")
        self.sure.setDefault(True)
        cancel = button(self.tr("Cancel"), self.reject)
        feet = QHBoxLayout()
        feet.addStretch(1)
        feet.addWidget(cancel)
        feet.addWidget(self.sure)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(2 * GAP, 2 * GAP, 2 * GAP, 2 * GAP)
        whole.setSpacing(GAP)
        whole.addWidget(label(title, "title"))
        whole.addLayout(self.inside)
        whole.addSpacing(4)
        whole.addLayout(feet)


class NameDialog(SmallDialog):
    """Asks for a name and says below the field why one cannot be taken."""

    def __init__(
        self,
        parent: QWidget | None,
        title: str,
        name: str,
        sure: str,
        tidy: Callable[[str], str],
        longest: int = 80,
    ) -> None:
        """
        Args:
            parent: the window.
            title: what gets the name.
            name: what stands in the field at first.
            sure: words of the button.
            tidy: text to name as it is kept; raises Problem with the reason for what cannot be a name. Never
                asked about an empty text.
            longest: letters that may be typed.
        """
        super().__init__(parent, title, sure)
        self._tidy = tidy
        self.field = QLineEdit(name)
        self.field.setMaxLength(longest)
        self.field.setAccessibleName(self.tr("Name"))
        self.hint = label("", "warn", wrap=True)
        self.inside.addWidget(self.field)
        self.inside.addWidget(self.hint)
        self.field.textChanged.connect(self._look)
        self._look()
        self.field.selectAll()
        self.field.setFocus()

    @property
    def name(self) -> str:
        """The name as it is kept; empty while there is none."""
        try:
            return self._tidy(self.field.text()) if self.field.text().strip() else ""
        except Problem:
            return ""

    def _look(self) -> None:
        words = ""
        if not self.field.text().strip():
            words = self.tr("A name is needed: type at least one letter.")
        else:
            try:
                self._tidy(self.field.text())
            except Problem as problem:
                words = str(problem)
        self.hint.setText(words)
        self.sure.setEnabled(not words)
