"""Which avatar to build: engines, presets, what each takes here, and the button."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from PySide6.QtWidgets import QVBoxLayout, QWidget

from pipelines.build_job import Build, plan_build
from pipelines.forecast import BuildForecast, clip_size, forecast_build, this_machine
from pipelines.import_job import is_photo
from pipelines.pivot_job import wished
from studio.domain.pivots import PivotWishes
from studio.domain.problem import Problem
from studio.engines.catalog import ENGINES
from studio.project.avatar_files import load_avatar
from studio.project.store import ClipFolder, SubjectFolder
from ui.bridge.jobs import Job
from ui.session import Session
from ui.theme import GAP
from ui.widgets.engine_card import EngineCard
from ui.widgets.plain import button, label, row
from ui.words import tr


@dataclass(frozen=True)
class Offer:
    """One engine and preset for the open clip."""

    build: Build
    """What would be made."""
    forecast: BuildForecast
    """What it takes."""


@dataclass(frozen=True)
class Offers:
    """Everything that could be built from the open clip."""

    photo: bool = False
    """Whether it is a photo."""
    offers: Mapping[tuple[str, str], Offer] = field(default_factory=dict)
    """By engine and preset."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """Engine to why it cannot be built here and now, one sentence."""


def read_offers(subject: SubjectFolder, clip: ClipFolder, wishes: PivotWishes) -> Offers:
    """Plan everything that could be built and forecast it. Raises Problem when the clip cannot be read."""
    machine, photo = this_machine(subject.path), is_photo(clip)
    found: dict[tuple[str, str], Offer] = {}
    missing: dict[str, str] = {}
    size = None
    for engine, spec in ENGINES.items():
        lacks = spec.missing(subject.home)
        if photo and not spec.from_photo:
            lacks = tr("It learns from a clip, and this is one photo: add a clip of the same person.")
        if lacks is not None:
            missing[engine] = lacks
            continue
        for preset in spec.presets:
            build = plan_build(subject, clip, engine, preset, {} if photo else wished(wishes))
            size = size or clip_size(build)
            found[engine, preset] = Offer(build, forecast_build(build, size, machine))
    return Offers(photo, found, missing)


class TrainBuild(QWidget):
    """Engine cards, of which one is chosen, and the page's one primary button."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._wishes = PivotWishes()
        self._offers = Offers()
        self._starting: str | None = None
        self.cards = {engine: EngineCard(spec) for engine, spec in ENGINES.items()}
        self._trust = label(role="hint", wrap=True)
        self.warnings = label(role="warn", wrap=True)
        self.build = button(self.tr("Build"), self.go_on, "primary")
        self.build.setMinimumWidth(150)
        inside = QVBoxLayout(self)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(GAP)
        inside.addWidget(label(self.tr("Build an avatar"), "heading"))
        for engine, card in self.cards.items():
            card.chosen.connect(lambda engine=engine: self.choose(engine))
            card.preset_changed.connect(lambda _: self._say())
            inside.addWidget(card)
        inside.addWidget(self.warnings)
        foot = row(self._trust, self.build)
        foot.setStretch(0, 1)
        inside.addLayout(foot)
        remembered = session.preferences.text("train.engine", next(iter(self.cards)))
        self._engine = remembered if remembered in self.cards else next(iter(self.cards))
        for engine, card in self.cards.items():
            first = "standard" if card.spec.from_photo else card.spec.presets[0]
            card.choose_preset(session.preferences.text(f"train.{engine}", first))
        session.jobs.changed.connect(self._job_changed)
        self.choose(self._engine)

    @property
    def chosen(self) -> tuple[str, str]:
        """Engine and preset."""
        return self._engine, self.cards[self._engine].preset

    def choose(self, engine: str, preset: str = "") -> None:
        """Choose what to build."""
        self._engine = engine
        self.cards[engine].choose_preset(preset)
        for name, card in self.cards.items():
            card.set_chosen(name == engine)
        self._say()

    def read(self, wishes: PivotWishes) -> None:
        """Forecast anew for the open clip, with pivots as wished."""
        self._wishes = wishes
        subject, clip = self._session.subject, self._session.clip
        if subject is None or clip is None:
            self._take(Offers())
            return
        self._session.background.run(
            self, lambda: read_offers(subject, clip, wishes), self._take, self._failed
        )

    def go_on(self) -> None:
        """Build what is chosen, or perform with it if it is there."""
        offer = self._offers.offers.get(self.chosen)
        if offer is None:
            return
        if offer.build.made:
            self._perform(offer.build)
            return
        engine, preset = self.chosen
        self._session.preferences.keep("train.engine", engine)
        self._session.preferences.keep(f"train.{engine}", preset)
        self._starting = offer.build.plan.id
        self._say()
        self._session.background.run(self, offer.build.job, self._session.jobs.start, self._not_started)

    def _perform(self, build: Build) -> None:
        try:
            self._session.open_avatar(load_avatar(build.avatar))
        except Problem as problem:
            self._session.fail(self.tr("The avatar cannot be opened"), problem)
            return
        self._session.show_page("perform")

    def _take(self, offers: Offers) -> None:
        before, self._offers = self._offers, offers
        for engine, card in self.cards.items():
            card.show_missing(offers.missing.get(engine))
            card.show_forecasts({p: offer.forecast for (e, p), offer in offers.offers.items() if e == engine})
        possible = [engine for engine, card in self.cards.items() if card.missing is None]
        if offers.photo and not before.photo:
            self.choose(possible[-1])  # the one that has learnt most of those that one picture is enough for
        elif self._engine not in possible:
            self.choose(possible[0])
        else:
            self._say()

    def _say(self) -> None:
        offer = self._offers.offers.get(self.chosen)
        forecast = None if offer is None else offer.forecast
        self._trust.setText("" if forecast is None else forecast.trust)
        self.warnings.setText("" if forecast is None else " ".join(forecast.warnings))
        self.warnings.setVisible(bool(self.warnings.text()))
        at_work = offer is not None and self._at_work(offer.build.plan.id)
        if offer is not None and offer.build.made:
            words = self.tr("Perform with it")
        else:
            words = self.tr("Building…") if at_work else self.tr("Build")
        self.build.setText(words)
        self.build.setEnabled(offer is not None and not at_work)

    def _at_work(self, plan: str) -> bool:
        going = any(job.plan.id == plan and not job.status.over for job in self._session.jobs.jobs())
        return going or self._starting == plan

    def _job_changed(self, job: Job) -> None:
        if job.plan.id == self._starting and job.status.state != "queued":
            self._starting = None
        if job.plan.kind == "build":
            self._say()

    def _failed(self, error: Exception) -> None:
        self._take(Offers())
        self._session.fail(self.tr("This clip cannot be built from"), error)

    def _not_started(self, error: Exception) -> None:
        self._starting = None
        self._say()
        self._session.fail(self.tr("The build did not start"), error)
