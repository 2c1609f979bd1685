"""Everything that was compared on a clip's held-out frames so far, and one job for what is still missing.

A comparison of two is kept on disk. Those of one clip with equal settings looked at the same frames with the
same measures, so their figures belong into one table. Nothing here loads what measures: a window may read it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.build_job import Build
from pipelines.compare_job import (
    STAGE,
    VERSION,
    CompareForecast,
    CompareSettings,
    Contender,
    minutes_to_judge,
    plan_comparison,
    with_weights,
)
from pipelines.compare_result import COMPARISON, FILE, Measure
from pipelines.forecast import forecast_build
from pipelines.job import JobPlan, Step, create_job, is_made, read_made
from pipelines.recipes import CLIP, TRACK
from pipelines.stage_costs import ClipSize, Machine
from studio.assets import AssetLibrary
from studio.domain.problem import Problem
from studio.domain.sequence import HELD_OUT
from studio.engines.catalog import ENGINES
from studio.project.documents import read_document
from studio.project.settings_json import settings_to_plain
from studio.project.store import ClipFolder, SubjectFolder

KIND = "compare all"
"""Of jobs that make all comparisons that are missing."""
HUB = "instant"
"""The engine that every other one is compared with: it is always there, and the one to beat."""
_MATTER = ("size", "nearest", "lpips", "weights")
"""Settings on which figures depend."""


@dataclass(frozen=True)
class Compared:
    """One avatar's figures."""

    side: Contender
    """Whose."""
    means: Mapping[str, float]
    """Measure id to its mean over the held-out frames."""
    fps: float
    """Frames a second that it drew."""


@dataclass(frozen=True)
class ComparedEngines:
    """All figures that there are on the same frames."""

    rows: tuple[Compared, ...] = ()
    """In the order in which they can be picked."""
    measures: tuple[Measure, ...] = ()
    """In the order tables show them."""
    nearest: Mapping[str, float] = field(default_factory=dict)
    """Measure id to the mean of the nearest training frame."""
    off: Mapping[str, str] = field(default_factory=dict)
    """Measure to why it is missing."""
    frames: int = 0
    """Frames compared."""

    def best(self, measure: Measure) -> frozenset[str]:
        """Ids of the sides that are best in a measure, as far as the shown digits say; none where only one
        has a value."""
        known = {row.side.id: row.means[measure.id] for row in self.rows if measure.id in row.means}
        if len(known) < 2:
            return frozenset()
        least = min(map(measure.loss, known.values()))
        texts = {measure.text(value) for value in known.values() if measure.loss(value) == least}
        return frozenset(name for name, value in known.items() if measure.text(value) in texts)


@dataclass(frozen=True)
class RestPlan:
    """One job that compares every engine that is not in the table yet with the instant one."""

    plan: JobPlan
    """What it does: twins that are missing and comparisons, the quickest first."""
    root: Path
    """The subject's folder."""
    sides: tuple[Contender, ...]
    """Who gets into the table."""
    builds: tuple[Build, ...]
    """Of all that it needs, each once."""

    def job(self) -> Path:
        """The job, created if new. Raises Problem when the disk says no."""
        return create_job(self.root / "jobs", self.plan)

    def done_by(self, other: JobPlan) -> bool:
        """Whether another job makes all of these comparisons, too: then that one can be gone on with."""
        outputs = {step.output for step in other.steps}
        return all(step.output in outputs for step in self.plan.steps if step.id == STAGE)


def read_compared(
    subject: SubjectFolder,
    clip: ClipFolder,
    sides: Sequence[Contender],
    settings: CompareSettings | None = None,
    assets: AssetLibrary | None = None,
) -> ComparedEngines:
    """Collect the finished comparisons of a clip that were made with the same settings.

    Args:
        subject: whose clip it is.
        clip: one of their clips.
        sides: what can be picked, see :func:`pipelines.compare_job.contenders`; figures of avatars that are
            not among them (e.g. of an earlier base model) are left out.
        settings: see :class:`CompareSettings`.
        assets: where weights of measures are looked for; None for none.
    """
    by_key = {side.build.plan.steps[-1].key: side for side in sides}
    wanted = settings_to_plain(with_weights(settings or CompareSettings(), assets))
    tracks = {_track(side.build.plan.steps).key for side in sides}
    found: dict[str, Compared] = {}
    latest = ComparedEngines()
    for _, folder in sorted(_finished(subject, clip, wanted, tracks)):
        with suppress(Problem, KeyError, TypeError, ValueError):  # whoever opens a damaged one is told
            content = read_document(folder / FILE, COMPARISON)
            measures = tuple(Measure(**entry) for entry in content["measures"])
            nearest, off = dict(content["means"]["nearest"]), dict(content["off"])
            latest = ComparedEngines((), measures, nearest, off, len(content["frames"]))
            for place in ("a", "b"):
                side = by_key.get(str(content["sides"][place]["key"]))
                if side is not None:
                    means, fps = dict(content["means"][place]), float(content["fps"][place])
                    found[side.id] = Compared(side, means, fps)
    rows = tuple(found[side.id] for side in sides if side.id in found)
    return ComparedEngines(rows, latest.measures, latest.nearest, latest.off, latest.frames)


