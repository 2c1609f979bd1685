"""Keeps a timeline on the disk: a moment after every edit, and never an older one over a newer."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QTimer

from studio.domain.timeline import Timeline
from studio.project.timeline_files import load_timeline, save_timeline, set_aside, timeline_folder
from ui.session import Session

SOON = 400
"""Milliseconds after an edit; edits meanwhile are written together."""


@dataclass(frozen=True)
class _Order:
    """Something to be written."""

    number: int
    folder: Path
    timeline: Timeline


class TimelineSaver(QObject):
    """Writes the newest timeline of a folder on a thread, or at once when the window closes.

    Attributes:
        unreadable: what is on the disk could not be read: it is set aside before the next writing.
    """

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._waiting: _Order | None = None
        self._writing: _Order | None = None
        self._count = self._written = 0
        self._lock = threading.Lock()
        self.unreadable = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(SOON)
        self._timer.timeout.connect(self.hurry)

    @property
    def busy(self) -> bool:
        """Whether something is not on the disk yet."""
        return self._writing is not None or self._waiting is not None

    def keep(self, subject: Path, timeline: Timeline) -> None:
        """Write this soon."""
        self._count += 1
        self._waiting = _Order(self._count, timeline_folder(subject), timeline)
        self._timer.start()

    def hurry(self) -> None:
        """Write what waits now, on a thread."""
        self._timer.stop()
        if self._writing is not None or self._waiting is None:
            return
        order, self._writing, self._waiting = self._waiting, self._waiting, None
        work = partial(self._save, order, self.unreadable)
        self.unreadable = False
        self._session.background.run(self, work, self._done, self._failed)

    def flush(self) -> None:
        """Be done when this returns: the window closes, or another subject is opened."""
        self._timer.stop()
        order, self._waiting = self._waiting or self._writing, None
        if order is None:
            return
        aside, self.unreadable = self.unreadable, False
        try:
            self._save(order, aside)
        except Exception as error:
            self._fail(error)

    def _save(self, order: _Order, aside: bool) -> None:
        with self._lock:
            # A thread may come late, and a subject may have been removed meanwhile.
            if order.number <= self._written or not order.folder.parent.parent.is_dir():
                return
            if aside:
                set_aside(order.folder)
            save_timeline(order.folder, order.timeline)
            self._written = order.number

    def _done(self, nothing: None) -> None:
        self._writing = None
        if self._waiting is not None:
            self._timer.start()

    def _failed(self, error: Exception) -> None:
        self._done(None)
        self._fail(error)

    def _fail(self, error: Exception) -> None:
        safe = self.tr("The timeline in this window is whole; it is written again after the next edit.")
        self._session.fail(self.tr("The timeline could not be saved"), error, safe)


def open_timeline(subject: Path) -> Timeline:
    """A subject's timeline from the disk, a new one if there is none. Raises Problem when it is damaged."""
    return load_timeline(timeline_folder(subject)) or Timeline()
