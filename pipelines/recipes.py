"""Engine id to ordered stages: the only place that knows what an engine needs and what it skips."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipelines.job import JobPlan, Step
from pipelines.presets import PRESETS
from studio.domain.avatar import Avatar
from studio.domain.problem import Problem
from studio.engines.catalog import engine_spec
from studio.project.settings_json import settings_from_plain, settings_to_plain
from studio.project.store import ClipFolder

CLIP = "clip"
"""Name of the input that is the video itself."""


@dataclass(frozen=True)
class Stage:
    """One kind of artefact and how it is made."""

    id: str
    """Stable identifier; other stages and the command line's settings name it."""
    title: str
    """What a person reads while it runs."""
    work: str
    """``module:function`` taking a :class:`pipelines.job.Task`; imported in the worker only."""
    settings: str
    """``module:ClassName`` of its settings."""
    version: int
    """Raised whenever the result changes for equal inputs and settings."""
    inputs: tuple[str, ...]
    """Earlier stages, or the clip."""
    place: str
    """Folder of its artefact below the subject, with ``{key}`` and ``{clip}``."""
    splits: bool = False
    """Whether from here on the held-out end of the clip must not be looked at."""
    outside: str = ""
    """``module:function`` that gets the stage's id, its settings and the home folder and gives what is read
    from outside the subject's folder: name to (folder, key). Raises Problem when it is not there. Empty:
    nothing is."""
    agreeing: str = ""
    """``module:function`` that gets the settings of all stages, by id, and raises Problem when they do not go
    together; empty: any do."""

    def default(self) -> Any:
        """Its settings' defaults."""
        return self.settings_class()

    @property
    def settings_class(self) -> type[Any]:
        """Its settings dataclass."""
        module, name = self.settings.split(":")
        found: type[Any] = getattr(importlib.import_module(module), name)
        return found


TRACK = Stage(
    id="track",
    title="Tracking the face",
    work="pipelines.stages:track",
    settings="studio.tracking.settings:TrackSettings",
    version=4,
    inputs=(CLIP,),
    place="clips/{clip}/track/{key}",
)
PIVOTS = Stage(
    id="pivots",
    title="Choosing pivots",
    work="pipelines.stages:pick",
    settings="pipelines.pick_pivots:PivotSettings",
    version=1,
    inputs=("track",),
    place="pivots/{key}",
    splits=True,
)
INSTANT = Stage(
    id="instant",
    title="Building the instant avatar",
    work="pipelines.stages:build_instant_avatar",
    settings="studio.warping.settings:WarpSettings",
    version=3,
    inputs=(CLIP, "track", "pivots"),
    place="avatars/instant-{key}",
)

MATERIAL = Stage(
    id="material",
    title="Cutting out what to learn from",
    work="pipelines.pvp_stages:material",
    settings="pipelines.pvp_settings:MaterialSettings",
    version=2,
    inputs=(CLIP, "track", "pivots", "instant"),
    place="material/{key}",
)
PRIOR = Stage(
    id="prior",
    title="Making the personal prior",
    work="pipelines.pvp_stages:prior",
    settings="pipelines.pvp_settings:PriorSettings",
    version=1,
    inputs=("material",),
    place="priors/{key}",
)
PVP = Stage(
    id="pvp",
    title="Tuning the prior and training the mappers",
    work="pipelines.pvp_stages:avatar",
    settings="pipelines.pvp_settings:PvpSettings",
    version=1,
    inputs=(CLIP, "track", "pivots", "instant", "material", "prior"),
    place="avatars/pvp-{key}",
)

VOLUME_MATERIAL = Stage(
    id="volume_material",
    title="Cutting out what to learn from",
    work="pipelines.tri2plane_stages:material",
    settings="pipelines.tri2plane_settings:VolumeMaterialSettings",
    version=3,
    inputs=(CLIP, "track", "pivots", "instant"),
    place="material/{key}",
)
TRI2PLANE = Stage(
    id="tri2plane",
    title="Training the volume",
    work="pipelines.tri2plane_stages:avatar",
    settings="pipelines.tri2plane_training_settings:Tri2PlaneSettings",
    version=2,
    inputs=(CLIP, "track", "pivots", "instant", "volume_material"),
    place="avatars/tri2plane-{key}",
    agreeing="pipelines.tri2plane_training_settings:agree",
)

