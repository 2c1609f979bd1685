"""Plan what `build` makes and find avatars that are made."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.import_job import is_photo, track_settings
from pipelines.job import JobPlan, create_job, is_made
from pipelines.recipes import RECIPES, TRACK, plan, result, settings_for
from studio.domain.avatar import Avatar
from studio.domain.problem import Problem
from studio.engines.catalog import ENGINES, engine_spec
from studio.engines.engine import EngineSpec
from studio.project.avatar_files import load_avatar
from studio.project.command_words import command_line
from studio.project.store import ClipFolder, SubjectFolder

PRESET = "standard"
"""What is built when nothing is said."""
BAKED = "baked"
"""Entry in the lineage of copies into which edits were baked, see :mod:`pipelines.bake_edits`."""


NOTHING_HELD_OUT = (
    "A photo is one picture, so nothing can be kept back to judge its avatars by: measure the engine on a "
    "clip, or on many people with evaluate-people."
)


def learns_from_clips(spec: EngineSpec) -> str:
    """The sentence for an engine that one picture is too little for."""
    return (
        f"{spec.title} learns from a clip, and this is one photo: import a clip of the same person, or build "
        f"{_FROM_PHOTO}."
    )


_FROM_PHOTO = " or ".join(engine for engine, spec in ENGINES.items() if spec.from_photo)


@dataclass(frozen=True)
class Build:
    """An avatar, made or about to be."""

    plan: JobPlan
    """What makes it."""
    clip: ClipFolder
    """The clip it is made from."""
    avatar: Path
    """Its folder."""
    made: bool
    """Whether it is there."""

    def job(self) -> Path:
        """The job that makes it, created if new. Raises Problem when the disk says no."""
        return create_job(self.clip.path.parents[1] / "jobs", self.plan)

    def sequence(self) -> Path:
        """Folder of the tracked sequence it is made from."""
        step = next(step for step in self.plan.steps if step.id == TRACK.id)
        return self.clip.path.parents[1] / step.output


def plan_build(
    subject: SubjectFolder,
    clip: ClipFolder,
    engine: str,
    preset: str = PRESET,
    settings: Mapping[str, Any] | None = None,
    held_out: float = 0.0,
) -> Build:
    """Plan an avatar of a clip.

    Args:
        subject: whose it is.
        clip: one of their clips.
        engine: engine id.
        preset: one of the engine's presets.
        settings: stage id to settings, where they differ from the preset's. The clip is tracked as it was
            when it was imported unless this says otherwise.
        held_out: share of the clip's end that the avatar must not see.

    Raises:
        Problem: unknown engine or preset, the engine cannot run here, or the clip is a photo and the engine
            learns from clips, or something is to be held out of it.
    """
    if not 0.0 <= held_out < 1.0:
        raise Problem(f"The share held out must be from 0 to less than 1, not {held_out:g}.")
    spec = engine_spec(engine, subject.home)
    if is_photo(clip):
        if not spec.from_photo:
            raise Problem(learns_from_clips(spec))
        if held_out:
            raise Problem(NOTHING_HELD_OUT)
    chosen = {**settings_for(engine, preset), TRACK.id: track_settings(clip), **(settings or {})}
    job_plan = plan("build", subject.name, RECIPES[engine], clip, chosen, held_out)
    avatar = result(job_plan, clip)
    return Build(job_plan, clip, avatar, is_made(avatar, job_plan.steps[-1].key))


def avatars(subject: SubjectFolder) -> list[Avatar]:
    """Finished avatars that can be read, oldest first."""
    found = []
    for folder in subject.avatars():
        with suppress(Problem):
            found.append(load_avatar(folder))
    return found


def find_avatar(
    subject: SubjectFolder, engine: str | None, clip: ClipFolder | None = None, baked: bool = False
) -> Avatar:
    """The newest avatar, one that saw the whole clip being preferred to one made for evaluation.

    Args:
        subject: whose it is.
        engine: engine id; None for any.
        clip: what it was built from; None for any.
        baked: the newest copy with baked edits; otherwise such a copy comes after all others.

    Raises:
        Problem: there is none that fits.
    """
    fitting = [
        avatar
        for avatar in avatars(subject)
        if (engine is None or avatar.engine == engine)
        and (clip is None or avatar.lineage.get("inputs", {}).get("clip") == clip.clip.key)
        and (BAKED in avatar.lineage or not baked)
    ]
    if not fitting and baked:
        raise Problem(
            f"{subject.name} has no copy with baked edits: make one with "
            f"{command_line('edit', subject.name, '--bake')}"
        )
    if not fitting:
        kind = f" {engine}" if engine else ""
        build = command_line("build", subject.name, f"--engine {engine}" if engine else "")
        raise Problem(f"{subject.name} has no{kind} avatar yet: run {build} first.")

    def worth(item: tuple[int, Avatar]) -> tuple[bool, bool, int]:
        place, avatar = item
        return BAKED not in avatar.lineage, not avatar.lineage.get("held_out"), place

    return max(enumerate(fitting), key=worth)[1]
