"""A sheet of what the open avatar's generator can do: drawn by a job, kept, and chosen from."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtGui import QImage
from PySide6.QtWidgets import QProgressBar, QVBoxLayout, QWidget

from pipelines.job import read_job, read_status
from pipelines.latent_sheet_job import KIND, LatentSheet, Shows, latent_sheet_job, read_sheet
from studio.domain.avatar import Avatar
from studio.project.store import SubjectFolder
from ui.bridge.jobs import Job
from ui.session import Session
from ui.widgets.edit_sheet import EditSheet
from ui.widgets.plain import button, label, row


class LatentSheetView(QWidget):
    """A button while there is no sheet; then the sheet."""

    def __init__(self, session: Session, shows: Shows) -> None:
        super().__init__()
        self._session, self._shows = session, shows
        self._job: Path | None = None
        self._of: Path | None = None
        self.sheet = EditSheet(shows == "components")
        words = self.tr("Show the components") if shows == "components" else self.tr("Show samples")
        tip = self.tr("Draws pictures with this person’s generator; takes a minute, once")
        self.draw = button(words, self._draw, tip=tip)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setRange(0, 0)
        self.bar.setAccessibleName(self.tr("Progress"))
        self.hint = label(role="hint", wrap=True)
        inside = QVBoxLayout(self)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(8)
        inside.addLayout(row(self.draw, None))
        inside.addWidget(self.bar)
        inside.addWidget(self.hint)
        inside.addWidget(self.sheet)
        self.bar.hide()
        self.sheet.hide()
        self.hint.hide()
        session.jobs.changed.connect(self._follow)
        self.sheet.judged.connect(self._say)

    def enter(self) -> None:
        """Look whether the open avatar has a sheet already."""
        session = self._session
        subject, avatar = session.subject, session.avatar
        if subject is None or avatar is None or avatar.folder == self._of:
            return
        self._of, self._job = avatar.folder, None
        self.sheet.hide()
        self.hint.hide()
        self.draw.show()
        work = partial(_there, subject, avatar, self._shows)
        session.background.run(self, work, partial(self._take, avatar.folder))

    def _draw(self) -> None:
        session = self._session
        subject, avatar = session.subject, session.avatar
        if subject is None or avatar is None:
            return
        self.draw.setEnabled(False)
        work = partial(latent_sheet_job, subject, avatar, self._shows)
        session.background.run(self, work, self._start, self._not_started)

    def _start(self, job: Path) -> None:
        self._job = job
        self.bar.show()
        self._session.jobs.start(job, self._not_started)

    def _not_started(self, error: Exception) -> None:
        self._over()
        self._session.fail(self.tr("The pictures cannot be drawn"), error)

    def _follow(self, job: Job) -> None:
        if job.folder != self._job or not job.status.over:
            return
        self._over()
        if job.status.state == "finished" and self._of is not None:
            work = partial(_read, job.folder)
            self._session.background.run(self, work, partial(self._take, self._of), self._not_started)

    def _over(self) -> None:
        self.bar.hide()
        self.draw.setEnabled(True)

    def _take(self, of: Path, found: tuple[QImage, LatentSheet] | None) -> None:
        if found is None or of != self._of:
            return
        picture, sheet = found
        self.sheet.show_sheet(picture, sheet.rows)
        self.sheet.show()
        self.draw.hide()
        self._say()

    def _say(self) -> None:
        """How many are judged."""
        if self._shows == "samples":
            words = self.tr("{likes} liked, {dislikes} not: five of each are needed at least.")
            counts = {"likes": len(self.sheet.likes), "dislikes": len(self.sheet.dislikes)}
            self.hint.setText(words.format(**counts))
            self.hint.show()


def _there(subject: SubjectFolder, avatar: Avatar, shows: Shows) -> tuple[QImage, LatentSheet] | None:
    """A sheet that was drawn before, if there is one."""
    for job in subject.jobs():
        if not job.name.startswith(f"{KIND}-") or read_status(job).state != "finished":
            continue
        found = _read(job)
        if found[1].shows == shows and _avatar_of(job) == avatar.folder:
            return found
    return None


def _avatar_of(job: Path) -> Path:
    return job.parents[1] / read_job(job).steps[0].inputs["avatar"]


def _read(job: Path) -> tuple[QImage, LatentSheet]:
    sheet = read_sheet(job)
    return QImage(str(sheet.picture)), sheet
