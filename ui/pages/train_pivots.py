"""The left half of the Train page: which frames stand for the clip, why, and changing that."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PySide6.QtCore import Signal
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import QFrame, QLabel, QStackedWidget, QVBoxLayout, QWidget

from pipelines.import_job import is_photo
from pipelines.job import JobPlan
from pipelines.pivot_job import PivotChoice, plan_pivots
from studio.domain.pivots import PivotSet, PivotWishes
from studio.domain.sequence import TrackedSequence
from studio.project.pivot_files import load_pivots, load_wishes, save_wishes
from studio.project.sequence_files import load_sequence
from studio.project.store import ClipFolder, SubjectFolder
from ui.bridge.jobs import Job
from ui.pages.train_photo import OnePicture
from ui.session import Session
from ui.theme import GAP
from ui.widgets.empty_state import EmptyState
from ui.widgets.pivot_grid import PivotGrid
from ui.widgets.pivot_plot import PivotPlot
from ui.widgets.pivot_thumbnails import Thumbnails
from ui.widgets.plain import button, card, column, label, row, set_role
from ui.words import pivot_reason, pose

_PICTURE = 96


@dataclass(frozen=True)
class PivotView:
    """What is known of a clip's pivots."""

    choice: PivotChoice
    """What is wanted."""
    sequence: TrackedSequence | None
    """The tracked clip, None before it is tracked."""
    pivots: PivotSet | None
    """What was chosen, None before that."""
    photo: bool = False
    """Whether the clip is a photo, of which nothing can be chosen."""


def read_view(subject: SubjectFolder, clip: ClipFolder) -> PivotView:
    """Look at the disk. Raises Problem when something there is damaged."""
    choice = plan_pivots(subject, clip, load_wishes(clip.path))
    sequence = load_sequence(choice.sequence) if choice.tracked else None
    pivots = load_pivots(choice.folder) if sequence is not None and choice.made else None
    return PivotView(choice, sequence, pivots, is_photo(clip))


