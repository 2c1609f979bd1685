"""Tracking under way, paused, broken or not begun; and tracking again with other settings."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QCheckBox, QDoubleSpinBox, QFormLayout, QFrame, QProgressBar

from pipelines.setting_hints import setting_hints
from studio.tracking.settings import TrackSettings
from ui.bridge.clip_frames import FilmFacts
from ui.bridge.jobs import Job
from ui.theme import GAP
from ui.widgets.clip_player import clock
from ui.widgets.plain import button, column, label, row
from ui.words import duration


class TrackingCard(QFrame):
    """Where tracking stands; hidden when there is nothing to say.

    Attributes:
        start, pause, cancel: what was clicked.
    """

    start = Signal()
    pause = Signal()
    cancel = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "card")
        self._title, self._words = label(role="heading"), label(role="hint", wrap=True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(self.tr("Progress"))
        self.start_button = button(self.tr("Track the face"), self.start.emit, "primary")
        self.pause_button = button(self.tr("Pause"), self.pause.emit, picture="pause")
        self.cancel_button = button(
            self.tr("Cancel"), self.cancel.emit, tip=self.tr("Give up; the clip itself stays")
        )
        buttons = row(None, self.start_button, self.pause_button, self.cancel_button, spacing=8)
        inside = column(self._title, self._words, self.bar, buttons, spacing=8)
        inside.setContentsMargins(GAP + 4, GAP, GAP + 4, GAP)
        self.setLayout(inside)

    def show_copying(self, share: float | None) -> None:
        """A clip is being copied in: how much of it, 0..1, None while unknown."""
        self._show(self.tr("Copying the clip"), "", running=True)
        self.bar.setRange(0, 0 if share is None else 1000)
        self.bar.setValue(round(1000 * (share or 0.0)))
        self.pause_button.hide()

    def show_job(self, job: Job | None, tracked: bool) -> None:
        """A job that tracks this clip, if any, and whether the clip is tracked as it should be."""
        state = None if job is None else job.status.state
        if job is not None and not job.status.over:
            status = job.status
            words = status.what[:1].upper() + status.what[1:] or self.tr("Starting…")
            if status.seconds_left is not None:
                words += self.tr(" · {time} left").format(time=duration(status.seconds_left))
            self._show(self.tr("Tracking the face"), words, running=True)
            share = job.share
            self.bar.setRange(0, 0 if share is None else 1000)
            self.bar.setValue(round(1000 * (share or 0.0)))
        elif tracked:
            self.hide()
        elif state == "stopped":
            self._show(self.tr("Tracking is paused"), self.tr("Go on whenever you like."), self.tr("Go on"))
        elif state in ("failed", "crashed") and job is not None:
            self._show(self.tr("Tracking did not finish"), job.status.message, self.tr("Try again"))
        else:
            words = self.tr("Tracking finds the face in every frame and says what is still missing.")
            self._show(self.tr("Not tracked yet"), words, self.tr("Track the face"))

    def _show(self, title: str, words: str, start: str = "", running: bool = False) -> None:
        self._title.setText(title)
        self._words.setText(words)
        self._words.setVisible(bool(words))
        self.bar.setVisible(running)
        self.start_button.setText(start)
        self.start_button.setVisible(bool(start))
        self.pause_button.setVisible(running)
        self.cancel_button.setVisible(running)
        self.show()


class TrackOptions(QFrame):
    """Settings of tracking that are worth changing; the part of the clip comes from the strip.

    Attributes:
        given_up: changes are taken back.
        changed_now: whether there are changes, each time something was set.
    """

    given_up = Signal()
    changed_now = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        hints = setting_hints(TrackSettings)
        self.setProperty("role", "card")
        self._settings = TrackSettings()
        self._facts: FilmFacts | None = None
        self._part = (0, 1)
        self._person = "auto"
        self._used = label()
        self._used.setToolTip(self.tr("Drag the ends of the strip below the clip, or press I and O there"))
        self.smoothing = QDoubleSpinBox()
        self.smoothing.setRange(0.0, 5.0)
        self.smoothing.setSingleStep(0.5)
        self.smoothing.setDecimals(1)
        self.smoothing.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
        self.smoothing.setSuffix(self.tr(" frames"))
        self.smoothing.setToolTip(self.tr(hints.get("smoothing", "")))
        self.hands = QCheckBox(self.tr("Look for hands before the face"))
        self.hands.setToolTip(self.tr(hints.get("look_for_hands", "")))
        self.smoothing.valueChanged.connect(lambda _: self._say())
        self.hands.toggled.connect(lambda _: self._say())
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setHorizontalSpacing(GAP)
        form.setVerticalSpacing(8)
        form.addRow(self.tr("Part used"), self._used)
        form.addRow(self.tr("Smoothing"), self.smoothing)
        form.addRow(self.hands)
        inside = column(label(self.tr("Tracking"), "heading"), spacing=GAP - 2)
        inside.addLayout(form)
        inside.addWidget(label(self.tr("Changes count once the clip is tracked again."), "hint", wrap=True))
        inside.setContentsMargins(GAP + 4, GAP, GAP + 4, GAP)
        self.setLayout(inside)
        self._say()

    def show_settings(self, settings: TrackSettings, facts: FilmFacts | None) -> None:
        """Start from how a clip is tracked; facts None while it is not open."""
        self._settings, self._facts, self._person = settings, facts, settings.person
        with QSignalBlocker(self.smoothing), QSignalBlocker(self.hands):
            self.smoothing.setValue(settings.smoothing)
            self.hands.setChecked(settings.look_for_hands)
        self._part = self.part_of(settings)
        self._say()

    def part_of(self, settings: TrackSettings) -> tuple[int, int]:
        """First frame and the one after the last that settings choose of the open clip."""
        from studio.domain.problem import Problem
        from studio.tracking.trimming import chosen_frames

        if self._facts is None:
            return 0, 1
        try:
            part = chosen_frames(settings, self._facts.rate, self._facts.frames)
        except Problem:
            return 0, self._facts.frames
        return part.start, part.stop

    def set_part(self, first: int, stop: int) -> None:
        """The part that is wanted, in frames."""
        self._part = (first, stop)
        self._say()

    def set_person(self, number: int) -> None:
        """Who is wanted."""
        self._person = str(number)
        self._say()

    def take_back(self) -> None:
        """As it is tracked now."""
        self.show_settings(self._settings, self._facts)
        self.given_up.emit()

    @property
    def wanted(self) -> TrackSettings:
        """The settings as they are set here. What was not touched stays exactly as it was."""
        changed = replace(
            self._settings,
            person=self._person,
            smoothing=self._settings.smoothing
            if abs(self.smoothing.value() - self._settings.smoothing) < 0.05
            else self.smoothing.value(),
            look_for_hands=self.hands.isChecked(),
        )
        if self._facts is None or self._part == self.part_of(self._settings):
            return changed
        first, stop = self._part
        rate = float(self._facts.rate)
        return replace(changed, start=first / rate, end=None if stop >= self._facts.frames else stop / rate)

    @property
    def changed(self) -> bool:
        """Whether tracking again would do anything else."""
        return self.wanted != self._settings

    def _say(self) -> None:
        if self._facts is not None:
            first, stop = self._part
            rate = self._facts.rate
            whole = (first, stop) == (0, self._facts.frames)
            words = self.tr("the whole clip, {length}") if whole else self.tr("{first} to {stop}, {length}")
            self._used.setText(
                words.format(
                    first=clock(first, rate), stop=clock(stop, rate), length=clock(stop - first, rate)
                )
            )
        self.changed_now.emit(self._facts is not None and self.changed)