SEMANTIC = Stage(
    id="semantic",
    title="Making an avatar of the picture",
    work="pipelines.one_picture_stages:avatar",
    settings="pipelines.one_picture_settings:OnePictureSettings",
    version=2,
    inputs=(CLIP, "track"),
    place="avatars/semantic-{key}",
    splits=True,
    outside="pipelines.one_picture_stages:base_model",
)

EXPORT3D = replace(SEMANTIC, id="export3d", place="avatars/export3d-{key}")
NOFA = replace(
    SEMANTIC,
    id="nofa",
    work="pipelines.nofa_stages:avatar",
    settings="pipelines.nofa_avatar_settings:NofaAvatarSettings",
    version=1,
    place="avatars/nofa-{key}",
)

RECIPES: dict[str, tuple[Stage, ...]] = {
    "instant": (TRACK, PIVOTS, INSTANT),
    "semantic": (TRACK, SEMANTIC),
    "export3d": (TRACK, EXPORT3D),
    "nofa": (TRACK, NOFA),
    "pvp": (TRACK, PIVOTS, INSTANT, MATERIAL, PRIOR, PVP),
    "tri2plane": (TRACK, PIVOTS, INSTANT, VOLUME_MATERIAL, TRI2PLANE),
}
"""The last stage of a recipe bears the engine's id and its settings."""


def settings_for(engine: str, preset: str) -> dict[str, Any]:
    """Stage id to settings for a preset of an engine.

    Raises:
        Problem: unknown engine or preset.
    """
    spec = engine_spec(engine)
    if preset not in spec.presets:
        raise Problem(
            f"The engine {engine!r} has no preset {preset!r}; there are: {', '.join(spec.presets)}."
        )
    chosen = {stage.id: stage.default() for stage in RECIPES[engine]}
    return {**chosen, **PRESETS[engine][preset]}


def preset_of(avatar: Avatar) -> str:
    """The preset whose settings an avatar was made with; empty where they are of none."""
    used = avatar.lineage.get("settings")
    if avatar.engine not in RECIPES:
        return ""
    stage = RECIPES[avatar.engine][-1]
    for name in PRESETS[avatar.engine]:
        if settings_to_plain(settings_for(avatar.engine, name)[stage.id]) == used:
            return name
    return ""


def plan(
    kind: str,
    subject: str,
    stages: tuple[Stage, ...],
    clip: ClipFolder,
    settings: Mapping[str, Any],
    held_out: float = 0.0,
) -> JobPlan:
    """A job that makes these stages' artefacts from a clip.

    Args:
        kind: ``import``, ``build``…
        subject: name of the subject that the clip belongs to.
        stages: in order; each finds its inputs among the earlier ones.
        clip: the clip, inside its subject's folder.
        settings: stage id to settings.
        held_out: share of the clip's end that nothing may learn from.

    Raises:
        Problem: a setting is out of its range, or two do not go together.
    """
    root = clip.path.parents[1]
    made: dict[str, tuple[str, str]] = {CLIP: (clip.source.relative_to(root).as_posix(), clip.clip.key)}
    steps: list[Step] = []
    splits = False
    for stage in stages:
        place = stage.place.replace("{clip}", clip.clip.key)
        splits = splits or stage.splits
        inputs = {name: made[name] for name in stage.inputs}
        if stage.outside:
            module, name = stage.outside.split(":")
            found = getattr(importlib.import_module(module), name)(
                stage.id, settings[stage.id], root.parents[1]
            )
            inputs |= {n: (Path(os.path.relpath(f, root)).as_posix(), key) for n, (f, key) in found.items()}
        step = Step.plan(
            id=stage.id,
            title=stage.title,
            work=stage.work,
            settings_class=stage.settings,
            # Through plain values and back, as the worker reads them: said now, nothing has been written.
            settings=settings_from_plain(stage.settings_class, settings_to_plain(settings[stage.id])),
            version=stage.version,
            inputs=inputs,
            output=lambda key, place=place: place.replace("{key}", key),  # type: ignore[misc]
            held_out=held_out if splits else 0.0,
        )
        if stage.agreeing:  # after each has been found to be in its range
            module, name = stage.agreeing.split(":")
            getattr(importlib.import_module(module), name)(settings)
        made[stage.id] = (step.output, step.key)
        steps.append(step)
    return JobPlan(kind, f"{kind} {subject}: {clip.clip.title}", tuple(steps), subject)


def result(job_plan: JobPlan, clip: ClipFolder) -> Path:
    """Folder of the last artefact of a plan."""
    return clip.path.parents[1] / job_plan.steps[-1].output
