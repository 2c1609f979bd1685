"""What can be compared on a clip, and what is known of a pair: read from the disk, on a thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from PySide6.QtCore import QCoreApplication

from pipelines.compare_job import (
    OWN,
    CompareForecast,
    ComparePlan,
    Contender,
    contenders,
    forecast_comparison,
    plan_comparison,
)
from pipelines.compare_result import Comparison, load_comparison
from pipelines.compared_engines import (
    ComparedEngines,
    RestPlan,
    forecast_rest,
    plan_the_rest,
    read_compared,
)
from pipelines.forecast import clip_size, this_machine
from pipelines.import_job import is_photo
from pipelines.job import is_made
from pipelines.pivot_job import wished
from studio.assets import AssetLibrary
from studio.engines.catalog import ENGINES
from studio.project.pivot_files import load_wishes
from studio.project.store import ClipFolder, Store, SubjectFolder
from ui.words import engine_title


@dataclass(frozen=True)
class Offer:
    """What is known of the open clip."""

    tracked: bool
    """Whether anything can be built from it and judged by its end."""
    photo: bool = False
    """Whether it is a photo, which has no end."""
    sides: Mapping[str, Contender] = field(default_factory=dict)
    """What can be compared, by id."""


@dataclass(frozen=True)
class Prospect:
    """What is known of a pair."""

    plan: ComparePlan
    """What would be done."""
    forecast: CompareForecast
    """What that takes."""
    result: Comparison | None
    """What came of it, if it is done."""


def read_offer(subject: SubjectFolder, clip: ClipFolder) -> Offer:
    """Look at the disk. Raises Problem when something there is damaged."""
    if is_photo(clip):
        return Offer(False, photo=True)
    found = contenders(subject, clip, wished(load_wishes(clip.path)))
    if not found:
        return Offer(False)
    sequence = found[0].build.sequence()
    return Offer(is_made(sequence, sequence.name), sides={side.id: side for side in found})


def read_prospect(
    store: Store, subject: SubjectFolder, clip: ClipFolder, a: Contender, b: Contender
) -> Prospect:
    """Plan a pair, and read what came of it. Raises Problem when both are the same."""
    plan = plan_comparison(subject, clip, a, b, assets=AssetLibrary(store.home))
    forecast = forecast_comparison(plan, clip_size(a.build), this_machine(store.home))
    names = (title(a), title(b))
    return Prospect(plan, forecast, load_comparison(plan.folder, names, plan.swapped) if plan.made else None)


@dataclass(frozen=True)
class Everything:
    """What is known of all engines together."""

    compared: ComparedEngines
    """The figures that there are."""
    rest: RestPlan | None
    """What would be done for the others; None where there are none."""
    forecast: CompareForecast | None
    """What that takes."""
    lacking: Mapping[str, str]
    """Engine id to why it cannot be compared here, one sentence."""


def read_everything(store: Store, subject: SubjectFolder, clip: ClipFolder, offer: Offer) -> Everything:
    """Collect what was compared, and plan the rest. Raises Problem when something there is damaged."""
    assets, sides = AssetLibrary(store.home), list(offer.sides.values())
    compared = read_compared(subject, clip, sides, assets=assets)
    rest = plan_the_rest(subject, clip, sides, compared, assets=assets)
    forecast = None
    if rest is not None:
        forecast = forecast_rest(rest, clip_size(rest.builds[0]), this_machine(store.home))
    reasons = {engine: spec.missing(store.home) for engine, spec in ENGINES.items()}
    return Everything(compared, rest, forecast, {engine: why for engine, why in reasons.items() if why})


def title(side: Contender) -> str:
    """What a person calls one side."""
    preset, _, key = side.preset.partition("-")
    words = (
        QCoreApplication.translate("compare", "own settings {key}").format(key=key[:4])
        if preset == OWN and key
        else side.preset.capitalize()
    )
    return f"{engine_title(side.engine)} · {words}"
