"""Say what an edit should do, and have it found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QSpinBox, QVBoxLayout, QWidget

from studio.domain.problem import Problem
from ui.pages.perform_edits_data import Possible, Way
from ui.pages.perform_edits_sheet import LatentSheetView
from ui.session import Session
from ui.widgets.edit_wish import WishForm
from ui.widgets.plain import button, label, row

MAIN: dict[str, tuple[str, ...]] = {
    "styleclip-global": ("neutral", "text", "alpha", "auto_beta", "beta"),
    "styleclip-optimise": ("neutral", "text"),
    "styleclip-mapper": ("neutral", "text"),
    "interfacegan": ("attribute", "neutral", "text", "keep_pose_and_expression"),
    "ganspace": ("component", "rows"),
    "recolour": ("region", "to"),
    "relight": ("light", "direction", "ambient"),
    "direction-file": ("path", "entry", "component", "rows"),
}
"""Method to the fields that are seen at once; of others, all are."""
COMMON = ("neutral", "text")
"""Fields that stay when another method is chosen."""
BY_WORDS, BY_THUMBS = ":words", ":thumbs"
"""Stand for an attribute where words or judged samples say what is meant."""


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
        self.forms: list[WishForm] = []
        self.sheets: dict[str, LatentSheetView] = {}
        for way in self._ways:
            self.method.addItem(way.spec.title, way.spec.id)
            self.forms.append(self._form(way, possible))
        self._summary = label(role="hint", wrap=True)
        self._reason = label(role="warn", wrap=True)
        self._lead = button("", self._go)
        self.begin = button(
            self.tr("Find"),
            self._ask,
            "primary",
            tip=self.tr("It is looked for in a job; go on working meanwhile"),
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
        for sheet in self.sheets.values():
            inside.addWidget(sheet)
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

    def _form(self, way: Way, possible: Possible) -> WishForm:
        method = way.spec.id
        examples = {"text": self.tr("with round eyeglasses"), "neutral": self.tr("a person")}
        choices: dict[str, list[tuple[str, str]]] = {}
        if method == "interfacegan":
            own = [(BY_WORDS, self.tr("What words say")), (BY_THUMBS, self.tr("What I like on samples"))]
            choices["attribute"] = [*possible.attributes, *own]
        form = WishForm(way.wish, MAIN.get(method, ()), choices, examples)
        form.changed.connect(self._look)
        if method == "interfacegan":
            for name in ("likes", "dislikes", "judged"):
                form.show_field(name, False)
            self.sheets[method] = LatentSheetView(self._session, "samples")
            self.sheets[method].sheet.judged.connect(self._look)
        elif method == "ganspace":
            sheet = self.sheets[method] = LatentSheetView(self._session, "components")
            part = form.parts["component"]
            assert isinstance(part, QSpinBox)
            sheet.sheet.picked.connect(lambda row: part.setValue(row + 1))
            part.valueChanged.connect(lambda number: sheet.sheet.choose(number - 1))
        return form

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

    def _about(self) -> str:
        """What an attribute's form is about."""
        part = self.form.parts.get("attribute")
        return str(part.currentData()) if isinstance(part, QComboBox) else ""

    def _look(self) -> None:
        """Whether there is something to look for, and what is said about it."""
        if not hasattr(self, "begin"):
            return
        method, about = self.way.spec.id, self._about()
        if about:
            for name in COMMON:
                self.form.show_field(name, about == BY_WORDS)
        sheet = self.sheets.get(method)
        for each in self.sheets.values():
            each.setVisible(each is sheet and not self.way.missing and about in ("", BY_THUMBS))
        if sheet is not None and not sheet.isHidden():
            sheet.enter()
        ready = True
        if "text" in MAIN.get(method, ()) and about in ("", BY_WORDS):
            ready = bool(self.form.text("text").strip())
        elif about == BY_THUMBS and sheet is not None:
            ready = min(len(sheet.sheet.likes), len(sheet.sheet.dislikes)) >= FEWEST
        elif "path" in self.form.parts:
            ready = bool(self.form.text("path").strip())
        self.begin.setVisible(not self.way.missing)
        self.begin.setEnabled(ready)

    def _ask(self) -> None:
        try:
            wish: Any = self.form.wish()
        except ValueError as error:
            problem = Problem(self.tr("A number in the form cannot be read ({why}).").format(why=error))
            self._session.fail(self.tr("The search for an edit did not start"), problem)
            return
        about = self._about()
        if about == BY_THUMBS:
            sheet = self.sheets[self.way.spec.id].sheet
            wish = replace(wish, attribute="", text="", likes=sheet.likes, dislikes=sheet.dislikes)
        elif about == BY_WORDS:
            wish = replace(wish, attribute="")
        elif about:
            wish = replace(wish, text="")
        self.asked.emit(self.way, wish)

    def _go(self) -> None:
        if self.way.weights:
            self._session.show_page("settings#weights")
        else:
            self._session.show_page("train")


FEWEST = 5
"""Samples that must be liked, and not liked."""
