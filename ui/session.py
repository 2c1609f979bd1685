"""What is open in the window: one home, one subject, one clip, one avatar."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from studio.domain.avatar import Avatar
from studio.domain.problem import Problem
from studio.project.store import ClipFolder, Store, SubjectFolder
from ui.bridge.background import Background
from ui.bridge.edit_book import EditBook
from ui.bridge.garbage import Garbage
from ui.bridge.jobs import Job, JobBoard
from ui.preferences import Preferences

if TYPE_CHECKING:
    from pipelines.first_avatar import Why
    from studio.domain.timeline import Timeline
    from ui.bridge.edit_faces import EditFaces
    from ui.bridge.live import Live


@dataclass(frozen=True)
class Failure:
    """What the banner shows."""

    what: str
    """What failed, in a few words."""
    reason: str
    """One sentence: what is wrong and what to do."""
    safe: str = ""
    """What is not lost."""
    report: str = ""
    """Everything a developer would ask for; copied by a button."""
    about: str = ""
    """What it is about, as :attr:`Session.mended` names it; empty for what only a person puts away."""


class Session(QObject):
    """The window's state. Pages read it, change it through its methods, and listen to its signals.

    Attributes:
        subject_changed, clip_changed, avatar_changed, timeline_changed: another one is open (or none).
        library_changed: subjects, clips or avatars came or went.
        failed: a :class:`Failure` for the banner.
        mended: what a failure was about is well again, or is tried anew: its message is out of date.
        said: a sentence for the foot of the window.
        asked_for: id of a page that should be shown, with ``#`` and the name of a part where one is meant.
    """

    subject_changed = Signal()
    clip_changed = Signal()
    avatar_changed = Signal()
    timeline_changed = Signal()
    library_changed = Signal()
    failed = Signal(object)
    mended = Signal(str)
    said = Signal(str)
    asked_for = Signal(str)

    def __init__(self, store: Store, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.store = store
        self.preferences = Preferences(store.home, self)
        self._garbage = Garbage(self)
        self.background = Background(self)
        self.background.defect.connect(lambda error: self.fail(self.tr("Something went wrong"), error))
        self.jobs = JobBoard(store, self.background, self)
        self.jobs.changed.connect(self._job_changed)
        self.jobs.ended.connect(self._job_ended)
        self.jobs.too_late.connect(lambda job: self.said.emit(self.tr("It had finished already.")))
        self.jobs.unseen.connect(
            lambda error: self.fail(self.tr("The work under way cannot be seen"), error, about="jobs")
        )
        self.jobs.seen.connect(lambda: self.mended.emit("jobs"))
        self.jobs.refused.connect(lambda error: self.fail(self.tr("The work did not start"), error))
        self.subject: SubjectFolder | None = None
        self.clip: ClipFolder | None = None
        self.avatar: Avatar | None = None
        self.why: Why = "only"
        """Why this avatar is shown and no other."""
        self.timeline: Timeline | None = None
        self._live: Live | None = None
        self._faces: EditFaces | None = None
        self.edits = EditBook(self)

    @property
    def live(self) -> Live:
        """The live picture; its worker starts when it is first asked for."""
        if self._live is None:
            from ui.bridge.live import Live

            self._live = Live(self)
        return self._live

    @property
    def faces(self) -> EditFaces:
        """Small pictures of the avatar with its edits; their worker starts when the first is wished."""
        if self._faces is None:
            from ui.bridge.edit_faces import EditFaces

            self._faces = EditFaces(self)
        return self._faces

    def open_subject(self, subject: SubjectFolder | None) -> None:
        """Open a subject with their newest clip, and the avatar that was chosen last or else the best; None
        closes it."""
        self.subject = subject
        self.clip = self.avatar = self.timeline = None
        if subject is not None:
            self.preferences.keep("subject", subject.path.name)
            self._choose()
        self.subject_changed.emit()
        self.clip_changed.emit()
        self.avatar_changed.emit()
        self.timeline_changed.emit()

    def open_clip(self, clip: ClipFolder | None) -> None:
        """Another clip of the subject."""
        self.clip = clip
        self.clip_changed.emit()

    def open_avatar(self, avatar: Avatar | None, why: Why = "chosen") -> None:
        """Another avatar of the subject, remembered as theirs; its edits are read on a thread."""
        self.avatar, self.why = self.edits.dressed(avatar), why
        if avatar is not None and self.subject is not None:
            self.preferences.keep(_avatar_of(self.subject), avatar.folder.name)
        self.avatar_changed.emit()

    def open_timeline(self, timeline: Timeline | None) -> None:
        """What the timeline page edits and the export page writes."""
        self.timeline = timeline
        self.timeline_changed.emit()

    def refresh(self) -> None:
        """Look at the disk again: something came or went. What is open stays open where it still exists."""
        if self.subject is not None:
            if not self.subject.path.is_dir():
                self.open_subject(None)
            else:
                had = (self.clip and self.clip.path, self.avatar and self.avatar.folder)
                self._choose()
                if had[0] != (self.clip and self.clip.path):
                    self.clip_changed.emit()
                if had[1] != (self.avatar and self.avatar.folder):
                    self.avatar_changed.emit()
                self.edits.look()
        self.library_changed.emit()

    def fail(self, what: str, error: Exception, safe: str = "", about: str = "") -> None:
        """Show an error in the banner: a Problem in its own words, anything else as our defect."""
        if isinstance(error, Problem):
            self.failed.emit(Failure(what, str(error), safe, about=about))
            return
        report = "".join(traceback.format_exception(error))
        reason = self.tr("This is a fault of the program: {error}. Copy the report for its developers.")
        words = reason.format(error=f"{type(error).__name__}: {error}")
        self.failed.emit(Failure(what, words, safe, report, about))

    def show_page(self, page: str) -> None:
        """Ask the window for another page."""
        self.asked_for.emit(page)

    def close(self) -> None:
        """Let go of threads and the live worker; jobs go on."""
        self.jobs.close()
        self.edits.close()
        for drawing in (self._live, self._faces):
            if drawing is not None:
                drawing.close()
        self._live = self._faces = None
        self.background.close()
        self.edits.write_the_rest()
        self._garbage.close()
        self.jobs.start_the_rest()
        self.preferences.save()

    def _choose(self) -> None:
        """Keep clip and avatar where they still exist, else the newest clip and the avatar to begin with."""
        from pipelines.build_job import avatars
        from pipelines.first_avatar import first_avatar

        assert self.subject is not None
        try:
            clips = self.subject.clips()
            self.mended.emit("clips")
        except Problem as problem:
            self.fail(self.tr("A clip cannot be read"), problem, about="clips")
            clips = ()
        paths = {clip.path: clip for clip in clips}
        self.clip = paths.get(self.clip.path) if self.clip else None
        self.clip = self.clip or (clips[-1] if clips else None)
        here = {avatar.folder: avatar for avatar in avatars(self.subject)}
        self.avatar = self.edits.dressed(here.get(self.avatar.folder)) if self.avatar else None
        if self.avatar is None:
            first = first_avatar(here.values(), self.preferences.text(_avatar_of(self.subject)))
            if first is not None:
                self.avatar, self.why = first.avatar, first.why

    def _job_changed(self, job: Job) -> None:
        if not job.status.over:
            self.mended.emit(str(job.folder))

    def _job_ended(self, job: Job) -> None:
        status = job.status
        if status.state in ("failed", "crashed"):
            log = _tail(job.folder / "log.txt")
            title = job.plan.steps[min(status.step, len(job.plan.steps) - 1)].title
            what = self.tr("{title} failed").format(title=title)
            safe = self.tr("Your clips and everything finished before are safe.")
            report = f"{status.message}\n\n{log}"
            self.failed.emit(Failure(what, status.message, safe, report, str(job.folder)))
        self.refresh()


def _avatar_of(subject: SubjectFolder) -> str:
    """Under which name somebody's avatar is remembered."""
    return f"avatar.{subject.path.name}"


def _tail(file: Path, most: int = 20000) -> str:
    """The end of a log."""
    try:
        with file.open("rb") as opened:
            opened.seek(max(0, file.stat().st_size - most))
            return opened.read().decode("utf-8", "replace")
    except OSError:
        return ""
