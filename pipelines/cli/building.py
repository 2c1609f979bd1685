"""``build NAME --engine ENGINE --preset PRESET``."""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, field, make_dataclass
from typing import Annotated, Any

import tyro

from pipelines.build_job import PRESET, Build, plan_build
from pipelines.cli.importing import report, with_whole_path
from pipelines.cli.screen import Screen
from pipelines.cli.words import Chosen, Everywhere, Name, parse
from pipelines.import_job import track_settings
from pipelines.job import is_made
from pipelines.recipes import RECIPES, TRACK, settings_for
from studio.engines.catalog import ENGINES
from studio.project.command_words import command_line


@dataclass(frozen=True, kw_only=True)
class BuildOptions(Everywhere):
    """What ``build`` can be told, whatever the engine."""

    name: Name
    """The subject."""
    engine: Annotated[str, tyro.conf.arg(metavar="{" + ",".join(ENGINES) + "}")] = "instant"
    """What kind of avatar."""
    preset: str = PRESET
    """A choice of settings: draft, standard or best. The options below then differ from it."""
    clip: Chosen = None
    """Which of the subject's clips, by title or key; needed when there are several."""
    hold_out: float = 0.0
    """Share of the clip's end that the avatar must not see, for measuring; evaluate does so by itself."""


def command(words: list[str]) -> int:
    """Run the command."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--engine", default="instant")
    first.add_argument("--preset", default=PRESET)
    early, _ = first.parse_known_args(words)
    preset = settings_for(early.engine, early.preset)
    # The stages of the engine's recipe, each with its settings as options of their own.
    stages = RECIPES[early.engine]
    fields: list[Any] = [
        (stage.id, type(preset[stage.id]), field(default=preset[stage.id])) for stage in stages
    ]
    kind = make_dataclass("BuildOptions", fields, bases=(BuildOptions,), frozen=True, kw_only=True)
    kind.__doc__ = BuildOptions.__doc__
    options: Any = parse(
        kind, words, "build", f"Build an avatar of a subject. {ENGINES[early.engine].summary}"
    )
    screen = Screen()
    subject = options.store.find(options.name)
    clip = subject.clip(options.clip)
    chosen = {stage.id: getattr(options, stage.id) for stage in stages}
    # Options given here are changes to how the clip was tracked at its import.
    tracked = {k: v for k, v in vars(chosen[TRACK.id]).items() if v != vars(preset[TRACK.id])[k]}
    chosen[TRACK.id] = with_whole_path(track_settings(clip, tracked), options.store)
    build = plan_build(subject, clip, options.engine, options.preset, chosen, options.hold_out)
    if build.made:
        screen.say(f"This {options.engine} avatar of {subject.name} is there: nothing to do.")
    else:
        began = time.monotonic()
        tracked_before = is_made(build.sequence(), build.sequence().name)
        make(screen, build)
        if not tracked_before:
            report(screen, build.sequence())
        seconds = time.monotonic() - began
        screen.say(f"Built the {options.engine} avatar of {subject.name} in {seconds:.0f} s.")
    following = command_line("animate", subject.name, "--drive CLIP.mp4 -o OUT.mp4")
    screen.say(f"{build.avatar}\nNext: {following}")
    return 0


def make(screen: Screen, build: Build) -> None:
    """Make an avatar unless it is there, with progress shown."""
    if not build.made:
        screen.follow(build.job())
