"""Look at the clip: is everything there that an avatar needs?"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QSizePolicy, QStackedLayout, QWidget

from pipelines.import_job import KIND, Import, bring_in, is_photo, retrack
from studio.domain.problem import Problem
from studio.project.store import ClipFolder
from studio.tracking.settings import TrackSettings
from ui.actions.bring_in import BringIn, Incoming
from ui.bridge.background import Ticket
from ui.bridge.clip_frames import FilmFacts
from ui.bridge.jobs import Job
from ui.pages.capture_data import CaptureData, Seen, read_capture
from ui.pages.capture_side import CaptureSide
from ui.pages.page import Page
from ui.session import Session
from ui.theme import GAP
from ui.widgets.clip_player import ClipPlayer, clock
from ui.widgets.empty_state import EmptyState
from ui.widgets.file_drop import FileDrop
from ui.widgets.plain import button, column, label, row, themed_icon, tool
from ui.widgets.quality_legend import QualityLegend, next_of
from ui.widgets.quality_strip import QualityStrip


class CapturePage(Page):
    """The clip with its mesh, each frame's quality, what is covered and what to record."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.player, self.strip, self.legend = ClipPlayer(), QualityStrip(), QualityLegend()
        self.side = CaptureSide()
        self.bring_in = BringIn(session)
        self._clip: ClipFolder | None = None
        self._data: CaptureData | None = None
        self._undo: dict[Path, Import] = {}
        self._reading: Ticket | None = None
        self._photo = False
        self._here = False
        self._build()
        self._listen()

    # What the window tells

    def enter(self) -> None:
        """It is shown now."""
        self._here = True
        self._follow_clip()
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setFocus()  # so that Space plays, whatever was pressed before

    def leave(self) -> None:
        """It is hidden now."""
        self._here = False
        self.player.pause()

    def close_page(self) -> None:
        """The window closes."""
        self.leave()
        self.bring_in.cancel_all()
        self.player.close_player()

    # Bringing clips in

    def add_clips(self) -> None:
        """Ask for files and bring them in."""
        if self.session.subject is not None:
            self.bring_in.ask(self, self.session.subject.name)

    def _dropped(self, files: list[Path]) -> None:
        if self.session.subject is not None:
            self.bring_in.add(self.session.subject.name, files)

    def _copying(self, incoming: Incoming) -> None:
        self.side.tracking.show_copying(self.bring_in.incoming[0].share)

    def _copied(self, incoming: Incoming) -> None:
        if not self.bring_in.incoming:
            self._read()

    def _brought(self, done: Import) -> None:
        subject = self.session.subject
        if subject is not None and subject.path == done.subject.path:
            self.session.open_clip(done.clip)

    # The open clip

    def _follow_clip(self) -> None:
        if not self._here:
            return
        clip = self.session.clip
        self._pages.setCurrentIndex(0 if clip is None else 1)
        if clip is None:
            self._clip, self._data = None, None
            self.player.open(None)
            return
        if self._clip is None or self._clip.path != clip.path:
            self._clip, self._data = clip, None
            self._title.setText(clip.clip.title)
            self._title.setToolTip(clip.clip.title)
            self._about.setText("")
            self._show_kind(is_photo(clip))
            self.player.open(clip.source)
            self._show_seen(None)
            self.strip.show_clip(0, None)
            self.side.tracking.hide()
        self._read()

    def _show_kind(self, photo: bool) -> None:
        """A photo does not play, and no part of it can be chosen."""
        self._photo = photo
        for part in (self.strip, self.legend):
            part.setVisible(not photo)
        self.player.show_still(photo)
        for trim in self._trims:
            trim.setVisible(not photo)
        self.side.show_photo(photo)
        self._go_on.setText(self.tr("Perform") if photo else self.tr("Build an avatar"))
        self._go_on_picture.show_picture("perform" if photo else "train")

    def _read(self) -> None:
        subject, clip = self.session.subject, self._clip
        if not self._here or subject is None or clip is None:
            return
        if self._reading is not None:
            self._reading.cancel()
        known = self._data.seen if self._data is not None else None
        self._reading = self.session.background.run(
            self, lambda: read_capture(subject, clip, known), self._take, self._cannot_read
        )

    def _take(self, data: CaptureData) -> None:
        before, self._data = self._data, data
        self._clip = data.clip
        if before is None or before.seen is not data.seen:
            self._show_seen(data.seen)
        if before is None or before.settings != data.settings:
            self._show_settings()
        job = self.session.jobs.of(data.job) if data.job is not None else None
        if not self.bring_in.incoming:
            self.side.tracking.show_job(job, data.current)
        self._go_on.setVisible(data.current)

    def _cannot_read(self, error: Exception) -> None:
        self.session.fail(self.tr("The clip cannot be looked at"), error)

    def _show_seen(self, seen: Seen | None) -> None:
        self.side.show_seen(seen)
        self.legend.show_quality(seen.quality if seen is not None else None)
        self.player.set_landmarks(seen.sequence.landmarks if seen is not None else None)
        self.player.mesh_button.setVisible(seen is not None)
        self._show_strip()
        self._show_facts()

    def _show_strip(self) -> None:
        seen = self._data.seen if self._data is not None else None
        frames = len(seen.sequence) if seen is not None else 0
        if self.player.facts is not None:
            frames = self.player.facts.frames
        self.strip.show_clip(frames, seen.quality if seen is not None else None)
        self._show_settings()
        self._frame_shown(self.player.frame)

    def _show_settings(self) -> None:
        if self._data is None:
            return
        options = self.side.options
        options.show_settings(self._data.settings, self.player.facts)
        if self.player.facts is not None:
            part = options.part_of(self._data.settings)
            self.strip.choose(*part)
            self._trimmed(*part)

    def _show_facts(self) -> None:
        facts, seen = self.player.facts, self._data.seen if self._data is not None else None
        if facts is None:
            return
        if self._photo:
            self._about.setText(
                self.tr("Photo · {width} × {height}").format(width=facts.width, height=facts.height)
            )
            return
        words = self.tr("{length} · {rate:.3g} frames/s · {width} × {height}").format(
            length=clock(facts.frames, facts.rate),
            rate=float(facts.rate),
            width=facts.width,
            height=facts.height,
        )
        if seen is not None:
            used = seen.sequence.used
            share = self.tr(" · {good} of {all} frames are good")
            words += share.format(good=int(seen.sequence.good.sum()), all=used.stop - used.start)
        self._about.setText(words)

    def _opened(self, facts: FilmFacts) -> None:
        self._show_strip()
        self._show_facts()

    def _frame_shown(self, frame: int) -> None:
        self.strip.show_frame(frame)
        seen = self._data.seen if self._data is not None else None
        if seen is None or frame >= len(seen.sequence):
            self.player.view.say("")
            self.side.poses.show_pose(None)
            return
        reasons = seen.quality.reasons(frame)
        self.player.view.say(self.tr("Not used: {why}").format(why=", ".join(reasons)) if reasons else "")
        yaw, pitch, _ = seen.sequence.motion.angles[frame].tolist()
        self.side.poses.show_pose(yaw, pitch)

    def _to_next(self, verdict: int) -> None:
        if self._data is not None and self._data.seen is not None:
            frame = next_of(self._data.seen.quality, verdict, self.player.frame)
            if frame is not None:
                self.player.pause()
                self.player.seek(frame)

    def _leave_for_next(self) -> None:
        """To where this clip is used next: a photo's avatars are made already."""
        self.session.show_page("perform" if self._photo and self.session.avatar is not None else "train")

    def _trimmed(self, first: int, stop: int) -> None:
        self.player.set_part(first, stop)
        self.side.options.set_part(first, stop)

    # Tracking

    def track_again(self, settings: TrackSettings) -> None:
        """Track the open clip with other settings; its builds start from them."""
        subject, clip = self.session.subject, self._clip
        if subject is not None and clip is not None:
            self._plan(lambda: retrack(subject, clip, settings))

    def _start(self) -> None:
        """Track the open clip as it is to be tracked, or go on with that."""
        subject, data = self.session.subject, self._data
        if subject is not None and data is not None:
            self._plan(lambda: bring_in(subject, data.clip.source, data.settings))

    def _plan(self, work: Callable[[], Import]) -> None:
        failed = self.tr("The clip was not tracked")

        def done(planned: Import) -> None:
            if planned.job is not None:
                if planned.tracked_before is not None:
                    self._undo[planned.job] = planned
                self.session.jobs.start(planned.job, lambda error: self.session.fail(failed, error))
            self.session.refresh()

        self.session.background.run(self, work, done, lambda error: self.session.fail(failed, error))

    def _job_folder(self) -> Path | None:
        return self._data.job if self._data is not None else None

    def _job_changed(self, job: Job) -> None:
        inputs = job.plan.steps[-1].input_keys.values()
        mine = self._clip is not None and job.plan.kind == KIND and self._clip.clip.key in inputs
        if mine and not job.status.over and not self.bring_in.incoming:
            self.side.tracking.show_job(job, False)

    def _job_ended(self, job: Job) -> None:
        undo = self._undo.pop(job.folder, None)
        if undo is not None and job.status.state in ("failed", "crashed", "cancelled"):
            # What was tracked before is still there: the clip goes back to it.
            self.session.background.run(self, undo.go_back, lambda _: self.session.refresh())

    def _stop(self) -> None:
        folder = self._job_folder()
        if folder is not None:
            with suppress(Problem):
                self.session.jobs.stop(folder)

    def _cancel(self) -> None:
        folder = self._job_folder()
        if self.bring_in.incoming:
            self.bring_in.cancel_all()
        elif folder is not None:
            with suppress(Problem):
                self.session.jobs.cancel(folder)

    # How it is put together

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Qt's door: keys that no part of the page has used."""
        actions: dict[Qt.Key, Callable[[], object]] = {
            Qt.Key.Key_Space: self.player.toggle,
            Qt.Key.Key_Left: lambda: self.player.step(-1),
            Qt.Key.Key_Right: lambda: self.player.step(1),
            Qt.Key.Key_M: self.player.mesh_button.click,
            Qt.Key.Key_I: self._start_here,
            Qt.Key.Key_O: self._end_here,
        }
        action = actions.get(Qt.Key(event.key())) if self._clip is not None else None
        if action is None:
            super().keyPressEvent(event)
        else:
            action()

    def _start_here(self) -> None:
        frame = self.player.frame
        self.strip.choose(frame, max(self.strip.part[1], frame + 1))

    def _end_here(self) -> None:
        frame = self.player.frame
        self.strip.choose(min(self.strip.part[0], frame), frame + 1)

    def _build(self) -> None:
        self.drop = FileDrop(self, self.tr("Drop clips of this person to bring them in"), self._dropped)
        empty = EmptyState(
            "capture",
            self.tr("No clip yet"),
            self.tr(
                "Drop a phone video here: 20 to 60 seconds, phone held still, even light. "
                "Turn slowly left, right, up and down, then talk, smile and blink. A photo will do, too."
            ),
            self.tr("Choose a clip…"),
            self.add_clips,
        )
        self._title, self._about = label(role="title"), label(role="hint")
        self.add_button = button(self.tr("Add a clip…"), self.add_clips, picture="plus")
        self._go_on = button(self.tr("Build an avatar"), self._leave_for_next, "primary")
        self._go_on_picture = themed_icon(self._go_on, "train", "on_accent")
        self._go_on.hide()
        options = self.side.options
        self.take_back = button(self.tr("Take back"), options.take_back, "flat")
        self.apply = button(
            self.tr("Track again with this"),
            lambda: self.track_again(options.wanted),
            tip=self.tr("The mesh, the pivots and new avatars then use these settings"),
        )
        self._changed = QWidget()
        self._changed.setLayout(row(None, self.take_back, self.apply, spacing=8))
        # Its room is kept, so that what is dragged to trim stays under the pointer when it appears.
        keeps = self._changed.sizePolicy()
        keeps.setRetainSizeWhenHidden(True)
        self._changed.setSizePolicy(keeps)
        self._changed.hide()
        options.changed_now.connect(self._changed.setVisible)
        trim_start = tool("trim-start", self.tr("Use the clip from here on (I)"), self._start_here)
        trim_end = tool("trim-end", self.tr("Use the clip up to here (O)"), self._end_here)
        self._trims = (trim_start, trim_end)
        for place, trim in enumerate(self._trims):
            self.player.buttons.insertWidget(4 + place, trim)
        # A long file name gives way to the buttons; the tooltip has it whole.
        self._title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        heading = row(self._title, self.add_button, self._go_on)
        heading.setStretch(0, 1)
        left = column(
            column(heading, self._about, spacing=2),
            self.player,
            column(self.strip, self.legend, self._changed, spacing=2),
            spacing=GAP,
        )
        left.setStretch(1, 1)
        body = row(spacing=2 * GAP)
        body.addLayout(left, 1)
        body.addWidget(self.side)
        body.setContentsMargins(2 * GAP, 2 * GAP, GAP, GAP)
        filled = QWidget()
        filled.setLayout(body)
        self._pages = QStackedLayout(self)
        self._pages.addWidget(empty)
        self._pages.addWidget(filled)

    def _listen(self) -> None:
        session, side = self.session, self.side
        session.clip_changed.connect(self._follow_clip)
        session.library_changed.connect(self._read)
        session.jobs.changed.connect(self._job_changed)
        session.jobs.ended.connect(self._job_ended)
        self.bring_in.began.connect(self._copying)
        self.bring_in.moved.connect(self._copying)
        self.bring_in.ended.connect(self._copied)
        self.bring_in.arrived.connect(self._brought)
        self.player.opened.connect(self._opened)
        self.player.frame_changed.connect(self._frame_shown)
        self.player.failed.connect(lambda error: session.fail(self.tr("The clip cannot be played"), error))
        self.strip.sought.connect(self.player.seek)
        self.strip.trimmed.connect(self._trimmed)
        self.legend.wanted.connect(self._to_next)
        side.options.given_up.connect(self._show_settings)
        side.tracking.start.connect(self._start)
        side.tracking.pause.connect(self._stop)
        side.tracking.cancel.connect(self._cancel)
