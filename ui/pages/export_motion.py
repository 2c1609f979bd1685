"""What is exported: the timeline, another clip's motion, or the pose as it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QProgressBar,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from pipelines.retarget_motion import RetargetSettings
from pipelines.timeline_evaluation import evaluate_timeline
from studio.domain.avatar import Avatar
from studio.domain.controls import ControlSheet, ControlState, ControlTrack
from studio.domain.timeline import Timeline
from studio.live import LiveHandle
from studio.project.store import SubjectFolder
from studio.project.timeline_files import load_timeline, timeline_folder
from ui.actions.bring_driver import BringDriver, DrivingClip, driving_clips
from ui.session import Session
from ui.theme import GAP
from ui.widgets.expression_space import ExpressionSpaceChoice
from ui.widgets.plain import button, label, row

STILL_RATE = Fraction(25)
"""Frames per second of a pose that is held."""


@dataclass(frozen=True)
class Motion:
    """What is to be written."""

    title: str
    """Where it comes from, for people."""
    track: ControlTrack
    """A state a frame."""
    sound: Path | None = None
    """The clip whose sound belongs to it."""
    notes: tuple[str, ...] = ()
    """Sentences about what could not be followed."""


@dataclass(frozen=True)
class Order:
    """Everything a motion is made from, so that it can be made on a thread."""

    subject: SubjectFolder
    avatar: Avatar
    sheet: ControlSheet
    handles: tuple[LiveHandle, ...]
    kind: str
    timeline: Timeline | None
    clip: DrivingClip | None
    pose: ControlState | None
    seconds: float
    retarget: RetargetSettings = field(default_factory=RetargetSettings)


def make_motion(order: Order) -> Motion | None:
    """The motion of an order; None while there is nothing to move. Raises Problem where it makes no sense."""
    notes: list[str] = []
    if order.kind == "timeline":
        line = order.timeline or load_timeline(timeline_folder(order.subject.path)) or Timeline()
        if line.empty:
            return None
        track = evaluate_timeline(line, order.sheet, order.handles, notes.append)
        return Motion("timeline", track, None, tuple(notes))
    if order.kind == "clip":
        if order.clip is None:
            return None
        from pipelines.animate_avatar import track_from_clip

        track = track_from_clip(order.subject, order.avatar, order.clip.sequence, order.retarget)
        return Motion(order.clip.title, track, order.clip.video)
    state = order.pose or order.sheet.neutral()
    if state.names != order.sheet.names:
        state = order.sheet.state(
            {n: float(v) for n, v in zip(state.names, state.values) if n in order.sheet.names}
        )
    frames = max(1, round(order.seconds * STILL_RATE))
    return Motion("pose", ControlTrack(state.names, np.repeat(state.values[None], frames, 0), STILL_RATE))


class ExportMotion(QWidget):
    """Three choices, of which one is made; the motion is worked out on a thread.

    Attributes:
        changed: :attr:`motion` is another one, or none.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.motion: Motion | None = None
        self.pose: ControlState | None = None
        self._driver = BringDriver(session)
        self._wanted = 0
        self.timeline = QRadioButton(self.tr("The timeline"))
        self.clip = QRadioButton(self.tr("A clip’s motion"))
        self.still = QRadioButton(self.tr("The pose as it is now"))
        self.timeline.setToolTip(self.tr("What the Timeline page plays"))
        self.clip.setToolTip(self.tr("Head and face of anybody in a video, fitted to this avatar"))
        self.still.setToolTip(self.tr("What was shown last in Perform or Timeline, held"))
        self.clips = QComboBox()
        self.clips.setAccessibleName(self.tr("Clip that drives"))
        self.clips.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.other = button(self.tr("Another…"), self.ask_file, tip=self.tr("Any video with a face"))
        self.space = ExpressionSpaceChoice()
        self.seconds = QDoubleSpinBox()
        self.seconds.setRange(0.1, 600.0)
        self.seconds.setValue(3.0)
        self.seconds.setDecimals(1)
        self.seconds.setSuffix(self.tr(" s"))
        self.seconds.setAccessibleName(self.tr("Seconds to hold the pose"))
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.words = label("", "hint", wrap=True)
        self._lay_out()
        self.timeline.setChecked(True)
        for choice in (self.timeline, self.clip, self.still):
            choice.toggled.connect(self._chosen)
        self.clips.activated.connect(self._clip_chosen)
        self.space.changed.connect(self.work_out)
        self.seconds.valueChanged.connect(self.work_out)
        self._driver.moved.connect(self._show_progress)
        self._driver.ready.connect(self._use)
        self._driver.failed.connect(self._failed)
        self._driver.gave_up.connect(self._gave_up)

    @property
    def kind(self) -> str:
        """timeline, clip or pose."""
        if self.clip.isChecked():
            return "clip"
        return "pose" if self.still.isChecked() else "timeline"

    def read(self) -> None:
        """Look which clips there are, and work the motion out anew."""
        store = self._session.store
        self._session.background.run(self, lambda: driving_clips(store), self._fill, self._failed)
        self.space.look(self._session)
        self.work_out()

    def work_out(self) -> None:
        """Make the motion of what is chosen; the newest wish wins."""
        session = self._session
        subject, avatar = session.subject, session.avatar
        if subject is None or avatar is None:
            return
        live = session.live
        sheet = live.sheet
        if sheet is None or live.avatar != avatar:
            return  # the page asks again when the avatar has opened
        chosen = self.clips.currentData()
        order = Order(
            subject,
            avatar,
            sheet,
            live.handles,
            self.kind,
            session.timeline,
            chosen if isinstance(chosen, DrivingClip) else None,
            self.pose,
            self.seconds.value(),
            self.space.settings(),
        )
        self._wanted += 1
        number = self._wanted
        session.background.run(
            self,
            lambda: make_motion(order),
            lambda motion: self._take(number, motion),
            lambda error: self._no_motion(number, error),
        )

    def bring(self, video: Path) -> None:
        """Bring in another video, track it in a job, then use its motion."""
        self.clip.setChecked(True)
        self._busy(True, self.tr("Copying the clip"))
        self._driver.do(video)

    def ask_file(self) -> None:
        """Ask for a video that drives."""
        self._driver.ask(self, self.bring)

    def _chosen(self, on: bool) -> None:
        if on:
            self._enable()
            self.work_out()

    def _clip_chosen(self) -> None:
        self.clip.setChecked(True)
        self.work_out()

    def _take(self, number: int, motion: Motion | None) -> None:
        if number != self._wanted:
            return
        self.motion = motion
        if motion is None and self.kind == "timeline":
            self.words.setText(
                self.tr("The timeline is empty: set keyframes there, or choose another motion.")
            )
        elif motion is None:
            self.words.setText(self.tr("No clip was tracked yet: choose another."))
        else:
            self.words.setText(" ".join(motion.notes))
        self.words.setVisible(bool(self.words.text()))
        self.changed.emit()

    def _no_motion(self, number: int, error: Exception) -> None:
        self._take(number, None)
        if number == self._wanted:
            self._session.fail(self.tr("This motion cannot be used"), error)

    def _fill(self, found: list[DrivingClip]) -> None:
        kept = self.clips.currentData()
        self.clips.clear()
        for each in found:
            self.clips.addItem(each.title, each)
        place = next((n for n, each in enumerate(found) if each == kept), 0)
        if found:
            self.clips.setCurrentIndex(place)
        self._enable()
        if self.kind == "clip":
            self.work_out()

    def _use(self, new: DrivingClip) -> None:
        self._busy(False)
        self.clips.addItem(new.title, new)
        self.clips.setCurrentIndex(self.clips.count() - 1)
        self._clip_chosen()

    def _gave_up(self) -> None:
        self._busy(False)  # the banner says why

    def _show_progress(self, done: int, total: int, what: str) -> None:
        self.bar.setRange(0, max(total, 0))
        self.bar.setValue(done)
        self.words.setText(what)

    def _failed(self, error: Exception) -> None:
        self._busy(False)
        self._session.fail(self.tr("The clip cannot be used"), error)

    def _busy(self, busy: bool, words: str = "") -> None:
        self.bar.setVisible(busy)
        self.bar.setRange(0, 0)
        self.words.setText(words)
        self.words.setVisible(bool(words))
        self.other.setEnabled(not busy)

    def _enable(self) -> None:
        self.clips.setEnabled(self.clips.count() > 0)
        self.space.setVisible(self.kind == "clip")
        self.seconds.setVisible(self.kind == "pose")

    def _lay_out(self) -> None:
        inside = QVBoxLayout(self)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(GAP - 4)
        inside.addWidget(self.timeline)
        clips = row(self.clip, self.clips, self.other, spacing=8)
        clips.setStretch(1, 1)
        inside.addLayout(clips)
        inside.addWidget(self.space)
        inside.addLayout(row(self.still, self.seconds, None, spacing=8))
        inside.addWidget(self.bar)
        inside.addWidget(self.words)
        self.bar.hide()
        self.words.hide()
        self._enable()
