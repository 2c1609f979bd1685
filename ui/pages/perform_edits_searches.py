"""Edits that are being looked for or baked: a row for each job of the open avatar."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QVBoxLayout, QWidget

from pipelines.bake_job import KIND as BAKING
from pipelines.bake_job import bake_job
from pipelines.edit_job import KIND, edit_job
from studio.domain.problem import Problem
from ui.bridge.jobs import Job
from ui.session import Session
from ui.widgets.edit_search import EditSearch
from ui.words import tr


class EditSearches(QWidget):
    """Starts jobs and follows them, whoever started them. What they find is in the stack when they end."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.rows: dict[Path, EditSearch] = {}
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        session.jobs.changed.connect(self._follow)
        session.avatar_changed.connect(self._fill)
        self._fill()

    def begin(self, method: str, wish: Any) -> None:
        """Look for an edit of the open avatar, in a job."""
        session = self._session
        subject, avatar = session.subject, session.avatar
        if subject is None or avatar is None:
            return
        work = partial(edit_job, subject, avatar, method, wish)
        session.background.run(
            self, work, partial(session.jobs.start, failed=self._not_started), self._not_started
        )

    def bake(self, names: tuple[str, ...] = ()) -> None:
        """Bake edits into a copy of the open avatar, in a job: all that show, or those named."""
        session = self._session
        subject, avatar = session.subject, session.avatar
        if subject is not None and avatar is not None:
            work = partial(bake_job, subject, avatar, names)
            start = partial(session.jobs.start, failed=self._not_baked)
            session.background.run(self, work, start, self._not_baked)

    def _not_baked(self, error: Exception) -> None:
        safe = self.tr("The avatar is as it was.")
        self._session.fail(self.tr("The edits were not baked"), error, safe)

    def _not_started(self, error: Exception) -> None:
        safe = self.tr("The avatar is as it was.")
        self._session.fail(self.tr("The search for an edit did not start"), error, safe)

    def _fill(self) -> None:
        for folder in [folder for folder, row in self.rows.items() if not self._mine(row.job)]:
            self._remove(folder)
        for job in self._session.jobs.jobs():
            self._follow(job)

    def _mine(self, job: Job) -> bool:
        """Whether it works on edits of the open avatar."""
        avatar = self._session.avatar
        if job.plan.kind not in (KIND, BAKING) or avatar is None:
            return False
        return job.folder.parents[1] / job.plan.steps[0].inputs["avatar"] == avatar.folder

    def _follow(self, job: Job) -> None:
        if not self._mine(job):
            return
        if job.status.state in ("finished", "cancelled"):
            self._remove(job.folder)
            return
        row = self.rows.get(job.folder)
        if row is None:
            row = self.rows[job.folder] = EditSearch(job, search_words(job))
            row.asked.connect(partial(self._do, job.folder))
            self._column.addWidget(row)
        row.show_job(job)

    def _remove(self, job: Path) -> None:
        row = self.rows.pop(job, None)
        if row is not None:
            self._column.removeWidget(row)
            row.hide()
            row.deleteLater()

    def _do(self, job: Path, wish: str) -> None:
        jobs = self._session.jobs
        try:
            if wish == "stop":
                jobs.stop(job)
            elif wish == "go_on":
                jobs.start(job, self._not_started)
            elif wish == "cancel":
                jobs.cancel(job)
            else:
                jobs.forget(job)
                self._remove(job)
                self._session.mended.emit(str(job))
        except Problem as problem:
            self._session.fail(self.tr("The search could not be changed"), problem)
        jobs.look()


def search_words(job: Job) -> str:
    """What is looked for, as a person has asked for it."""
    if job.plan.kind == BAKING:
        return job.plan.steps[0].title
    settings = job.plan.steps[0].settings
    wish = settings.get("wish") or {}
    words = settings.get("title") or wish.get("title") or wish.get("text")
    if words:
        return str(words)
    if wish.get("attribute"):
        from studio.editing.attributes import ATTRIBUTES

        known = ATTRIBUTES.get(wish["attribute"])
        return wish["attribute"] if known is None else known.title
    if wish.get("component") and not wish.get("path"):
        return tr("Component {n}").format(n=wish["component"])
    if wish.get("path"):
        return Path(str(wish["path"])).name
    return job.plan.title.partition(": ")[2] or job.plan.title
