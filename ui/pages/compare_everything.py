"""All engines in one table on the Compare page, and a button for those that are missing."""

from __future__ import annotations

from PySide6.QtWidgets import QProgressBar, QStackedWidget, QVBoxLayout, QWidget

from pipelines.compared_engines import KIND, is_of
from ui.bridge.jobs import Job
from ui.pages.compare_offer import Everything, Offer, read_everything, title
from ui.session import Session
from ui.theme import GAP
from ui.widgets.empty_state import EmptyState
from ui.widgets.engines_table import EnginesTable
from ui.widgets.plain import button, card, label, row
from ui.words import duration, engine_title

_BROKEN = ("stopped", "crashed", "failed")


class EverythingView(QWidget):
    """Everything that was compared on the clip's held-out frames; the rest is one job."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._offer = Offer(False)
        self._found: Everything | None = None
        self._turn = 0
        self._seen: tuple[object, ...] = ()
        self._shown = self._starting = False
        self.empty = EmptyState(
            "compare",
            self.tr("No two have been compared yet"),
            self.tr("Looking at what is there…"),
            self.tr("Compare all"),
            self.start,
        )
        self.table = EnginesTable()
        self._about, self._left_out = label(role="hint", wrap=True), label(role="hint", wrap=True)
        self._next, self._left = label(role="hint", wrap=True), label(role="hint")
        self.rest = button(self.tr("Compare the rest"), self.start, "primary", "compare")
        self.stop_button = button(
            self.tr("Stop"), self.stop, picture="stop", tip=self.tr("Going on takes up where it was")
        )
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(self.tr("Progress"))
        self._states = QStackedWidget()
        self._states.addWidget(self.empty)
        self._states.addWidget(self._figures())
        inside = QVBoxLayout(self)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.addWidget(self._states)
        session.jobs.changed.connect(self._job_changed)

    @property
    def found(self) -> Everything | None:
        """What is shown; None while it is not known."""
        return self._found

    @property
    def state(self) -> str:
        """What is shown: empty or figures."""
        return "empty" if self._states.currentWidget() is self.empty else "figures"

    def enter(self, offer: Offer) -> None:
        """It is shown, with what can be compared on the open clip."""
        self._shown = True
        self._offer = offer
        self._read()

    def leave(self) -> None:
        """It is hidden."""
        self._shown = False

    def start(self) -> None:
        """Compare the rest, or go on with it."""
        found = self._found
        if found is None or found.rest is None or self._starting:
            return
        self._starting = True
        self._show()
        job = self._job()
        if job is not None:
            self._start_job(job.folder)
        else:
            self._session.background.run(self, found.rest.job, self._start_job, self._failed)

    def stop(self) -> None:
        """Stop it; going on takes up where it was."""
        job = self._job()
        if job is not None and not job.status.over:
            self._session.jobs.stop(job.folder)
            self.stop_button.setEnabled(False)
            self._left.setText(self.tr("Stopping…"))

    def _figures(self) -> QWidget:
        made = card()
        inside = made.layout()
        assert isinstance(inside, QVBoxLayout)
        inside.setSpacing(GAP)
        inside.addWidget(label(self.tr("All engines on the same frames"), "heading"))
        inside.addWidget(self._about)
        inside.addWidget(self.table, 1)
        inside.addWidget(self._left_out)
        inside.addWidget(self.bar)
        foot = row(self._next, self._left, self.stop_button, self.rest)
        foot.setStretch(0, 1)
        inside.addLayout(foot)
        return made

    # Looking at the disk

    def _read(self) -> None:
        session, offer = self._session, self._offer
        subject, clip = session.subject, session.clip
        self._turn += 1
        if not self._shown or subject is None or clip is None or not offer.tracked:
            return
        turn, store = self._turn, session.store

        def take(found: Everything) -> None:
            if turn == self._turn:
                self._found = found
                self._show()

        session.background.run(self, lambda: read_everything(store, subject, clip, offer), take, self._failed)

    # What is shown

    def _show(self) -> None:
        found = self._found
        if found is None:
            return
        job, compared = self._job(), found.compared
        working = self._starting or (job is not None and not job.status.over)
        names = [title(each.side) for each in compared.rows]
        self.table.show_compared(compared, names)
        self._about.setText(
            self.tr("{n} frames that none of them has seen. The best of each column has a tick.").format(
                n=compared.frames
            )
        )
        self._about.setVisible(bool(compared.rows))
        self._say_left_out(found)
        self._say_next(found, job, working)
        shown = bool(compared.rows) or working
        self._states.setCurrentIndex(1 if shown else 0)

    def _say_left_out(self, found: Everything) -> None:
        names = ", ".join(engine_title(engine) for engine in found.lacking)
        words = self.tr("Cannot be built here yet: {names}. Train says what they need.").format(names=names)
        self._left_out.setText(words)
        self._left_out.setVisible(bool(found.lacking))
        self._left_out.setToolTip(
            "\n".join(f"{engine_title(engine)}: {why}" for engine, why in found.lacking.items())
        )

    def _say_next(self, found: Everything, job: Job | None, working: bool) -> None:
        rest, forecast = found.rest, found.forecast
        self.bar.setVisible(working)
        self.stop_button.setVisible(working)
        self.stop_button.setEnabled(job is not None and not job.status.over)
        self.rest.setVisible(rest is not None and not working)
        self.empty.button.setEnabled(rest is not None)
        self._left.setText("")
        if working:
            self._show_work(job)
            return
        if rest is None or forecast is None:
            self._next.setText("")
            self.empty.say(
                self.tr("No two have been compared yet"), self.tr("There is only one avatar to be built.")
            )
            return
        sides = ", ".join(title(side) for side in rest.sides)
        words = self.tr("Not in the table yet: {names}. This takes {time} here.").format(
            names=sides, time=forecast.time
        )
        broken = job is not None and job.status.state in _BROKEN
        if broken and job is not None:
            why = job.status.message or self.tr("It was stopped; what was done so far is kept.")
            words = f"{why} {words}"
        go_on = self.tr("Go on") if broken else self.tr("Compare the rest")
        self.rest.setText(go_on)
        self.empty.button.setText(self.tr("Go on") if broken else self.tr("Compare all"))
        warnings = " ".join(forecast.warnings)
        self._next.setText(words)
        self._next.setToolTip(warnings)
        self.empty.say(self.tr("No two have been compared yet"), self._invitation(sides, forecast.time))

    def _invitation(self, sides: str, time: str) -> str:
        return self.tr(
            "Let every engine that can be built here show the last fifth of the clip, which none of them has "
            "seen: {names}. This takes {time} here, and you can go on working meanwhile."
        ).format(names=sides, time=time)

    def _show_work(self, job: Job | None) -> None:
        if job is None or job.status.over:
            self._next.setText(self.tr("Starting…"))
            self.bar.setRange(0, 0)
            return
        status, steps = job.status, job.plan.steps
        place = min(status.step, len(steps) - 1)
        self._next.setText(
            self.tr("Step {n} of {all}: {title}").format(
                n=place + 1, all=len(steps), title=steps[place].title
            )
        )
        left = status.seconds_left
        self._left.setText("" if left is None else self.tr("{time} left").format(time=duration(left)))
        self.bar.setRange(0, 0 if job.share is None else 1000)
        self.bar.setValue(round(1000 * (job.share or 0.0)))

    # Jobs

    def _job(self) -> Job | None:
        """The one at work on this clip, else the newest unfinished one that does what is missing."""
        subject, clip = self._session.subject, self._session.clip
        if subject is None or clip is None:
            return None
        ours = [
            job
            for job in reversed(self._session.jobs.jobs())
            if job.plan.kind == KIND and job.folder.parents[1] == subject.path and is_of(job.plan, clip)
        ]
        rest = self._found.rest if self._found is not None else None
        at_work = [job for job in ours if not job.status.over]
        broken = [
            job for job in ours if job.status.state in _BROKEN and rest is not None and rest.done_by(job.plan)
        ]
        return next(iter(at_work + broken), None)

    def _start_job(self, folder: object) -> None:
        self._session.jobs.start(folder, self._failed)  # type: ignore[arg-type]

    def _job_changed(self, job: Job) -> None:
        if job.plan.kind != KIND or not self._shown:
            return
        if not job.status.over:
            self._starting = False
        # A step more may be a row more.
        seen = (job.folder, job.status.step, job.status.over)
        if seen != self._seen:
            self._seen = seen
            if job.status.over:
                self._starting = False
            self._read()
        self._show()

    def _failed(self, error: Exception) -> None:
        self._starting = False
        self._show()
        self._session.fail(self.tr("The engines cannot be compared"), error)
