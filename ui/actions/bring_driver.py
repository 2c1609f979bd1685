"""Bring in a clip that only drives: copied, tracked, then handed on; nothing stays of a wrong file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from studio.project.store import ClipFolder, Store
from ui.actions.video_files import ask_for_videos
from ui.bridge.background import Ticket
from ui.bridge.jobs import Job
from ui.session import Session

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from pipelines.import_job import Import
    from studio.domain.progress import Progress

PATIENCE = 20.0
"""Seconds that a worker may take to end before what it left is cleared."""


@dataclass(frozen=True)
class DrivingClip:
    """A clip that was tracked."""

    title: str
    """Its name, and whose it is."""
    video: Path
    """The film."""
    sequence: Path
    """Folder of its newest tracked sequence."""


def driving_clips(store: Store) -> list[DrivingClip]:
    """Clips of everybody and clips that only drive, as far as they were tracked."""
    from pipelines.import_job import is_photo, newest_sequence

    found: list[tuple[str, ClipFolder]] = []
    for subject in store.subjects().subjects:
        found += [(f"{clip.clip.title} · {subject.name}", clip) for clip in subject.clips()]
    if (store.home / "driving").is_dir():
        found += [(clip.clip.title, clip) for clip in store.driving.clips()]
    moving = [(title, clip) for title, clip in found if not is_photo(clip)]
    tracked = [(title, clip, newest_sequence(clip)) for title, clip in moving]
    return [DrivingClip(title, clip.source, made) for title, clip, made in tracked if made is not None]


class BringDriver(QObject):
    """One clip at a time, for a dialog or a page that wants its motion.

    It belongs to the session, because it clears up after a dialog that is gone.

    Attributes:
        moved: (done, total or -1, what) of the copy, then of the tracking.
        ready: a :class:`DrivingClip`.
        failed: an error; what the job said about itself stands in the banner already.
        gave_up: the job ended without a result.
    """

    moved = Signal(int, int, str)
    ready = Signal(object)
    failed = Signal(object)
    gave_up = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._closed = False
        self._ticket: Ticket | None = None
        self._new: Import | None = None
        session.jobs.changed.connect(self._follow)
        session.jobs.ended.connect(self._ended)

    def ask(self, parent: QWidget, chosen: Callable[[Path], object]) -> None:
        """Let somebody choose a video."""
        title = self.tr("Choose a video")
        ask_for_videos(parent, self._session.preferences, lambda files: chosen(files[0]), title)

    def do(self, video: Path) -> None:
        """Copy it in and have it tracked."""
        store = self._session.store

        def work(progress: Progress) -> Import:
            from pipelines.import_job import import_driver

            return import_driver(store, video, progress)

        ticket = self._session.background.run(self, work, self._copied, self.failed.emit, progress=True)
        ticket.progressed.connect(self.moved)
        self._ticket = ticket
        ticket.ended.connect(self._copy_ended)

    def cancel(self) -> None:
        """Nobody waits any more: what came in goes again."""
        if self._ticket is not None:
            self._ticket.cancel()
        if self._new is not None and self._new.job is not None:
            self._session.jobs.cancel(self._new.job)

    def close(self) -> None:
        """Whoever asked is gone: give up what is under way, clear it and go too."""
        self._closed = True
        self.cancel()
        self._leave()

    def _leave(self) -> None:
        if self._closed and self._new is None:
            self.deleteLater()

    def _copy_ended(self) -> None:
        self._ticket = None

    def _copied(self, done: Import) -> None:
        for warning in done.warnings:
            self._session.said.emit(warning)
        if done.job is None:
            self._hand_on(done)
            return
        self._new = done
        if self._closed:
            self._clear()
            return
        self._session.jobs.start(done.job, self._not_started)

    def _hand_on(self, done: Import) -> None:
        self.ready.emit(DrivingClip(done.clip.clip.title, done.clip.source, done.sequence))

    def _not_started(self, error: Exception) -> None:
        self._clear()
        self.failed.emit(error)

    def _follow(self, job: Job) -> None:
        if self._new is not None and job.folder == self._new.job and not job.status.over:
            share, words = job.share, self.tr("Finding the face in every frame")
            self.moved.emit(round(100 * (share or 0.0)), -1 if share is None else 100, words)

    def _ended(self, job: Job) -> None:
        done = self._new
        if done is None or job.folder != done.job:
            return
        if job.status.state == "finished":
            self._new = None
            self._hand_on(done)
        elif job.status.state == "stopped":
            self._new = None  # choosing the file again goes on
            self.gave_up.emit()
        else:
            self._clear()
            self.gave_up.emit()
        self._leave()

    def _clear(self) -> None:
        done, self._new = self._new, None
        if done is not None:
            self._session.background.run(self._session, partial(done.undo, PATIENCE), lambda _: None)
        self._leave()
