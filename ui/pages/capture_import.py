"""Clips that are dropped or chosen: copied in on a thread, then tracked by a job."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from pathlib import Path

from PySide6.QtCore import QMimeData, QObject, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from pipelines.import_job import Import, import_clip
from studio.domain.progress import Progress
from studio.project.store import SubjectFolder
from ui.bridge.background import Ticket
from ui.session import Session

ENDINGS = "*.mp4 *.mov *.m4v *.mkv *.webm *.avi *.3gp *.mts *.mpg *.mpeg *.wmv *.gif"


class ClipImports(QObject):
    """Brings clips into the open subject, one after the other.

    Attributes:
        copying: (megabytes done, in all or -1) of the clip that is being copied.
        brought: the Import of a clip that is in; its tracking has been started.
        idle: nothing is left to copy.
    """

    copying = Signal(int, int)
    brought = Signal(object)
    idle = Signal()

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._waiting: deque[tuple[SubjectFolder, Path]] = deque()
        self._ticket: Ticket | None = None

    @property
    def busy(self) -> bool:
        """Whether a clip is being copied."""
        return self._ticket is not None

    def add(self, files: Iterable[Path]) -> None:
        """Bring these into the open subject."""
        subject = self._session.subject
        if subject is not None:
            self._waiting.extend((subject, file) for file in files)
            self._next()

    def cancel(self) -> None:
        """Give up what is being copied, and what waits."""
        self._waiting.clear()
        if self._ticket is not None:
            self._ticket.cancel()

    def _next(self) -> None:
        if self._ticket is not None:
            return
        if not self._waiting:
            self.idle.emit()
            return
        subject, file = self._waiting.popleft()

        def work(progress: Progress) -> Import:
            return import_clip(self._session.store, subject.name, file, progress=progress)

        def fail(error: Exception) -> None:
            what = self.tr("{name} was not brought in").format(name=file.name)
            self._session.fail(what, error, self.tr("Your other clips are as they were."))

        self._ticket = self._session.background.run(self, work, self._done, fail, progress=True)
        self._ticket.progressed.connect(lambda done, total, _: self.copying.emit(done, total))
        self._ticket.ended.connect(self._ended)
        self.copying.emit(0, -1)

    def _done(self, done: Import) -> None:
        if done.job is None:
            self._session.said.emit(
                self.tr("{clip} is here already, tracked.").format(clip=done.clip.clip.title)
            )
        else:
            what, safe = self.tr("The face was not tracked"), self.tr("The clip is in the project.")
            self._session.jobs.start(done.job, lambda error: self._session.fail(what, error, safe))
        for warning in done.warnings:
            self._session.said.emit(warning)
        self.brought.emit(done)

    def _ended(self) -> None:
        self._ticket = None
        self._next()


def files_in(data: QMimeData) -> list[Path]:
    """The files that something dragged stands for; folders and addresses elsewhere are none."""
    paths = [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
    return [path for path in paths if path.is_file()]


def ask_for_clips(parent: QWidget, folder: str) -> list[Path]:
    """Files that the user chooses in a dialog; empty when they change their mind."""
    chosen, _ = QFileDialog.getOpenFileNames(
        parent,
        parent.tr("Choose clips"),
        folder,
        parent.tr("Videos ({endings});;All files (*)").format(endings=ENDINGS),
    )
    return [Path(name) for name in chosen]
