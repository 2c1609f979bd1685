"""What works on this machine: the doctor's report, asked in a process of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from studio.assets import manifest
from ui.session import Session
from ui.theme import GAP, icon, tokens
from ui.widgets.plain import Role, button, card, label, line, set_role

if TYPE_CHECKING:
    from studio.domain.progress import Progress

SIGNS: dict[str, tuple[str, Role]] = {
    "ok": ("check", "good"),
    "note": ("warning", "warn"),
    "bad": ("close", "bad"),
}
"""A finding's state to its sign and colour."""


@dataclass(frozen=True)
class Found:
    """A device, as the report tells it."""

    kind: str
    """cuda, mps or cpu."""
    title: str
    """Its name."""
    memory: float
    """Bytes in all."""
    free: float
    """Bytes not in use when it was asked."""


@dataclass(frozen=True)
class Report:
    """The doctor's words."""

    ready: bool
    """Whether the main path works."""
    verdict: str
    """One line."""
    findings: tuple[dict[str, str], ...]
    """topic, state, detail, advice."""
    devices: tuple[Found, ...]
    """The fastest first."""

    @property
    def text(self) -> str:
        """All of it, to be copied."""
        lines = [self.verdict, ""]
        for f in self.findings:
            lines.append(f"{f['state']:<5}{f['topic']}: {f['detail']}")
            if f["advice"]:
                lines.append(f"     {f['advice']}")
        return "\n".join(lines)


class Health(QObject):
    """Asks once, and again when told to.

    Attributes:
        asked: it is being looked.
        found: a :class:`Report`.
        ended: it is over, whatever became of it.
    """

    asked = Signal()
    found = Signal(object)
    ended = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self.report: Report | None = None
        self.busy = False

    def ask(self) -> None:
        """Look now, unless that is under way."""
        if self.busy:
            return
        self.busy = True
        home = str(self._session.store.home)

        def work(progress: Progress) -> Report:
            from pipelines.apart import run_apart

            answer = run_apart("pipelines.doctor", ["--json", "--home", home], progress)
            if answer.status not in (0, 2) or not answer.text:
                raise RuntimeError(f"the doctor ended with status {answer.status}\n{answer.error[-4000:]}")
            return read_report(answer.text)

        ticket = self._session.background.run(self, work, self._take, self._failed, progress=True)
        ticket.ended.connect(self._over)
        self.asked.emit()

    def _take(self, report: Report) -> None:
        self.report = report
        self.found.emit(report)

    def _failed(self, error: Exception) -> None:
        self._session.fail(self.tr("The machine could not be looked at"), error)

    def _over(self) -> None:
        self.busy = False
        self.ended.emit()


def read_report(text: str) -> Report:
    """From the doctor's JSON; raises ValueError or KeyError when it is something else."""
    content = json.loads(text)
    devices = tuple(Found(**device) for device in content["devices"])
    return Report(content["ready"], content["verdict"], tuple(content["findings"]), devices)


class HealthPanel(QWidget):
    """The report as a list: what is well, what is off, what to do."""

    def __init__(self, health: Health) -> None:
        super().__init__()
        self._health = health
        self.verdict = label(self.tr("Looking at this machine…"), "heading", wrap=True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setRange(0, 0)
        self.again = button(self.tr("Look again"), health.ask, picture="reset")
        self.copy = button(self.tr("Copy report"), self._copy, picture="copy")
        self.copy.setEnabled(False)
        top = QHBoxLayout()
        top.setSpacing(GAP)
        top.addWidget(self.verdict, 1)
        top.addWidget(self.copy)
        top.addWidget(self.again)
        self._list = card()
        self._rest = label(
            self.tr("Files of weights, all of them optional, have a tab of their own."), "hint"
        )
        self._rest.hide()
        self._rows: QWidget | None = None
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        held = QWidget()
        holder = QVBoxLayout(held)
        holder.setContentsMargins(0, 0, 0, 0)
        holder.setSpacing(GAP)
        holder.addWidget(self._list)
        holder.addWidget(self._rest)
        holder.addStretch(1)
        scroll.setWidget(held)
        inside = QVBoxLayout(self)
        inside.setContentsMargins(0, GAP, 0, 0)
        inside.setSpacing(GAP)
        inside.addLayout(top)
        inside.addWidget(self.bar)
        inside.addWidget(scroll, 1)
        self._list.hide()
        health.asked.connect(self._asked)
        health.found.connect(self._show)
        health.ended.connect(self._ended)

    def _asked(self) -> None:
        self.bar.show()
        self.again.setEnabled(False)

    def _ended(self) -> None:
        self.bar.hide()
        self.again.setEnabled(True)
        if self._health.report is None:
            self.verdict.setText(self.tr("Nothing is known yet: look again."))

    def _show(self, report: Report) -> None:
        self.verdict.setText(report.verdict)
        set_role(self.verdict, "role", "heading")
        self.copy.setEnabled(True)
        self.copy.setText(self.tr("Copy report"))
        rows = _rows([f for f in report.findings if f["topic"] not in manifest()])
        inside = self._list.layout()
        assert inside is not None
        if self._rows is not None:
            inside.removeWidget(self._rows)
            self._rows.deleteLater()
        self._rows = rows
        inside.addWidget(rows)
        self._list.show()
        self._rest.show()

    def _copy(self) -> None:
        if self._health.report is not None:
            QGuiApplication.clipboard().setText(self._health.report.text)
            self.copy.setText(self.tr("Copied"))


class Sign(QLabel):
    """A small sign in a colour of the theme."""

    def __init__(self, picture: str, role: Role, name: str) -> None:
        super().__init__()
        self._picture, self._role = picture, role
        self.setAccessibleName(name)
        self.setFixedWidth(24)
        self._draw()

    def changeEvent(self, event: object) -> None:
        """Qt's door for changes of the theme."""
        super().changeEvent(event)  # type: ignore[arg-type]
        if hasattr(self, "_picture"):
            self._draw()

    def _draw(self) -> None:
        self.setPixmap(icon(self._picture, str(getattr(tokens(), self._role))).pixmap(18, 18))


def _rows(findings: list[dict[str, str]]) -> QWidget:
    """What needs doing first, then the rest in the doctor's order."""
    made = QWidget()
    grid = QGridLayout(made)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setHorizontalSpacing(GAP)
    grid.setVerticalSpacing(8)
    grid.setColumnStretch(2, 1)
    order = {"bad": 0, "note": 1, "ok": 2}
    ordered = sorted(findings, key=lambda f: order.get(f["state"], 1))
    row = 0
    for number, finding in enumerate(ordered):
        if number and (finding["state"] == "ok") != (ordered[number - 1]["state"] == "ok"):
            grid.addWidget(line(), row, 0, 1, 3)
            row += 1
        picture, role = SIGNS.get(finding["state"], SIGNS["note"])
        top = Qt.AlignmentFlag.AlignTop
        grid.addWidget(Sign(picture, role, finding["state"]), row, 0, top)
        topic = label(finding["topic"])
        topic.setMinimumWidth(150)
        grid.addWidget(topic, row, 1, top)
        detail = label(finding["detail"], "hint", wrap=True)
        words = [detail]
        if finding["advice"]:
            words.append(label(finding["advice"], wrap=True))
        column = QVBoxLayout()
        column.setSpacing(2)
        for part in words:
            part.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            column.addWidget(part)
        grid.addLayout(column, row, 2)
        row += 1
    return made
