"""Pictures of everybody, kept ones at once and new ones one after the other."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from studio.project.store import SubjectFolder
from ui.session import Session


class Pictures(QObject):
    """Reads and makes them on a thread.

    Attributes:
        ready: (folder of the subject, QImage).
        failed: (folder of the subject, the error).
    """

    ready = Signal(object, object)
    failed = Signal(object, object)

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._background = session.background
        self._seen: dict[Path, object] = {}
        self._queue: dict[Path, SubjectFolder] = {}
        self._busy = False

    def want(self, subject: SubjectFolder, state: object, kept: Path | None) -> None:
        """Have somebody's picture made again unless that was done for this state.

        Args:
            subject: who.
            state: compares equal as long as their picture cannot have changed.
            kept: an older picture to show meanwhile.
        """
        path = subject.path
        if self._seen.get(path) == state:
            return
        self._seen[path] = state
        if kept is not None:
            self._background.run(self, lambda: _read(kept), lambda image: self._tell(path, image))
        self._queue[path] = subject
        self._next()

    def forget(self, path: Path) -> None:
        """They are gone."""
        self._seen.pop(path, None)
        self._queue.pop(path, None)

    def _next(self) -> None:
        """One at a time: there are other things to do in the background."""
        if self._busy or not self._queue:
            return
        self._busy = True
        path = next(iter(self._queue))
        subject = self._queue.pop(path)
        ticket = self._background.run(
            self,
            lambda: _make(subject),
            lambda image: self._tell(path, image),
            lambda error: self.failed.emit(path, error),
        )
        ticket.ended.connect(self._ended)

    def _ended(self) -> None:
        self._busy = False
        self._next()

    def _tell(self, path: Path, image: QImage) -> None:
        if not image.isNull():
            self.ready.emit(path, image)


def _read(file: Path) -> QImage:
    return QImage(str(file))


def _make(subject: SubjectFolder) -> QImage:
    from pipelines.thumbnail import thumbnail

    file = thumbnail(subject)
    return QImage() if file is None else _read(file)
