"""Exports of everybody: those to come in their order, then those that are over, the last one first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QScrollArea, QVBoxLayout, QWidget

from pipelines.export_job import KIND, Export, exports, forget, go_on, pause
from ui.bridge.jobs import Job
from ui.session import Session
from ui.widgets.plain import label, row
from ui.widgets.queue_row import QueueRow

MOST = 40
"""Rows that are shown."""


class QueueList(QWidget):
    """Follows the session's jobs; a row for each export.

    Attributes:
        changed: :attr:`exports` is another list, or one of them ended.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.exports: tuple[Export, ...] = ()
        self.rows: dict[Path, QueueRow] = {}
        self._reading = self._again = False
        self._empty = label(
            self.tr("Nothing has been exported yet. Exports go on when you close the window."),
            "hint",
            wrap=True,
        )
        inside = QWidget()
        self._column = QVBoxLayout(inside)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(8)
        self._column.addWidget(self._empty)
        self._column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setWidget(inside)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(8)
        whole.addLayout(row(label(self.tr("Queue"), "heading"), None))
        whole.addWidget(scroll, 1)
        session.jobs.changed.connect(self._follow)
        session.library_changed.connect(self.read)

    def read(self) -> None:
        """Look which exports there are, on a thread; asked for meanwhile, once more afterwards."""
        if self._reading:
            self._again = True
            return
        self._reading = True
        store = self._session.store
        self._session.background.run(self, lambda: exports(store), self._take, self._failed)

    def _take(self, found: tuple[Export, ...]) -> None:
        self._reading = False
        self.exports = found
        shown = [export for export in found if not export.status.over]
        shown += [export for export in reversed(found) if export.status.over]
        shown = shown[:MOST]
        wanted = {export.job for export in shown}
        for job in [job for job in self.rows if job not in wanted]:
            gone = self.rows.pop(job)
            self._column.removeWidget(gone)
            gone.hide()
            gone.deleteLater()
        for place, export in enumerate(shown):
            made = self.rows.get(export.job)
            if made is None:
                made = self.rows[export.job] = QueueRow(export)
                made.asked.connect(lambda wish, job=export.job: self._do(job, wish))
            else:
                made.show_export(export)
            if self._column.indexOf(made) != place:
                self._column.removeWidget(made)
                self._column.insertWidget(place, made)
        self._empty.setVisible(not shown)
        self.changed.emit()
        if self._again:
            self._again = False
            self.read()

    def _failed(self, error: Exception) -> None:
        self._reading = False
        self._session.fail(self.tr("The list of exports cannot be read"), error)

    def _follow(self, job: Job) -> None:
        if job.plan.kind != KIND:
            return
        row = self.rows.get(job.folder)
        if row is None or row.status.state != job.status.state:
            self.read()  # a new one, or one that ended: its receipt and the order are on the disk
        if row is not None:
            row.show_export(replace(row.export, status=job.status))

    def _do(self, job: Path, wish: str) -> None:
        jobs = self._session.jobs
        try:
            if wish == "pause":
                pause(job)
            elif wish == "cancel":
                jobs.cancel(job)
            elif wish == "forget":
                self._session.background.run(self, lambda: forget(job), lambda _: self.read())
            else:
                go_on(job)
                if wish == "again":
                    jobs.start(job)
        except Exception as error:
            self._session.fail(self.tr("The export could not be changed"), error)
        jobs.look()
