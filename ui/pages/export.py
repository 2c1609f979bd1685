"""Export: what is written, how, and the queue of everything that is being written."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QStackedLayout, QVBoxLayout, QWidget

from pipelines.export_forecast import forecast_export
from pipelines.export_job import export_job
from studio.domain.controls import ControlState
from studio.domain.problem import Problem
from ui.pages.export_form import ExportForm
from ui.pages.export_motion import ExportMotion, Motion
from ui.pages.export_preview import ExportPreview
from ui.pages.page import Page
from ui.session import Session
from ui.theme import GAP
from ui.widgets.empty_state import EmptyState
from ui.widgets.plain import button, card, column, label, line, row
from ui.widgets.queue_list import QueueList
from ui.words import about, duration, size

FORM = 500
"""Width of the settings."""
SOON = 120
"""Milliseconds after the last change until the preview and the forecast follow."""


class ExportPage(Page):
    """Settings at the left, the first frame and the queue at the right."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.motion = ExportMotion(session)
        self.form = ExportForm(session)
        self.preview = ExportPreview(session)
        self.queue = QueueList(session)
        self._entered = False
        self._subject: Path | None = None
        self._asking = False
        self.forecast = label("", wrap=True)
        self.export = button(
            self.tr("Export"),
            self.go_on,
            "primary",
            tip=self.tr("Add it to the queue; it starts when its turn comes"),
        )
        self.export.setMinimumWidth(130)
        self._sure = label("", "warn", wrap=True)
        self.replace = button(self.tr("Replace it"), lambda: self._start(True), "danger")
        self.keep = button(self.tr("Keep it"), lambda: self._ask(False))
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(SOON)
        self._soon.timeout.connect(self._show)
        empty = EmptyState(
            "export",
            self.tr("No avatar yet"),
            self.tr("Build one first: the instant engine is ready in seconds and needs nothing else."),
            self.tr("Go to Train"),
            lambda: session.show_page("train"),
        )
        self._stack = QStackedLayout(self)
        self._stack.addWidget(empty)
        self._stack.addWidget(self._body())
        self._asked: Path | None = None
        self._ask(False)
        self.form.file.textChanged.connect(self._withdraw)
        self.motion.changed.connect(self._motion_changed)
        self.form.changed.connect(self._later)
        self.queue.changed.connect(self._say)
        self.preview.measured.connect(self._say)
        self.preview.opened.connect(self.motion.work_out)
        session.subject_changed.connect(self._refresh)
        session.avatar_changed.connect(self._refresh)
        session.timeline_changed.connect(self._timeline_changed)

    def enter(self) -> None:
        """It is shown now."""
        self._entered = True
        if self.session.avatar is not None:
            self.motion.pose = self.preview.pose_before() or self.motion.pose
        self.queue.read()
        self._refresh()

    def leave(self) -> None:
        """It is hidden now."""
        self._entered = False
        self._soon.stop()
        self.preview.leave()

    def go_on(self) -> None:
        """Add what is set to the queue; a file that is there is only replaced after asking."""
        if not self.form.file.text().strip():
            problem = Problem(self.tr("Give the file a name first, or click Choose…"))
            self.session.fail(self.tr("The export did not start"), problem)
            return
        target = self.form.target
        there = target.exists() and not (target.is_dir() and not any(target.iterdir()))
        if there:
            self._asked = target
            self._sure.setText(self.tr("“{name}” is there already.").format(name=target.name))
            self._ask(True)
        else:
            self._start(False)

    def _start(self, overwrite: bool) -> None:
        if overwrite and self.form.target != self._asked:
            self.go_on()  # the answer was about another file
            return
        self._ask(False)
        session, motion = self.session, self.motion.motion
        subject, avatar = session.subject, session.avatar
        if subject is None or avatar is None or motion is None:
            return
        target, settings, sound = self.form.target, self.form.settings(), motion.sound
        self.export.setEnabled(False)
        session.background.run(
            self,
            lambda: export_job(subject, avatar, motion.track, target, settings, sound, overwrite),
            self._queued,
            self._not_started,
        )

    def _queued(self, job: Path) -> None:
        session = self.session
        self.export.setEnabled(True)
        session.jobs.start(job, self._not_started)
        session.preferences.keep("export.folder", str(self.form.target.parent))
        session.said.emit(self.tr("{name} is in the queue.").format(name=self.form.target.name))
        self.queue.read()

    def _not_started(self, error: Exception) -> None:
        self.export.setEnabled(True)
        safe = self.tr("Nothing was written.")
        self.session.fail(self.tr("The export did not start"), error, safe)

    def _refresh(self) -> None:
        """Who is open may have changed."""
        session = self.session
        self._stack.setCurrentIndex(0 if session.avatar is None else 1)
        subject = None if session.subject is None else session.subject.path
        if subject != self._subject:
            self._subject = subject
            self.motion.pose = None
            self.form.file.setModified(False)
        if not self._entered or session.subject is None or session.avatar is None:
            return
        self.form.suggest(session.subject.name)
        self.preview.enter()
        self.motion.read()

    def _timeline_changed(self) -> None:
        if self._entered and self.motion.kind == "timeline":
            self.motion.work_out()

    def _motion_changed(self) -> None:
        motion = self.motion.motion
        if motion is not None:
            self.form.take_motion(motion)
        self._later()

    def _later(self) -> None:
        self._say()
        if self._entered:
            self._soon.start()

    def _show(self) -> None:
        motion = self.motion.motion
        self.preview.show_first(None if motion is None else self._first(motion), self.form.settings())
        self._say()

    def _first(self, motion: Motion) -> ControlState:
        return motion.track.state(min(self.form.first.value(), len(motion.track) - 1))

    def _say(self) -> None:
        motion, avatar = self.motion.motion, self.session.avatar
        ready = motion is not None and avatar is not None
        self.export.setEnabled(ready)
        if not ready or avatar is None:
            self.forecast.setText("")
            return
        frames, rate = self.form.frames()
        done = forecast_export(
            frames, rate, self.form.settings(), self.preview.rendering, self.queue.exports, avatar.engine
        )
        what = self.tr("{n} frames, {time}").format(n=done.frames, time=duration(done.length))
        words = self.tr("About {size}").format(size=size(done.size_bytes))
        if done.seconds is not None:
            words = self.tr("About {size}, {time} to write").format(
                size=size(done.size_bytes), time=about(done.seconds)
            )
        self.forecast.setText(f"{what}\n{words}")

    def _withdraw(self) -> None:
        """Another name is another question."""
        self._asked = None
        self._ask(False)

    def _ask(self, asking: bool) -> None:
        for part in (self._sure, self.replace, self.keep):
            part.setVisible(asking)
        self.export.setVisible(not asking)
        self.forecast.setVisible(not asking)

    def _body(self) -> QWidget:
        body = QWidget()
        settings = QWidget()
        inside = QVBoxLayout(settings)
        inside.setContentsMargins(0, 0, 8, 0)
        inside.setSpacing(GAP)
        inside.addWidget(label(self.tr("What"), "heading"))
        inside.addWidget(self.motion)
        inside.addWidget(line())
        inside.addWidget(label(self.tr("How"), "heading"))
        inside.addWidget(self.form)
        inside.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setWidget(settings)
        panel = card(QVBoxLayout())
        panel.setFixedWidth(FORM)
        layout = panel.layout()
        assert isinstance(layout, QVBoxLayout)
        layout.addWidget(scroll, 1)
        layout.addWidget(line())
        foot = row(self.forecast, self._sure, None, self.keep, self.replace, self.export, spacing=8)
        layout.addLayout(foot)
        right = column(self.preview, self.queue, spacing=GAP)
        right.setStretch(0, 1)
        right.setStretch(1, 1)
        whole = QHBoxLayout(body)
        whole.setContentsMargins(2 * GAP, GAP + 4, 2 * GAP, GAP + 4)
        whole.setSpacing(2 * GAP)
        whole.addWidget(panel)
        whole.addLayout(right, 1)
        return body
