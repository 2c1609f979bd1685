"""Plan a comparison: two avatars that never saw the end of a clip, judged by it, as one job.

The finished avatars of a clip have usually seen all of it. What is compared is the twin of each: the same
settings, built without the end. Twins that are there already are found again, and so is the comparison.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pipelines.build_job import Build, avatars, plan_build
from pipelines.forecast import BuildForecast, duration, forecast_build
from pipelines.import_job import track_settings
from pipelines.job import JobPlan, Step, create_job, is_made, read_made
from pipelines.recipes import CLIP, RECIPES, TRACK
from pipelines.stage_costs import ClipSize, Machine
from studio.assets import AssetLibrary
from studio.domain.avatar import Avatar
from studio.domain.problem import Problem
from studio.domain.sequence import HELD_OUT
from studio.engines.catalog import ENGINES
from studio.project.settings_json import settings_from_plain
from studio.project.store import ClipFolder, SubjectFolder

KIND = "compare"
"""Of jobs that compare."""
STAGE = "compare"
VERSION = 1
OWN = "own"
"""Stands for the preset of an avatar whose settings are no preset's."""
_SECONDS = (0.15, 0.5)
"""What a frame takes on two processor cores: four pictures are drawn or read, looked at and measured."""


@dataclass(frozen=True)
class CompareSettings:
    """How two avatars are compared."""

    size: int = 256
    """Side of the aligned crop in which everything is compared, pixels."""
    nearest: Literal["landmarks", "parameters"] = "landmarks"
    """What makes a training frame the nearest one: its landmarks, or its head parameters."""
    lpips: Literal["vgg", "alex"] = "vgg"
    """Trunk of LPIPS; figures of different trunks cannot be compared."""
    pictures: int = 450
    """Most frames whose pictures are kept: of a longer end every second or third is. Figures use all."""
    weights: tuple[str, ...] = ()
    """Weights that were here when it was planned: with new ones there is more to measure."""


@dataclass(frozen=True)
class Contender:
    """One side of a comparison: a kind of avatar of the clip."""

    engine: str
    """Engine id."""
    preset: str
    """One of the engine's presets, or :data:`OWN` and the key of the avatar that has these settings."""
    build: Build
    """Of the twin that never saw the end."""
    used: Avatar | None = None
    """The avatar that saw everything, if it is built."""

    @property
    def id(self) -> str:
        """What a window remembers it by."""
        return f"{self.engine}:{self.preset}"


@dataclass(frozen=True)
class ComparePlan:
    """A comparison, made or about to be."""

    plan: JobPlan
    """What makes it, the twins included."""
    root: Path
    """The subject's folder."""
    swapped: bool
    """Whether what was asked for as A is the second of the two avatars in the result."""
    builds: tuple[Build, Build]
    """Of the twins, A and B."""

    @property
    def folder(self) -> Path:
        """Of the result."""
        return self.root / self.plan.steps[-1].output

    @property
    def made(self) -> bool:
        """Whether it is there."""
        return is_made(self.folder, self.plan.steps[-1].key)

    def job(self) -> Path:
        """The job that makes it, created if new. Raises Problem when the disk says no."""
        return create_job(self.root / "jobs", self.plan)


@dataclass(frozen=True)
class CompareForecast:
    """What a comparison will take."""

    minutes: tuple[float, float]
    """From, to, with what must be built."""
    building: tuple[bool, bool]
    """Whether A and B must be built first."""
    warnings: tuple[str, ...]
    """Sentences on what will not go well here."""

    @property
    def time(self) -> str:
        """For a person: ``less than a minute``, ``2 to 3 min``."""
        return duration(self.minutes)


def contenders(
    subject: SubjectFolder, clip: ClipFolder, stages: Mapping[str, Any] | None = None
) -> list[Contender]:
    """Everything that can be compared on a clip: every preset of every engine that can run here, then
    avatars of the clip with settings of their own.

    Args:
        subject: whose clip it is.
        clip: one of their clips.
        stages: stage id to settings that presets are built with here, e.g. wishes for pivots.

    Raises:
        Problem: a setting is out of its range.
    """
    here = {avatar.folder: avatar for avatar in avatars(subject) if _is_of(avatar, clip)}
    found: dict[Path, Contender] = {}
    for engine, spec in ENGINES.items():
        if spec.missing(subject.home) is None:
            for preset in spec.presets:
                build = plan_build(subject, clip, engine, preset, stages, HELD_OUT)
                whole = plan_build(subject, clip, engine, preset, stages)
                found.setdefault(build.avatar, Contender(engine, preset, build, here.pop(whole.avatar, None)))
    for avatar in here.values():
        own = ENGINES.get(avatar.engine)
        if own is None or own.missing(subject.home) is not None or avatar.lineage.get("held_out"):
            continue
        with suppress(Problem):
            settings = {**settings_of(subject, avatar), TRACK.id: track_settings(clip)}
            build = plan_build(subject, clip, avatar.engine, own.presets[0], settings, HELD_OUT)
            found.setdefault(build.avatar, Contender(avatar.engine, f"{OWN}-{avatar.key}", build, avatar))
    return list(found.values())


