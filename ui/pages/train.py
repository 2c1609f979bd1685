"""Choose pivots, build avatars, and watch them learn."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QStackedWidget, QVBoxLayout, QWidget

from ui.bridge.jobs import Job
from ui.pages.page import Page
from ui.pages.train_avatars import TrainAvatars
from ui.pages.train_build import TrainBuild
from ui.pages.train_pivots import TrainPivots
from ui.session import Session
from ui.theme import GAP
from ui.widgets.empty_state import EmptyState
from ui.widgets.job_card import JobCard
from ui.widgets.plain import label

EVERY = 700
"""Milliseconds between two looks into the events of builds at work."""
_DONE = ("finished", "cancelled")


class TrainPage(Page):
    """Pivots at the left; builds at work, engines and finished avatars at the right."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.pivots, self.build, self.avatars = (
            TrainPivots(session),
            TrainBuild(session),
            TrainAvatars(session),
        )
        self.cards: dict[Path, JobCard] = {}
        self._at_work = QWidget()
        self._jobs = QVBoxLayout(self._at_work)
        self._jobs.setContentsMargins(0, 0, 0, 0)
        self._jobs.setSpacing(GAP)
        self._at_work.hide()
        right = QWidget()
        column = QVBoxLayout(right)
        column.setContentsMargins(0, 0, 8, 0)
        column.setSpacing(2 * GAP)
        column.addWidget(self._at_work)
        column.addWidget(self.build)
        column.addWidget(self.avatars)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidget(right)
        scroll.setWidgetResizable(True)
        self._whole = QWidget()
        halves = QHBoxLayout(self._whole)
        halves.setContentsMargins(0, 0, 0, 0)
        halves.setSpacing(2 * GAP)
        halves.addWidget(self.pivots, 1)
        halves.addWidget(scroll, 1)
        self._states = QStackedWidget()
        self._states.addWidget(self._whole)
        self._states.addWidget(
            EmptyState(
                "film",
                self.tr("No clip yet"),
                self.tr("Bring in a clip of this person first; its frames are what avatars are built from."),
                self.tr("Go to Library"),
                lambda: session.show_page("library"),
            )
        )
        inside = QVBoxLayout(self)
        inside.setContentsMargins(2 * GAP, 2 * GAP, 2 * GAP - 8, 2 * GAP)
        inside.setSpacing(GAP)
        inside.addWidget(label(self.tr("Train"), "title"))
        inside.addWidget(self._states, 1)
        self._timer = QTimer(self)
        self._timer.setInterval(EVERY)
        self._timer.timeout.connect(self._look)
        self._here = False
        self.pivots.wishes_changed.connect(lambda: self.build.read(self.pivots.wishes))
        self.pivots.shown.connect(lambda: self.build.read(self.pivots.wishes))
        session.jobs.changed.connect(self._job_changed)
        session.clip_changed.connect(self._read)
        session.library_changed.connect(self._library_changed)

    def enter(self) -> None:
        """It is shown now."""
        self._here = True
        self._timer.start()
        self._read()

    def leave(self) -> None:
        """It is hidden now."""
        self._here = False
        self._timer.stop()

    def close_page(self) -> None:
        """The window closes."""
        self.leave()
        self.pivots.close_page()

    def _read(self) -> None:
        if not self._here:
            return
        self._states.setCurrentIndex(0 if self.session.clip is not None else 1)
        self.pivots.read()
        self.avatars.read()
        self._fill_jobs()

    def _library_changed(self) -> None:
        if self._here:
            self.avatars.read()
            self.build.read(self.pivots.wishes)

    def _fill_jobs(self) -> None:
        jobs = {job.folder: job for job in self.session.jobs.jobs() if self._belongs(job)}
        for folder in [folder for folder in self.cards if folder not in jobs]:
            self._remove(folder)
        for job in jobs.values():
            self._job_changed(job)

    def _belongs(self, job: Job) -> bool:
        subject = self.session.subject
        return (
            subject is not None
            and job.plan.kind == "build"
            and job.folder.parent.parent == subject.path
            and job.status.state not in _DONE
        )

    def _job_changed(self, job: Job) -> None:
        card = self.cards.get(job.folder)
        if not self._belongs(job):
            if card is not None:
                self._remove(job.folder)
        elif card is not None:
            card.show_job(job)
        elif self._here:
            self.cards[job.folder] = made = JobCard(self.session, job)
            self._jobs.insertWidget(0, made)
            self._at_work.show()

    def _remove(self, folder: Path) -> None:
        gone = self.cards.pop(folder)
        gone.hide()
        gone.deleteLater()
        self._at_work.setVisible(bool(self.cards))

    def _look(self) -> None:
        for card in self.cards.values():
            if not card.job.status.over:
                card.look()
