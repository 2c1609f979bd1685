"""Say what an edit should do, and have it found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QVBoxLayout, QWidget

from studio.domain.problem import Problem
from ui.pages.perform_edits_data import Possible, Way
from ui.session import Session
from ui.widgets.edit_wish import WishForm
from ui.widgets.plain import button, label, row

MAIN: dict[str, tuple[str, ...]] = {
    "styleclip-global": ("neutral", "text", "alpha", "auto_beta", "beta"),
    "styleclip-optimise": ("neutral", "text"),
    "styleclip-mapper": ("neutral", "text"),
    "interfacegan": ("attribute", "keep_pose_and_expression"),
    "ganspace": ("component", "rows"),
}
"""Method to the fields that are seen at once; of others, all are."""
COMMON = ("neutral", "text")
"""Fields that stay when another method is chosen."""


class FindEdit(QWidget):
    """One or several methods for the same thing, each with its form.

    Attributes:
        asked: a :class:`Way` and what is wished of it.
    """

    asked = Signal(object, object)

    def __init__(self, session: Session, ways: Sequence[Way], possible: Possible) -> None:
        super().__init__()
        self._session, self._ways = session, list(ways)
        self.method = QComboBox()
        self.method.setAccessibleName(self.tr("Method"))
        self.method.setToolTip(self.tr("How it is found"))
        examples = {"text": self.tr("with round eyeglasses"), "neutral": self.tr("a person")}
        self.forms: list[WishForm] = []
        for way in self._ways:
            self.method.addItem(way.spec.title, way.spec.id)
            choices = {"attribute": possible.attributes} if possible.attributes else {}
            form = WishForm(way.wish, MAIN.get(way.spec.id, ()), choices, examples)
            form.changed.connect(self._look)
            self.forms.append(form)
        self._summary = label(role="hint", wrap=True)
        self._reason = label(role="warn", wrap=True)
        self._lead = button("", self._go)
        self.begin = button(
            self.tr("Find"), self._ask, tip=self.tr("It is looked for in a job; go on working meanwhile")
        )
        inside = QVBoxLayout(self)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(8)
        self.method.setVisible(len(self._ways) > 1)
        inside.addWidget(self.method)
        inside.addWidget(self._summary)
        inside.addWidget(self._reason)
        inside.addLayout(row(self._lead, None))
        for form in self.forms:
            inside.addWidget(form)
        inside.addLayout(row(self.begin, None))
        self._shown = 0
        self.method.currentIndexChanged.connect(self._choose)
        self._choose(0)

    @property
    def way(self) -> Way:
        """The method that is chosen."""
        return self._ways[self._shown]

    @property
    def form(self) -> WishForm:
        """Its form."""
        return self.forms[self._shown]

    def choose(self, method: str) -> None:
        """Choose a method by its id."""
        self.method.setCurrentIndex(self.method.findData(method))

    def _choose(self, place: int) -> None:
        before, self._shown = self.forms[self._shown], place
        for name in COMMON:
            if before is not self.form and before.text(name):
                self.form.put_text(name, before.text(name))
        for form in self.forms:
            form.setVisible(form is self.form)
        way = self.way
        self._summary.setText(way.spec.summary)
        self._reason.setText(way.missing)
        self._reason.setVisible(bool(way.missing))
        self._lead.setVisible(bool(way.missing))
        self._lead.setText(self.tr("Go to Weights") if way.weights else self.tr("Go to Train"))
        self.form.setEnabled(not way.missing)
        self._look()

    def _look(self) -> None:
        """Whether there is something to look for."""
        empty = "text" in MAIN.get(self.way.spec.id, ()) and not self.form.text("text").strip()
        self.begin.setVisible(not self.way.missing)
        self.begin.setEnabled(not empty)

    def _ask(self) -> None:
        try:
            wish: Any = self.form.wish()
        except ValueError as error:
            problem = Problem(self.tr("A number in the form cannot be read ({why}).").format(why=error))
            self._session.fail(self.tr("The search for an edit did not start"), problem)
            return
        self.asked.emit(self.way, wish)

    def _go(self) -> None:
        if self.way.weights:
            self._session.show_page("settings#weights")
        else:
            self._session.show_page("train")
