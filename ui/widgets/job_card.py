"""A build at work, paused or broken: stages, progress, curves, the latest picture, and what can be done."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QGuiApplication, QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QProgressBar, QVBoxLayout, QWidget

from pipelines.job_history import Curve, JobHistory
from studio.domain.problem import Problem
from ui.bridge.jobs import Job
from ui.session import Session
from ui.theme import GAP, tokens
from ui.widgets.plain import button, label, row
from ui.widgets.training_curves import TrainingCurves
from ui.widgets.training_preview import TrainingPreview
from ui.words import duration, engine_title

_NOTES = 3
"""Sentences shown, the newest last."""
_BITES = 8
"""Looks into the events at once, so that a long history is there within a few seconds and nothing waits."""


@dataclass(frozen=True)
class _News:
    """What a look into the job's folder brought."""

    curves: tuple[Curve, ...] | None
    notes: tuple[str, ...]
    sheet: QImage | None
    picture: float
    unread: bool


class JobCard(QFrame):
    """Told of the job's status by the page; looks into its events by itself while it is shown."""

    def __init__(self, session: Session, job: Job) -> None:
        super().__init__()
        self._session, self.job = session, job
        self._history = JobHistory(job.folder)
        self._looking = False
        self._asked = ""
        self._picture = 0.0
        self.setProperty("role", "card")
        self._title = label(role="heading")
        self._dots = StepDots()
        self._stage, self._what = label(wrap=True), label(role="hint")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(self.tr("Progress"))
        self._left = label(role="hint")
        self.trouble = label(role="bad", wrap=True)
        self._safe = label(role="hint", wrap=True)
        for part in (self.trouble, self._safe):
            part.setTextInteractionFlags(part.textInteractionFlags().TextSelectableByMouse)
        self.pause = button(
            self.tr("Pause"),
            self._pause,
            picture="pause",
            tip=self.tr("Stop with a checkpoint; resuming goes on from there, also tomorrow"),
        )
        self.resume = button(self.tr("Resume"), self._resume, picture="play")
        self.report = button(self.tr("Copy report"), self._copy_report, picture="copy")
        self.cancel = button(
            self.tr("Cancel"),
            lambda: self._ask_for_cancel(True),
            "danger",
            tip=self.tr("Give this build up and clear what it had begun"),
        )
        self._sure = label(self.tr("What it has learnt so far is thrown away."), "hint", wrap=True)
        self.give_up = button(self.tr("Give up"), self._cancel, "danger")
        self.keep = button(self.tr("Keep going"), lambda: self._ask_for_cancel(False))
        self.curves, self.preview = TrainingCurves(), TrainingPreview()
        self.notes = label(role="hint", wrap=True)
        self._build()
        self.show_job(job)
        self.look()

    def show_job(self, job: Job) -> None:
        """Where it stands now."""
        before, self.job = self.job.status.state, job
        status, steps = job.status, job.plan.steps
        if status.state != before:
            self._asked = ""
        engine = engine_title(steps[-1].id)
        self._title.setText(engine)
        place = min(status.step, len(steps) - 1)
        self._dots.show_steps([step.title for step in steps], status.step, status.over)
        self._stage.setText(
            self.tr("Step {n} of {all}: {title}").format(
                n=place + 1, all=len(steps), title=steps[place].title
            )
        )
        share = job.share
        self.bar.setRange(0, 0 if share is None and not status.over else 1000)
        self.bar.setValue(round(1000 * (share or 0.0)))
        what = status.what[:1].upper() + status.what[1:]
        self._what.setText(f"{what} · {status.note}" if status.note else what)
        self._left.setText(self._state_words(job))
        broken = status.state in ("failed", "crashed")
        self.trouble.setText(status.message)
        self._safe.setText(
            self.tr(
                "Your clip and every finished step are safe. Trying again goes on from the last checkpoint."
            )
        )
        for part in (self.trouble, self._safe, self.report):
            part.setVisible(broken)
        self.pause.setVisible(not status.over)
        self.pause.setEnabled(not self._asked)
        self.resume.setVisible(status.over)
        self.resume.setText(self.tr("Try again") if broken else self.tr("Resume"))
        self.resume.setEnabled(not self._asked)
        self.bar.setVisible(not broken)

    def look(self) -> None:
        """Take in what the job has told since, on a thread."""
        if not self._looking:
            self._looking = True
            seen = self._picture
            self._session.background.run(self, lambda: self._read(seen), self._take, self._look_failed)

    def _read(self, seen: float) -> _News:
        history, told = self._history, False
        for _ in range(_BITES):
            told |= history.read()
            if not history.unread:
                break
        picture, sheet = history.picture, None
        if picture is not None and picture.time != seen and picture.path.is_file():
            sheet = QImage(str(picture.path))
        return _News(
            history.curves() if told else None,
            tuple(one.sentence for one in history.said[-_NOTES:]),
            None if sheet is None or sheet.isNull() else sheet,
            seen if picture is None or sheet is None else picture.time,
            history.unread,
        )

    def _take(self, news: _News) -> None:
        self._looking = False
        if news.curves is not None:
            self.curves.show_curves(news.curves)
            self.notes.setText("\n".join(f"• {sentence}" for sentence in news.notes))
            self.notes.setVisible(bool(news.notes))
        if news.sheet is not None:
            self._picture = news.picture
            self.preview.show_sheet(news.sheet)
        if news.unread:
            self.look()

    def _look_failed(self, error: Exception) -> None:
        self._looking = False
        self._session.fail(self.tr("The progress of a build cannot be shown"), error)

    def _state_words(self, job: Job) -> str:
        status = job.status
        if status.state == "stopped":
            return self.tr("Paused")
        if status.state in ("failed", "crashed"):
            return self.tr("Did not finish")
        if self._asked == "stop":
            return self.tr("Pausing…")
        if self._asked == "cancel":
            return self.tr("Giving up…")
        if status.state == "queued":
            return self.tr("Starting…")
        if status.seconds_left is None:
            return ""
        return self.tr("{time} left in this step").format(time=duration(status.seconds_left))

    # What can be done

    def _pause(self) -> None:
        self._do("stop", lambda: self._session.jobs.stop(self.job.folder))

    def _resume(self) -> None:
        self._do("start", lambda: self._session.jobs.start(self.job.folder, self._refused))

    def _cancel(self) -> None:
        self._ask_for_cancel(False)
        self._do("cancel", lambda: self._session.jobs.cancel(self.job.folder))

    def _do(self, wish: str, action: object) -> None:
        assert callable(action)
        self._asked = wish
        try:
            action()
        except Problem as problem:
            self._asked = ""
            self._session.fail(self.title, problem)
        self.show_job(self.job)

    def _refused(self, error: Exception) -> None:
        self._asked = ""
        self._session.fail(self.title, error)
        self.show_job(self.job)

    def _ask_for_cancel(self, asking: bool) -> None:
        for part in (self._sure, self.give_up, self.keep):
            part.setVisible(asking)
        self.cancel.setVisible(not asking)

    @property
    def title(self) -> str:
        """What it builds, for a person."""
        return self._title.text()

    def _copy_report(self) -> None:
        job, status = self.job, self.job.status
        log = job.folder / "log.txt"

        def read() -> str:
            try:
                words = log.read_bytes()[-20_000:].decode("utf-8", "replace")
            except OSError:
                words = ""
            steps = "\n".join(f"{step.id} v{step.version} {step.key}" for step in job.plan.steps)
            return f"{job.plan.title}\n{status.state}: {status.message}\n{steps}\n\n{words}"

        def copy(words: str) -> None:
            QGuiApplication.clipboard().setText(words)
            self._session.said.emit(self.tr("The report is copied."))

        self._session.background.run(self, read, copy)

    def _build(self) -> None:
        inside = QVBoxLayout(self)
        inside.setContentsMargins(GAP + 2, GAP, GAP + 2, GAP)
        inside.setSpacing(8)
        inside.addLayout(row(self._title, self._dots, None, self.pause, self.resume, self.cancel, spacing=8))
        inside.addLayout(row(self._sure, None, self.keep, self.give_up, spacing=8))
        inside.addWidget(self._stage)
        inside.addWidget(self.bar)
        inside.addLayout(row(self._what, None, self._left))
        inside.addWidget(self.trouble)
        inside.addWidget(self._safe)
        inside.addLayout(row(self.report, None))
        inside.addWidget(self.preview)
        inside.addWidget(self.curves)
        inside.addWidget(self.notes)
        self.notes.hide()
        self._ask_for_cancel(False)


class StepDots(QWidget):
    """A dot for each step: filled when made, a ring for the one at work."""

    def __init__(self) -> None:
        super().__init__()
        self._made = self._all = 0
        self._over = False

    def show_steps(self, titles: list[str], made: int, over: bool) -> None:
        """``made`` of the steps are made; when it is over, nobody works on the next."""
        self._made, self._all, self._over = made, len(titles), over
        self.setToolTip("\n".join(("✓ " if n < made else "   ") + title for n, title in enumerate(titles)))
        self.setAccessibleName(self.tr("{n} of {all} steps made").format(n=made, all=len(titles)))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """Qt's door."""
        return QSize(14 * self._all, 12)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt's door."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = self.height() / 2
        for number in range(self._all):
            box = QRectF(14 * number + 2, middle - 4, 8, 8)
            colour = QColor(tokens().accent if number <= self._made and not self._over else tokens().muted)
            painter.setPen(Qt.PenStyle.NoPen if number < self._made else colour)
            painter.setBrush(QColor(tokens().good) if number < self._made else Qt.BrushStyle.NoBrush)
            painter.drawEllipse(box)
