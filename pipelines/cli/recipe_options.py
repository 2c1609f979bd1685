"""``--STAGE.FIELD``: the settings of every stage of an engine's recipe, as options of a command."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, make_dataclass
from typing import Annotated, Any

import tyro

from pipelines.build_job import PRESET
from pipelines.cli.importing import with_whole_path
from pipelines.cli.words import Chosen, Everywhere
from pipelines.import_job import track_settings
from pipelines.recipes import RECIPES, TRACK, settings_for
from studio.engines.catalog import ENGINES
from studio.project.store import ClipFolder

ENGINE = "instant"
"""What is meant when nothing is said."""


@dataclass(frozen=True, kw_only=True)
class RecipeOptions(Everywhere):
    """Options of commands that build an avatar."""

    engine: Annotated[str, tyro.conf.arg(metavar="{" + ",".join(ENGINES) + "}")] = ENGINE
    """What kind of avatar."""
    preset: str = PRESET
    """A choice of settings, e.g. draft or standard. The options below then differ from it."""
    clip: Chosen = None
    """Which of the subject's clips, by title or key; needed when there are several."""

    def stages(self, clip: ClipFolder) -> dict[str, Any]:
        """Stage id to settings. Options of tracking are changes to how the clip was tracked at its import."""
        preset = settings_for(self.engine, self.preset)
        chosen = {stage.id: getattr(self, stage.id) for stage in RECIPES[self.engine]}
        tracked = {k: v for k, v in vars(chosen[TRACK.id]).items() if v != vars(preset[TRACK.id])[k]}
        chosen[TRACK.id] = with_whole_path(track_settings(clip, tracked), self.store)
        return chosen

    def differences(self) -> dict[str, Any]:
        """``stage.field`` to value, where the options differ from the preset."""
        preset = settings_for(self.engine, self.preset)
        found: dict[str, Any] = {}
        for stage in RECIPES[self.engine]:
            found |= _differences(stage.id, preset[stage.id], getattr(self, stage.id))
        return found


def named(words: list[str]) -> tuple[str, str]:
    """Engine and preset that a command's words name, before the words are understood as a whole."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--engine", default=ENGINE)
    first.add_argument("--preset", default=PRESET)
    early, _ = first.parse_known_args(words)
    return early.engine, early.preset


def with_stages(kind: type[RecipeOptions], engine: str, preset_name: str) -> Any:
    """A command's options and those of the stages of a recipe, whose defaults are a preset's.

    Raises:
        Problem: unknown engine or preset, or the engine cannot run here.
    """
    preset = settings_for(engine, preset_name)
    stages: list[Any] = [
        (stage.id, type(preset[stage.id]), field(default=preset[stage.id])) for stage in RECIPES[engine]
    ]
    full = make_dataclass(kind.__name__, stages, bases=(kind,), frozen=True, kw_only=True)
    full.__doc__ = kind.__doc__
    return full


def _differences(place: str, preset: Any, chosen: Any) -> dict[str, Any]:
    if is_dataclass(preset) and type(preset) is type(chosen):
        found: dict[str, Any] = {}
        for entry in fields(preset):
            name = f"{place}.{entry.name}"
            found |= _differences(name, getattr(preset, entry.name), getattr(chosen, entry.name))
        return found
    return {} if preset == chosen else {place: plain(chosen)}


def plain(value: Any) -> Any:
    """A setting as a JSON value."""
    from pydantic import TypeAdapter  # slow to import, and help does not need it

    return TypeAdapter(type(value)).dump_python(value, mode="json")


def assigned(changes: Mapping[str, Any]) -> str:
    """``stage.field = value, …`` for a person."""
    return ", ".join(f"{name} = {value}" for name, value in changes.items())
