"""Bring a clip in: ask for a name and for consent, copy it, start its tracking."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from ui.bridge.background import Ticket
from ui.session import Session

if TYPE_CHECKING:
    from pipelines.import_job import Import
    from studio.domain.progress import Progress
    from ui.widgets.consent_dialog import NewSubjectDialog

SAMPLE = "Sample"
"""Name of the subject that the bundled sample becomes."""
ENDINGS = "*.mp4 *.mov *.m4v *.mkv *.webm *.avi *.3gp *.mts *.m2ts *.mpg *.mpeg *.wmv *.hevc"


@dataclass(eq=False)
class Incoming:
    """A clip on its way in, until its tracking is a job."""

    name: str
    """Whose."""
    ticket: Ticket
    """Its progress; cancelling it leaves the project as it was."""
    share: float | None = None
    """0..1, None while unknown."""
    what: str = ""
    """What is being done."""


class BringIn(QObject):
    """All imports of a window.

    Attributes:
        began, moved, ended: an :class:`Incoming`.
        arrived: the :class:`~studio.project.store.SubjectFolder` whose clip is in and being tracked.
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
        """Let somebody choose a clip, then ask whose it is; with a name it is theirs."""
        title = self.tr("Choose a phone video of a face")
        kinds = self.tr("Videos ({endings});;All files (*)").format(endings=ENDINGS)
        chosen, _ = QFileDialog.getOpenFileName(parent, title, self._last_folder(), kinds)
        if not chosen:
            return
        self._session.preferences.keep("clip folder", str(Path(chosen).parent))
        if name:
            self.do(name, Path(chosen), "")
        else:
            self.ask_name(parent, Path(chosen))

    def ask_name(self, parent: QWidget, video: Path) -> NewSubjectDialog:
        """Ask whose clip this is and with whose permission; the window goes on meanwhile."""
        from ui.widgets.consent_dialog import NewSubjectDialog

        known = {subject.name: subject.consent for subject in self._session.store.subjects().subjects}
        dialog = NewSubjectDialog(parent, video, known)
        dialog.accepted.connect(lambda: self.do(dialog.name, video, dialog.statement))
        dialog.open()
        return dialog

    def do(self, name: str, video: Path, consent: str) -> Incoming:
        """Import a clip of somebody, who is made if new. An empty consent leaves theirs as it is."""
        store = self._session.store

        def work(progress: Progress) -> Import:
            from pipelines.import_job import import_clip

            return import_clip(store, name, video, progress=progress, consent=consent)

        return self._start(name, work)

    def do_sample(self) -> Incoming:
        """Make the bundled sample in a process of its own, and import it."""
        store = self._session.store

        def work(progress: Progress) -> Import:
            from pipelines.import_job import import_clip
            from pipelines.sample_apart import CONSENT, make_sample_apart

            clip = make_sample_apart(store.home, progress)
            return import_clip(store, SAMPLE, clip, progress=progress, consent=CONSENT)

        return self._start(SAMPLE, work)

    def _start(self, name: str, work: object) -> Incoming:
        def done(result: Import) -> None:
            self._arrived(result)

        def failed(error: Exception) -> None:
            safe = self.tr("Nothing was changed.")
            self._session.fail(self.tr("The clip was not brought in"), error, safe)

        ticket = self._session.background.run(self, work, done, failed, progress=True)  # type: ignore[arg-type]
        incoming = Incoming(name, ticket)
        self.incoming.append(incoming)

        def moved(count: int, total: int, what: str) -> None:
            incoming.share = min(1.0, count / total) if total > 0 else None
            incoming.what = what
            self.moved.emit(incoming)

        def ended() -> None:
            self.incoming.remove(incoming)
            self.ended.emit(incoming)

        ticket.progressed.connect(moved)
        ticket.ended.connect(ended)
        self.began.emit(incoming)
        return incoming

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
        self.arrived.emit(result.subject)

    def _last_folder(self) -> str:
        kept = self._session.preferences.text("clip folder")
        return kept if kept and Path(kept).is_dir() else str(Path.home())
