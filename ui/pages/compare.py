"""The Compare page: two avatars on the same frames, which neither has seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QFrame, QProgressBar, QStackedWidget, QVBoxLayout

from pipelines.compare_job import KIND, Contender
from ui.bridge.jobs import Job
from ui.pages.compare_everything import EverythingView
from ui.pages.compare_offer import Offer, Prospect, read_offer, read_prospect, title
from ui.pages.compare_result import ResultView
from ui.pages.page import Page
from ui.session import Session
from ui.theme import GAP
from ui.widgets.empty_state import EmptyState
from ui.widgets.plain import button, card, label, row
from ui.words import duration

T = TypeVar("T")


class ComparePage(Page):
    """Pick A and B; what was compared before is there at once, the rest is a job."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._offer = Offer(False)
        self._prospect: Prospect | None = None
        self._turn = 0
        self._shown = False
        self._starting = False
        self.a, self.b = self._box("A"), self._box("B")
        self.swap = button(self.tr("Swap"), self.exchange, "flat", "swap", self.tr("Exchange A and B"))
        self.nothing = EmptyState(
            "capture",
            self.tr("There is nothing to compare yet"),
            self.tr("Import a clip and let it be tracked first; then avatars of it can be compared."),
            self.tr("Go to Capture"),
            lambda: session.show_page("capture"),
        )
        self.ready = EmptyState(
            "compare",
            self.tr("Which one is closer to life?"),
            self.tr("Looking at what is there…"),
            self.tr("Compare"),
            self.start,
        )
        self.ready.button.setEnabled(False)
        self._warnings = label(role="warn", wrap=True)
        self.result = ResultView(session)
        self.everything = EverythingView(session)
        self.all = button(
            self.tr("All engines"), self._turned, tip=self.tr("Everything that was compared, in one table")
        )
        self.all.setCheckable(True)
        self._states = QStackedWidget()
        for state in (self.nothing, self.ready, self._working(), self.result, self.everything):
            self._states.addWidget(state)
        inside = QVBoxLayout(self)
        inside.setContentsMargins(2 * GAP, 2 * GAP, 2 * GAP, 2 * GAP)
        inside.setSpacing(GAP)
        self._versus = label(self.tr("against"), "hint")
        inside.addLayout(
            row(
                *(label(self.tr("Compare"), "title"), GAP, self.a, self._versus, self.b, self.swap, None),
                self.all,
            )
        )
        inside.addWidget(self._warnings)
        inside.addWidget(self._states, 1)
        self._warnings.hide()
        self._picks(False)
        session.subject_changed.connect(self._changed)
        session.clip_changed.connect(self._changed)
        session.library_changed.connect(self._changed)
        session.jobs.changed.connect(self._job_changed)

    @property
    def state(self) -> str:
        """What is shown: nothing, ready, working, result or everything."""
        names = ("nothing", "ready", "working", "result", "everything")
        return names[self._states.currentIndex()]

    def enter(self) -> None:
        """It is shown now."""
        self._shown = True
        self._read()

    def leave(self) -> None:
        """It is hidden now."""
        self._shown = False
        self.result.pause()
        self.everything.leave()

    def start(self) -> None:
        """Compare what is picked, or go on with it."""
        prospect = self._prospect
        if prospect is None or self._starting or prospect.plan.made:
            return
        self._starting = True
        self.ready.button.setEnabled(False)
        self.session.background.run(self, prospect.plan.job, self._start_job, self._failed)

    def stop(self) -> None:
        """Stop the comparison; going on takes up where it was."""
        job = self._job()
        if job is not None:
            self.session.jobs.stop(job.folder)
            self.stop_button.setEnabled(False)
            self._left.setText(self.tr("Stopping…"))

    def exchange(self) -> None:
        """A becomes B."""
        a, b = self.a.currentIndex(), self.b.currentIndex()
        self.a.setCurrentIndex(b)
        self.b.setCurrentIndex(a)
        self._picked()

    # Looking at the disk

    def _changed(self) -> None:
        if self._shown:
            self._read()

    def _read(self) -> None:
        subject, clip = self.session.subject, self.session.clip
        self._turn += 1
        if subject is None or clip is None:
            self._show_offer(Offer(False))
            return
        turn = self._turn
        self.session.background.run(
            self,
            lambda: read_offer(subject, clip),
            lambda offer: self._if_current(turn, self._show_offer, offer),
            self._failed,
        )

    def _if_current(self, turn: int, do: Callable[[T], None], found: T) -> None:
        """Whoever asked before the last question is not told."""
        if turn == self._turn:
            do(found)

    def _show_offer(self, offer: Offer) -> None:
        self._offer = offer
        self._picks(offer.tracked)
        if not offer.tracked:
            self._say_nothing(offer.photo)
            self.result.clear()
            self._prospect = None
            self._states.setCurrentWidget(self.nothing)
            self._warnings.hide()
            self.everything.leave()
            return
        wanted = self._wanted()
        for box, chosen in ((self.a, wanted[0]), (self.b, wanted[1])):
            box.blockSignals(True)
            box.clear()
            for side in offer.sides.values():
                words = title(side) if side.used or side.build.made else self._not_built(side)
                box.addItem(words, side.id)
            box.setCurrentIndex(max(0, box.findData(chosen)))
            box.blockSignals(False)
        self._turned()

    @property
    def _all_shown(self) -> bool:
        return self.all.isChecked() and self._offer.tracked

    def _turned(self) -> None:
        """To the table of all engines, or back to A and B."""
        self._picks(self._offer.tracked)
        if self._all_shown:
            self.result.pause()
            self._warnings.hide()
            self._states.setCurrentWidget(self.everything)
            self.everything.enter(self._offer)
        else:
            self.everything.leave()
            self._plan()

    def _say_nothing(self, photo: bool) -> None:
        """Why there is nothing to compare."""
        title = self.tr("There is nothing to compare yet")
        words = self.tr("Import a clip and let it be tracked first; then avatars of it can be compared.")
        if photo:
            title = self.tr("A photo has nothing to compare with")
            words = self.tr(
                "Avatars are judged by the end of their clip, which they never see. A photo has none: add a "
                "clip of the same person, or look at its avatars one after the other in Perform."
            )
        self.nothing.say(title, words)

    def _wanted(self) -> tuple[str, str]:
        """Ids of A and B: as last time for this clip, else the open avatar and the next that is built."""
        clip, sides = self.session.clip, self._offer.sides
        key = clip.clip.key if clip is not None else ""
        known = [self.session.preferences.text(f"compare.{key}.{side}") for side in ("a", "b")]
        if all(name in sides for name in known):
            return known[0], known[1]
        avatar = self.session.avatar
        built = [name for name, side in sides.items() if side.used is not None or side.build.made]
        opened = [
            name
            for name, side in sides.items()
            if avatar is not None
            and avatar.folder in (side.build.avatar, side.used.folder if side.used is not None else None)
        ]
        order = list(dict.fromkeys([*opened, *built, *sides]))
        return order[0], order[min(1, len(order) - 1)]

    def _picked(self) -> None:
        clip = self.session.clip
        if clip is not None:
            for name, box in (("a", self.a), ("b", self.b)):
                self.session.preferences.keep(f"compare.{clip.clip.key}.{name}", str(box.currentData()))
        self._plan()

    def _plan(self) -> None:
        subject, clip = self.session.subject, self.session.clip
        a, b = (self._offer.sides.get(str(box.currentData())) for box in (self.a, self.b))
        if subject is None or clip is None or a is None or b is None:
            return
        self._turn += 1
        if a is b:
            self._same()
            return
        turn, store = self._turn, self.session.store
        self.session.background.run(
            self,
            lambda: read_prospect(store, subject, clip, a, b),
            lambda prospect: self._if_current(turn, self._show, prospect),
            self._failed,
        )

    # What is shown

    def _show(self, prospect: Prospect) -> None:
        self._prospect = prospect
        if self._all_shown:
            return
        job = self._job()
        self._warnings.setVisible(False)
        if prospect.result is not None:
            self.result.show_comparison(prospect.result)
            self._states.setCurrentWidget(self.result)
            return
        self.result.pause()
        if self._starting or (job is not None and not job.status.over):
            self._show_work(job)
            return
        self._warnings.setText(" ".join(prospect.forecast.warnings))
        self._warnings.setVisible(bool(prospect.forecast.warnings))
        self.ready.button.setEnabled(True)
        self.ready.button.setText(self.tr("Compare"))
        self.ready.say(self.tr("Which one is closer to life?"), self._forecast_words(prospect))
        if job is not None and job.status.state in ("stopped", "crashed", "failed"):
            self.ready.button.setText(self.tr("Go on"))
            why = job.status.message or self.tr("It was stopped; what was done so far is kept.")
            self.ready.say(self.tr("This comparison is not finished"), why)
        self._states.setCurrentWidget(self.ready)

    def _forecast_words(self, prospect: Prospect) -> str:
        forecast = prospect.forecast
        sides = [box.currentText().partition("  (")[0] for box in (self.a, self.b)]
        missing = [name for name, must in zip(sides, forecast.building) if must]
        words = self.tr(
            "Both are judged on the last fifth of the clip, which neither may have seen while learning."
        )
        if missing:
            both = self.tr(" and ").join(missing)
            words += " " + self.tr("So {names} must be built without it first.").format(names=both)
        return (
            words
            + " "
            + self.tr("This takes {time} here, and you can go on working meanwhile.").format(
                time=forecast.time
            )
        )

    def _same(self) -> None:
        self._prospect = None
        self._warnings.hide()
        self.ready.say(
            self.tr("Choose two different ones"),
            self.tr("A and B are the same avatar. Pick another engine or preset for one of them."),
        )
        self.ready.button.setEnabled(False)
        self._states.setCurrentWidget(self.ready)

    def _working(self) -> QFrame:
        made = card()
        made.setMaximumWidth(560)
        inside = made.layout()
        assert isinstance(inside, QVBoxLayout)
        self._stage = label(role="heading", wrap=True)
        self._what, self._left = label(role="hint"), label(role="hint")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(self.tr("Progress"))
        self.stop_button = button(
            self.tr("Stop"), self.stop, picture="stop", tip=self.tr("Going on takes up where it was")
        )
        inside.addWidget(self._stage)
        inside.addWidget(self.bar)
        inside.addLayout(row(self._what, None, self._left))
        hint = self.tr("It goes on while you work elsewhere, also when the window is closed.")
        inside.addLayout(row(label(hint, "hint", wrap=True), None, self.stop_button))
        around = QFrame()
        outside = QVBoxLayout(around)
        outside.addStretch(2)
        outside.addWidget(made, 0, Qt.AlignmentFlag.AlignHCenter)
        outside.addStretch(3)
        made.setMinimumWidth(480)
        return around

    def _show_work(self, job: Job | None) -> None:
        self._states.setCurrentIndex(2)
        self.stop_button.setEnabled(job is not None)
        if job is None:
            self._stage.setText(self.tr("Starting…"))
            self._what.setText("")
            self._left.setText("")
            self.bar.setRange(0, 0)
            return
        status, steps = job.status, job.plan.steps
        place = min(status.step, len(steps) - 1)
        self._stage.setText(
            self.tr("Step {n} of {all}: {title}").format(
                n=place + 1, all=len(steps), title=steps[place].title
            )
        )
        self._what.setText(status.what[:1].upper() + status.what[1:])
        left = status.seconds_left
        self._left.setText("" if left is None else self.tr("{time} left").format(time=duration(left)))
        self.bar.setRange(0, 0 if job.share is None else 1000)
        self.bar.setValue(round(1000 * (job.share or 0.0)))

    # Jobs

    def _job(self) -> Job | None:
        if self._prospect is None:
            return None
        plan = self._prospect.plan
        return self.session.jobs.of(plan.root / "jobs" / plan.plan.id)

    def _start_job(self, folder: object) -> None:
        self._starting = False
        self.session.jobs.start(folder, self._failed)  # type: ignore[arg-type]
        if not self._all_shown:
            self._show_work(None)

    def _job_changed(self, job: Job) -> None:
        prospect = self._prospect
        if (
            self._all_shown
            or job.plan.kind != KIND
            or prospect is None
            or job.plan.id != prospect.plan.plan.id
        ):
            return
        if not job.status.over:
            if prospect.result is None:
                self._show_work(job)
        elif self._shown:
            self._plan()

    def _failed(self, error: Exception) -> None:
        self._starting = False
        self.ready.button.setEnabled(self._prospect is not None)
        self.session.fail(self.tr("The comparison cannot be made"), error)

    def _picks(self, visible: bool) -> None:
        self.all.setVisible(visible)
        for part in (self.a, self.b, self._versus, self.swap):
            part.setVisible(visible and not self._all_shown)

    def _not_built(self, side: Contender) -> str:
        return self.tr("{name}  (to build)").format(name=title(side))

    def _box(self, name: str) -> QComboBox:
        made = QComboBox()
        made.setAccessibleName(self.tr("Avatar {name}").format(name=name))
        made.setToolTip(self.tr("Any engine and preset, built or not"))
        made.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        made.setMinimumWidth(160)
        made.setMaximumWidth(330)
        made.activated.connect(lambda _: self._picked())
        return made
