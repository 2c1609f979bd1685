"""The one place where failures land: what failed, what is safe, what to do, and a report to copy."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from ui.session import Failure
from ui.theme import GAP, icon, tokens
from ui.widgets.plain import button, label, tool


class Banner(QFrame):
    """Hidden while all is well. A newer failure takes the place of an older one, which stays countable.

    Attributes:
        shown: whether there is something to show, whenever that changes.
    """

    shown = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self.setAccessibleName(self.tr("Problem"))
        self._failures: list[Failure] = []
        self._sign = QLabel()
        self._what, self._reason = label(role="heading"), label(wrap=True)
        self._safe = label(role="hint", wrap=True)
        for part in (self._what, self._reason, self._safe):
            part.setTextInteractionFlags(part.textInteractionFlags().TextSelectableByMouse)
        self._copy = button(self.tr("Copy report"), self._copy_report, picture="copy")
        self._close = tool("close", self.tr("Close this message (Esc)"), self.dismiss)
        words = QVBoxLayout()
        words.setSpacing(2)
        for part in (self._what, self._reason, self._safe):
            words.addWidget(part)
        inside = QHBoxLayout(self)
        inside.setContentsMargins(GAP, GAP - 2, GAP, GAP - 2)
        inside.setSpacing(GAP)
        inside.addWidget(self._sign)
        inside.addLayout(words, 1)
        inside.addWidget(self._copy)
        inside.addWidget(self._close)
        self.hide()

    @property
    def failure(self) -> Failure | None:
        """The one shown."""
        return self._failures[-1] if self._failures else None

    def show_failure(self, failure: Failure) -> None:
        """Show one; one that is shown already is not shown twice."""
        if failure in self._failures:
            self._failures.remove(failure)
        self._failures.append(failure)
        self._fill()

    def dismiss(self) -> None:
        """Put the one shown away; an older one comes back."""
        if self._failures:
            self._failures.pop()
        self._fill()

    def mend(self, about: str) -> None:
        """Put away what is out of date: whatever failed there is well again, or is tried anew."""
        kept = [failure for failure in self._failures if not about or failure.about != about]
        if len(kept) != len(self._failures):
            self._failures = kept
            self._fill()

    def _fill(self) -> None:
        failure = self.failure
        self.setVisible(failure is not None)
        self.shown.emit(failure is not None)
        if failure is None:
            return
        self._sign.setPixmap(icon("warning", tokens().bad).pixmap(24, 24))
        more = len(self._failures) - 1
        extra = self.tr(" (and {n} more)").format(n=more) if more else ""
        self._what.setText(failure.what + extra)
        self._reason.setText(failure.reason)
        self._safe.setText(failure.safe)
        self._safe.setVisible(bool(failure.safe))
        self._copy.setVisible(bool(failure.report))
        self._copy.setText(self.tr("Copy report"))

    def _copy_report(self) -> None:
        failure = self.failure
        if failure is not None:
            QGuiApplication.clipboard().setText(f"{failure.what}\n{failure.reason}\n\n{failure.report}")
            self._copy.setText(self.tr("Copied"))
