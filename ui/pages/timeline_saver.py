"""Keeps a timeline on the disk: a moment after every edit, one writing after the other."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QTimer

from studio.domain.timeline import Timeline
from studio.project.timeline_files import load_timeline, save_timeline, set_aside, timeline_folder
from ui.session import Session

SOON = 400
"""Milliseconds after an edit; edits meanwhile are written together."""


class TimelineSaver(QObject):
    """Writes the newest timeline of one folder at a time, on a thread.

    Attributes:
        unreadable: what is on the disk could not be read: it is set aside before the next writing.
    """

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._waiting: tuple[Path, Timeline] | None = None
        self._writing = False
        self.unreadable = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(SOON)
        self._timer.timeout.connect(self._write)

    @property
    def busy(self) -> bool:
        """Whether something is not on the disk yet."""
        return self._writing or self._waiting is not None

    def keep(self, subject: Path, timeline: Timeline) -> None:
        """Write this soon."""
        folder = timeline_folder(subject)
        if self._waiting is not None and self._waiting[0] != folder:
            self.flush()
        self._waiting = (folder, timeline)
        self._timer.start()

    def flush(self) -> None:
        """Write now, and be done when this returns: the window closes, or another subject is opened."""
        self._timer.stop()
        waiting, self._waiting = self._waiting, None
        if waiting is None or not waiting[0].parent.parent.is_dir():  # the subject was removed meanwhile
            return
        try:
            self._make_room(waiting[0])
            save_timeline(*waiting)
        except Exception as error:
            self._fail(error)

    def _write(self) -> None:
        if self._writing or self._waiting is None:
            return
        (folder, timeline), self._waiting = self._waiting, None
        if not folder.parent.parent.is_dir():
            return
        self._writing = True
        try:
            self._make_room(folder)
        except Exception as error:
            self._failed(error)
            return
        work = partial(save_timeline, folder, timeline)
        self._session.background.run(self, work, self._written, self._failed)

    def _make_room(self, folder: Path) -> None:
        if self.unreadable:
            set_aside(folder)
            self.unreadable = False

    def _written(self, nothing: None) -> None:
        self._writing = False
        if self._waiting is not None:
            self._timer.start()

    def _failed(self, error: Exception) -> None:
        self._writing = False
        self._fail(error)

    def _fail(self, error: Exception) -> None:
        safe = self.tr("The timeline in this window is whole; it is written again after the next edit.")
        self._session.fail(self.tr("The timeline could not be saved"), error, safe)


def open_timeline(subject: Path) -> Timeline:
    """A subject's timeline from the disk, a new one if there is none. Raises Problem when it is damaged."""
    return load_timeline(timeline_folder(subject)) or Timeline()