def plan_the_rest(
    subject: SubjectFolder,
    clip: ClipFolder,
    sides: Sequence[Contender],
    compared: ComparedEngines,
    settings: CompareSettings | None = None,
    assets: AssetLibrary | None = None,
) -> RestPlan | None:
    """One job for every engine that is not in the table, each against the instant one; None for nothing.

    Of an engine that kind is taken whose twin is built already, else the one whose avatar is in use, else the
    quickest to build.
    """
    there = {row.side.engine: row.side for row in reversed(compared.rows)}
    by_engine = {engine: [side for side in sides if side.engine == engine] for engine in ENGINES}
    chosen = {engine: there.get(engine) or _likeliest(of) for engine, of in by_engine.items() if of}
    hub = chosen.get(HUB)
    others = [side for engine, side in chosen.items() if engine != HUB]
    lacking = [side for side in others if side.engine not in there]
    if hub is None or not others:
        return None
    if not lacking and HUB not in there:
        lacking = others[:1]
    if not lacking:
        return None
    steps: list[Step] = []
    for side in lacking:
        known = {step.output for step in steps}
        planned = plan_comparison(subject, clip, hub, side, settings, assets).plan.steps
        steps += [step for step in planned if step.output not in known]
    plan = JobPlan(KIND, f"{KIND} {subject.name}: {clip.clip.title}", tuple(steps), subject.name)
    gained = (*([] if HUB in there else [hub]), *(side for side in lacking if side.engine not in there))
    return RestPlan(plan, subject.path, gained, (hub.build, *(side.build for side in lacking)))


def forecast_rest(rest: RestPlan, clip: ClipSize, machine: Machine) -> CompareForecast:
    """What is still to come of it. Raises Problem where a setting is unusable."""
    ahead = [forecast_build(build, clip, machine) for build in rest.builds if not build.made]
    judging = minutes_to_judge(clip, machine)
    comparisons = [step for step in rest.plan.steps if step.id == STAGE]
    pending = sum(not is_made(rest.root / step.output, step.key) for step in comparisons)
    low, high = (sum(one.minutes[end] for one in ahead) + pending * judging[end] for end in (0, 1))
    warnings = dict.fromkeys(sentence for one in ahead for sentence in one.warnings)
    return CompareForecast((low, high), (bool(ahead), False), tuple(warnings))


def is_of(plan: JobPlan, clip: ClipFolder) -> bool:
    """Whether a job compares avatars of a clip."""
    return any(step.input_keys.get(CLIP) == clip.clip.key for step in plan.steps if step.id == STAGE)


def _likeliest(sides: Sequence[Contender]) -> Contender:
    made = [side for side in sides if side.build.made]
    used = [side for side in sides if side.used is not None]
    return (made or used or list(sides))[0]


def _finished(
    subject: SubjectFolder, clip: ClipFolder, wanted: Mapping[str, object], tracks: set[str]
) -> Iterable[tuple[str, Path]]:
    """When each comparison that fits was made, and its folder."""
    place = subject.path / "comparisons"
    for folder in place.iterdir() if place.is_dir() else ():
        with suppress(Problem, KeyError, AttributeError):
            made = read_made(folder)
            inputs, settings = made["inputs"], made["settings"]
            fits = made["stage"] == STAGE and made["version"] == VERSION and made["held_out"] == HELD_OUT
            same = inputs[CLIP] == clip.clip.key and inputs[TRACK.id] in tracks
            if fits and same and all(settings.get(name) == wanted[name] for name in _MATTER):
                yield str(made["made"]), folder


def _track(steps: Sequence[Step]) -> Step:
    return next(step for step in steps if step.id == TRACK.id)
