"""Work under way, small, in the bar above every page."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QVBoxLayout, QWidget

from ui.bridge.jobs import Job
from ui.session import Session
from ui.widgets.plain import label, tool
from ui.words import duration

WORDS = 320
"""Pixels that a chip's words may take."""


class JobChips(QWidget):
    """One chip for each job at work; a job that ends takes its chip along."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._chips: dict[Path, JobChip] = {}
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        session.jobs.changed.connect(self._take)

    def _take(self, job: Job) -> None:
        chip = self._chips.get(job.folder)
        if job.status.over:
            if chip is not None:
                self._chips.pop(job.folder).deleteLater()
            return
        if chip is None:
            chip = self._chips[job.folder] = JobChip(self._session, job.folder)
            self._row.addWidget(chip)
        chip.show_job(job)


class JobChip(QWidget):
    """What is being done, how far, and a way to stop it."""

    def __init__(self, session: Session, folder: Path) -> None:
        super().__init__()
        self._words, self._bar = label(role="hint"), QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setFixedWidth(180)
        self._stop = tool(
            "pause", self.tr("Pause: starting it again goes on from here"), lambda: session.jobs.stop(folder)
        )
        words = QVBoxLayout()
        words.setSpacing(3)
        words.addStretch(1)
        words.addWidget(self._words)
        words.addWidget(self._bar)
        words.addStretch(1)
        inside = QHBoxLayout(self)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.addLayout(words)
        inside.addWidget(self._stop)

    def show_job(self, job: Job) -> None:
        """Where it stands now."""
        status = job.status
        what = status.what or (job.plan.steps[0].title if job.plan.steps else job.plan.kind)
        left = "" if status.seconds_left is None else f" · {duration(status.seconds_left)}"
        text = f"{job.plan.subject}: {what[:1].upper()}{what[1:]}{left}"
        self._words.setText(self._words.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, WORDS))
        self._words.setToolTip(text)
        share = job.share
        self._bar.setRange(0, 0 if share is None else 1000)
        if share is not None:
            self._bar.setValue(round(1000 * share))
        self.setAccessibleName(text)