def settings_of(subject: SubjectFolder, avatar: Avatar) -> dict[str, Any]:
    """Stage id to the settings that an avatar was built with, its tracking left out.

    Raises:
        Problem: something that it was built from is gone, or of a version that this program does not know.
    """
    keys = {**avatar.lineage.get("inputs", {}), avatar.engine: avatar.key}
    found = {}
    for stage in RECIPES[avatar.engine]:
        if stage.id != TRACK.id:
            made = read_made(subject.path / stage.place.replace("{key}", str(keys.get(stage.id, "gone"))))
            found[stage.id] = settings_from_plain(stage.settings_class, made["settings"])
    return found


def plan_comparison(
    subject: SubjectFolder,
    clip: ClipFolder,
    a: Contender,
    b: Contender,
    settings: CompareSettings | None = None,
    assets: AssetLibrary | None = None,
) -> ComparePlan:
    """Plan comparing two contenders; who is called A makes no difference to what is worked out.

    Args:
        subject: whose clip it is.
        clip: one of their clips.
        a, b: see :func:`contenders`.
        settings: see :class:`CompareSettings`.
        assets: where weights of measures are looked for; None for none.

    Raises:
        Problem: it is twice the same one.
    """
    if a.build.avatar == b.build.avatar:
        raise Problem("Both sides are the same avatar: choose another one for A or for B.")
    first, second = sorted((a, b), key=lambda side: side.build.avatar.name)
    steps: list[Step] = list(first.build.plan.steps)
    known = {step.output for step in steps}
    steps += [step for step in second.build.plan.steps if step.output not in known]
    chosen = with_weights(settings or CompareSettings(), assets)
    track = next(step for step in steps if step.id == TRACK.id)
    last = [side.build.plan.steps[-1] for side in (first, second)]
    source = clip.source.relative_to(subject.path).as_posix()
    steps.append(
        Step.plan(
            id=STAGE,
            title="Comparing on frames that neither has seen",
            work="pipelines.compare_work:compare",
            settings_class="pipelines.compare_job:CompareSettings",
            settings=chosen,
            version=VERSION,
            inputs={
                CLIP: (source, clip.clip.key),
                TRACK.id: (track.output, track.key),
                "a": (last[0].output, last[0].key),
                "b": (last[1].output, last[1].key),
            },
            output=lambda key: f"comparisons/{key}",
            held_out=HELD_OUT,
        )
    )
    title = f"{KIND} {subject.name}: {clip.clip.title}"
    plan = JobPlan(KIND, title, tuple(steps), subject.name)
    return ComparePlan(plan, subject.path, first is b, (a.build, b.build))


def forecast_comparison(plan: ComparePlan, clip: ClipSize, machine: Machine) -> CompareForecast:
    """What is still to come of a comparison.

    Args:
        plan: as planned.
        clip: see :func:`pipelines.forecast.clip_size`.
        machine: see :func:`pipelines.forecast.this_machine`.

    Raises:
        Problem: a setting is unusable.
    """
    nothing = BuildForecast((0.0, 0.0), 0.0, 0.0, "clock", machine, ())
    ahead = [nothing if build.made else forecast_build(build, clip, machine) for build in plan.builds]
    judging = (0.0, 0.0) if plan.made else minutes_to_judge(clip, machine)
    low, high = (sum(side.minutes[end] for side in ahead) + judging[end] for end in (0, 1))
    warnings = dict.fromkeys(sentence for side in ahead for sentence in side.warnings)
    building = (not plan.builds[0].made, not plan.builds[1].made)
    return CompareForecast((low, high), building, tuple(warnings))


def minutes_to_judge(clip: ClipSize, machine: Machine) -> tuple[float, float]:
    """What looking at the end of a clip takes for two avatars that are built: from, to."""
    low, high = (clip.frames * HELD_OUT * seconds / 60 / machine.processor for seconds in _SECONDS)
    return low, high


def _is_of(avatar: Avatar, clip: ClipFolder) -> bool:
    return bool(avatar.lineage.get("inputs", {}).get(CLIP) == clip.clip.key)


def with_weights(settings: CompareSettings, assets: AssetLibrary | None) -> CompareSettings:
    """The same settings with the names of the weights that measures would use and that are here."""
    wanted = (f"lpips-{settings.lpips}", "identity-mobilefacenet") if assets is not None else ()
    here = tuple(name for name in wanted if assets is not None and assets.missing(name) is None)
    return replace(settings, weights=here)
