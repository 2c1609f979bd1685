"""Bring clips in: ask for a name and for consent, copy them, start their tracking."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from ui.actions.video_files import ask_for_videos
from ui.bridge.background import Ticket
from ui.session import Session

if TYPE_CHECKING:
    from pipelines.import_job import Import
    from studio.domain.progress import Progress
    from ui.widgets.consent_dialog import NewSubjectDialog

SAMPLE = "Sample"
"""Name of the subject that the bundled sample becomes."""
FAILED = "bring in"
"""What a failure of bringing in is about; the next clip that comes in takes its message away."""


@dataclass(eq=False)
class Incoming:
    """A clip on its way in, until its tracking is a job."""

    name: str
    """Whose."""
    title: str
    """What the clip is called."""
    work: Callable[[Progress], Import]
    """What brings it in, on a thread."""
    ticket: Ticket | None = None
    """Its progress; None while it waits for another clip of the same person."""
    share: float | None = None
    """0..1, None while unknown."""
    what: str = ""
    """What is being done."""


class BringIn(QObject):
    """Clips that a page brings in; those of one person one after the other.

    Attributes:
        began, moved, ended: an :class:`Incoming`.
        arrived: the :class:`~pipelines.import_job.Import` of a clip that is in and being tracked.
    """

    began = Signal(object)
    moved = Signal(object)
    ended = Signal(object)
    arrived = Signal(object)

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self.incoming: list[Incoming] = []

    def ask(self, parent: QWidget, name: str = "") -> None:
        """Let somebody choose a clip, then ask whose it is; with a name, clips that are theirs."""

        def chosen(files: list[Path]) -> None:
            if name:
                self.add(name, files)
            else:
                self.ask_name(parent, files[0])

        title = self.tr("Choose a phone video or a photo of a face")
        ask_for_videos(parent, self._session.preferences, chosen, title, several=bool(name), photos=True)

    def ask_name(self, parent: QWidget, video: Path) -> NewSubjectDialog:
        """Ask whose clip this is and with whose permission; the window goes on meanwhile."""
        from ui.widgets.consent_dialog import NewSubjectDialog

        known = {subject.name: subject.consent for subject in self._session.store.subjects().subjects}
        dialog = NewSubjectDialog(parent, video, known)
        dialog.accepted.connect(lambda: self.do(dialog.name, video, dialog.statement))
        dialog.open()
        return dialog

    def add(self, name: str, files: list[Path]) -> None:
        """Import clips of somebody who is here."""
        for file in files:
            self.do(name, file, "")

    def do(self, name: str, video: Path, consent: str) -> Incoming:
        """Import a clip of somebody, who is made if new. An empty consent leaves theirs as it is."""
        store = self._session.store

        def work(progress: Progress) -> Import:
            from pipelines.import_job import import_clip

            return import_clip(store, name, video, progress=progress, consent=consent)

        return self._take(Incoming(name, video.name, work))

    def do_sample(self) -> Incoming:
        """Make the bundled sample in a process of its own, and import it."""
        store = self._session.store

        def work(progress: Progress) -> Import:
            from pipelines.import_job import import_clip
            from pipelines.sample_apart import CONSENT, make_sample_apart

            clip = make_sample_apart(store.home, progress)
            return import_clip(store, SAMPLE, clip, progress=progress, consent=CONSENT)

        return self._take(Incoming(SAMPLE, self.tr("The sample"), work))

    def cancel(self, incoming: Incoming) -> None:
        """Give one up; the project stays as it was."""
        if incoming.ticket is not None:
            incoming.ticket.cancel()
        elif incoming in self.incoming:
            self._ended(incoming)

    def cancel_all(self) -> None:
        """Give up what is being copied, and what waits."""
        for incoming in reversed(self.incoming.copy()):
            self.cancel(incoming)

    def _take(self, incoming: Incoming) -> Incoming:
        self._session.mended.emit(FAILED)  # what went wrong last time is not what is looked at now
        self.incoming.append(incoming)
        self.began.emit(incoming)
        self._next(incoming.name)
        return incoming

    def _next(self, name: str) -> None:
        theirs = [one for one in self.incoming if one.name == name]
        if theirs and theirs[0].ticket is None:
            self._start(theirs[0])

    def _start(self, incoming: Incoming) -> None:
        def failed(error: Exception) -> None:
            what = self.tr("{clip} was not brought in").format(clip=incoming.title)
            self._session.fail(what, error, self.tr("Nothing was changed."), about=FAILED)

        background = self._session.background
        ticket = background.run(self, incoming.work, self._arrived, failed, progress=True)
        incoming.ticket = ticket

        def moved(count: int, total: int, what: str) -> None:
            incoming.share = min(1.0, count / total) if total > 0 else None
            incoming.what = what
            self.moved.emit(incoming)

        ticket.progressed.connect(moved)
        ticket.ended.connect(partial(self._ended, incoming))

    def _ended(self, incoming: Incoming) -> None:
        self.incoming.remove(incoming)
        self.ended.emit(incoming)
        self._next(incoming.name)

    def _not_tracked(self, error: Exception) -> None:
        what, safe = self.tr("The face was not tracked"), self.tr("The clip is in the project.")
        self._session.fail(what, error, safe)

    def _arrived(self, result: Import) -> None:
        for warning in result.warnings:
            self._session.said.emit(warning)
        if result.job is not None:
            self._session.jobs.start(result.job, self._not_tracked)
        elif not result.new_clip:
            self._session.said.emit(
                self.tr("This clip of {name} was here already.").format(name=result.subject.name)
            )
        self._session.refresh()
        self.arrived.emit(result)