class TrainPivots(QWidget):
    """Pivots as points and as thumbnails; what is chosen in one is chosen in the other.

    Attributes:
        wishes_changed: other frames are locked or ruled out now.
        shown: the open clip has been read.
    """

    wishes_changed = Signal()
    shown = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._view: PivotView | None = None
        self._shown: PivotSet | None = None
        self._chosen: int | None = None
        self._job: JobPlan | None = None
        self._clip: Path | None = None
        self._past: set[str] = set()
        self.thumbnails = Thumbnails(session.background, self)
        self.plot, self.grid = PivotPlot(), PivotGrid()
        self.choose_now = EmptyState(
            "train",
            self.tr("Which frames stand for the clip?"),
            self.tr("Pivots are the sharpest frames of each pose and expression. Choosing takes seconds."),
            self.tr("Choose pivots"),
            self.start,
        )
        set_role(self.choose_now.button, "role", "")  # the page's one next step is Build
        self.untracked = EmptyState(
            "capture",
            self.tr("This clip is not tracked yet"),
            self.tr("Track it on the Capture page first; then its frames can be chosen from."),
            self.tr("Go to Capture"),
            lambda: session.show_page("capture"),
        )
        self.forget = button(self.tr("Reset what I locked and ruled out"), self.reset, "flat", "reset")
        self.forget.hide()
        empty = QWidget()
        empty.setLayout(column(self.choose_now, row(None, self.forget, None)))
        self._empty = empty
        self._states = QStackedWidget()
        self.photo = OnePicture(lambda: session.show_page("capture"))
        for state in (self._filled(), empty, self.untracked, self.photo):
            self._states.addWidget(state)
        inside = QVBoxLayout(self)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.addWidget(self._states)
        self.plot.picked.connect(self.choose)
        self.grid.picked.connect(self.choose)
        self.grid.lock_asked.connect(self.lock)
        self.grid.swap_asked.connect(self.swap)
        self.plot.pointed.connect(self._pointed)
        self.grid.pointed.connect(lambda frame: self.plot.choose(self._chosen if frame < 0 else frame))
        self.thumbnails.ready.connect(self._picture_ready)
        # A quick job may be over when it is first seen: its end alone would be missed.
        session.jobs.changed.connect(self._job_changed)

    @property
    def wishes(self) -> PivotWishes:
        """What is locked and ruled out."""
        return PivotWishes() if self._view is None else self._view.choice.wishes

    @property
    def chosen(self) -> int | None:
        """The frame that is chosen, a pivot or not."""
        return self._chosen

    def read(self) -> None:
        """Look at the open clip again."""
        subject, clip = self._session.subject, self._session.clip
        if subject is None or clip is None or self._view is None or clip.path != self._clip:
            self._view = self._shown = self._chosen = None
            self.thumbnails.open(None, None)
        if subject is None or clip is None:
            return
        self._clip = clip.path
        self._session.background.run(self, lambda: read_view(subject, clip), self._read, self._failed)

    def start(self) -> None:
        """Choose pivots, or choose again as wished."""
        view = self._view
        if view is None or view.choice.made:
            return
        choice = view.choice
        self._job = choice.plan
        self.choose_now.button.setEnabled(False)
        self._heading.setText(self.tr("Choosing…"))
        self._session.background.run(self, choice.job, self._session.jobs.start, self._failed)

    def choose(self, frame: int) -> None:
        """Look closer at a frame."""
        self._chosen = frame
        self.plot.choose(frame)
        self.grid.choose(frame if self._is_pivot(frame) else None)
        self.thumbnails.want([frame], hurry=True)
        self._describe()

    def lock(self) -> None:
        """Always take the chosen frame, or no longer."""
        if self._chosen is not None:
            locked = self._chosen in self.wishes.locked
            self.wish(self.wishes.unlock(self._chosen) if locked else self.wishes.lock(self._chosen))

    def swap(self) -> None:
        """Take the next best of its kind instead of the chosen one."""
        if self._chosen is not None and self._is_pivot(self._chosen):
            self.wish(self.wishes.swap(self._chosen))

    def reset(self) -> None:
        """Forget all wishes."""
        self.wish(PivotWishes())

    def wish(self, wishes: PivotWishes) -> None:
        """Other wishes: kept with the clip, and pivots are chosen again unless that was done before."""
        subject, clip = self._session.subject, self._session.clip
        if subject is None or clip is None or wishes == self.wishes:
            return

        def keep() -> PivotView:
            save_wishes(clip.path, wishes)
            return read_view(subject, clip)

        def kept(view: PivotView) -> None:
            self._show(view)
            self.start()
            self.wishes_changed.emit()

        self._session.background.run(self, keep, kept, self._failed)

    def close_page(self) -> None:
        """The window closes."""
        self.thumbnails.forget_wishes()

    # What is shown

    def _filled(self) -> QFrame:
        self._heading = label(role="heading")
        self._undo = button(
            self.tr("Reset"),
            self.reset,
            "flat",
            "reset",
            self.tr("Forget what you locked and ruled out, and choose as the program would"),
        )
        self._picture = QLabel()
        self._picture.setFixedSize(_PICTURE, _PICTURE)
        self._title, self._reason = label(role="heading"), label(role="hint", wrap=True)
        self._lock = button(self.tr("Lock"), self.lock, picture="lock")
        self._swap = button(
            self.tr("Swap"),
            self.swap,
            picture="swap",
            tip=self.tr("Rule this frame out and take the next best of its kind (S)"),
        )
        self.plot.setMinimumHeight(190)
        self.grid.setMinimumHeight(120)
        detail = row(
            self._picture,
            spacing=GAP,
        )
        words = column(
            self._title, self._reason, None, row(self._lock, self._swap, None, spacing=8), spacing=4
        )
        detail.addLayout(words, 1)
        made = card()
        inside = made.layout()
        assert isinstance(inside, QVBoxLayout)
        inside.addLayout(row(self._heading, None, self._undo))
        inside.addWidget(self.plot, 5)
        inside.addLayout(detail)
        inside.addWidget(self.grid, 6)
        return made

    def _read(self, view: PivotView) -> None:
        self._show(view)
        self.shown.emit()

    def _show(self, view: PivotView) -> None:
        self._view = view
        sequence, pivots = view.sequence, view.pivots
        clip = self._session.clip
        if sequence is None or clip is None:
            self._states.setCurrentWidget(self.untracked)
            return
        if view.photo:
            self.photo.show_photo(clip.source, sequence.landmarks[0], self._session)
            self._states.setCurrentWidget(self.photo)
            return
        self.thumbnails.open(clip.source, sequence)
        if pivots is None:
            waiting = self._job is not None and self._job.id == view.choice.plan.id
            self.choose_now.button.setEnabled(not waiting)
            self.forget.setVisible(not waiting and view.choice.wishes != PivotWishes())
            self._undo.setVisible(view.choice.wishes != PivotWishes())
            if self._shown is None:
                self._states.setCurrentWidget(self._empty)
            else:
                self.grid.show_leaving(view.choice.wishes.forbidden)
                if not waiting:
                    self._heading.setText(self.tr("Chosen before your last change"))
            return
        self._states.setCurrentIndex(0)
        self._shown, self._job = pivots, None
        good = np.flatnonzero(sequence.good)
        self.plot.show_frames(good, sequence.motion.angles[good, :2])
        frames = [int(frame) for frame in pivots.frames]
        words = {frame: self._caption(frame, reason) for frame, reason in zip(frames, pivots.reasons)}
        self.plot.show_pivots(frames, view.choice.wishes.locked)
        self.grid.show_frames(frames, view.choice.wishes.locked, words)
        for frame in frames:
            picture = self.thumbnails.picture(frame)
            if picture is not None:
                self.grid.show_picture(frame, picture)
        self.thumbnails.want(frames)
        self._heading.setText(self._summary(len(frames), len(good)))
        self._undo.setVisible(view.choice.wishes != PivotWishes())
        if self._chosen is None or self._chosen not in good:
            self._chosen = frames[0]
        elif self._chosen in view.choice.wishes.forbidden:
            # Where it stood there is another now: the one nearest to it in pose.
            angles = sequence.motion.angles
            away = np.abs(angles[frames, :2] - angles[self._chosen, :2]).sum(1)
            self._chosen = frames[int(away.argmin())]
        self.choose(self._chosen)

    def _summary(self, pivots: int, good: int) -> str:
        wishes = self.wishes
        words = self.tr("{n} of {all} good frames stand for this clip").format(n=pivots, all=good)
        if wishes.locked:
            words += " · " + self.tr("{n} locked").format(n=len(wishes.locked))
        if wishes.forbidden:
            words += " · " + self.tr("{n} ruled out").format(n=len(wishes.forbidden))
        return words

    def _describe(self) -> None:
        frame, view = self._chosen, self._view
        if frame is None or view is None or view.sequence is None or self._shown is None:
            return
        self._title.setText(self.tr("Frame {n}").format(n=frame))
        places = np.flatnonzero(self._shown.frames == frame)
        if len(places):
            self._reason.setText(pivot_reason(self._shown.reasons[int(places[0])]))
        else:
            yaw, pitch, _ = view.sequence.motion.angles[frame]
            self._reason.setText(
                self.tr("Not a pivot ({pose}). Lock it to use it.").format(pose=pose(yaw, pitch))
            )
        locked = frame in self.wishes.locked
        self._lock.setText(self.tr("Unlock") if locked else self.tr("Lock"))
        self._lock.setToolTip(
            self.tr("Leave the choice of this kind of frame to the program again (L)")
            if locked
            else self.tr("Always use this frame; it takes the place of the ones that are like it (L)")
        )
        self._swap.setEnabled(bool(len(places)))
        picture = self.thumbnails.picture(frame)
        self._picture.setPixmap(QPixmap() if picture is None else self._sized(picture))

    def _sized(self, picture: QImage) -> QPixmap:
        shown = QPixmap.fromImage(picture)
        shown.setDevicePixelRatio(shown.width() / _PICTURE)
        return shown

    def _caption(self, frame: int, reason: str = "") -> str:
        words = self.tr("Frame {n}").format(n=frame)
        return f"{words}\n{pivot_reason(reason)}" if reason else words

    def _is_pivot(self, frame: int) -> bool:
        return self._shown is not None and bool(np.isin(frame, self._shown.frames))

    def _pointed(self, frame: int) -> None:
        self.plot.choose(self._chosen)
        if frame >= 0:
            self.thumbnails.want([frame], hurry=True)
            self.plot.show_bubble(frame, self.thumbnails.picture(frame), self._caption(frame))

    def _picture_ready(self, frame: int, picture: QImage) -> None:
        self.grid.show_picture(frame, picture)
        self.plot.show_bubble(frame, picture, self._caption(frame))
        if frame == self._chosen:
            self._picture.setPixmap(self._sized(picture))

    def _job_changed(self, job: Job) -> None:
        asking = self._states.currentWidget() is self._empty
        if not job.status.over:
            steps = [step.id for step in job.plan.steps[: job.status.step]]
            if job.plan.kind == "build" and asking and "pivots" in steps and job.plan.id not in self._past:
                self._past.add(job.plan.id)
                self.read()  # a build has just chosen them
            return
        self._past.discard(job.plan.id)
        if self._job is not None and job.plan.id == self._job.id:
            if job.status.state != "finished":
                self._job = None
            self.choose_now.button.setEnabled(True)
            self.read()
        elif job.plan.kind == "build" and asking:
            self.read()  # a build chooses pivots on its way
        elif job.plan.kind == "import" and self._view is not None and self._view.sequence is None:
            self.read()

    def _failed(self, error: Exception) -> None:
        self._job = None
        self.choose_now.button.setEnabled(True)
        self._session.fail(self.tr("Pivots cannot be shown"), error)
