"""``build NAME --engine ENGINE --preset PRESET``."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from pipelines.build_job import Build, plan_build
from pipelines.cli.importing import report
from pipelines.cli.recipe_options import RecipeOptions, named, with_stages
from pipelines.cli.screen import Screen
from pipelines.cli.words import Name, parse
from pipelines.job import is_made
from studio.engines.catalog import ENGINES
from studio.project.command_words import command_line


@dataclass(frozen=True, kw_only=True)
class BuildOptions(RecipeOptions):
    """What ``build`` can be told, whatever the engine."""

    name: Name
    """The subject."""
    hold_out: float = 0.0
    """Share of the clip's end that the avatar must not see, for measuring; evaluate does so by itself."""


def command(words: list[str]) -> int:
    """Run the command."""
    engine, preset = named(words)
    kind = with_stages(BuildOptions, engine, preset)
    summary = ENGINES[engine].summary
    options: Any = parse(kind, words, "build", f"Build an avatar of a subject. {summary}")
    screen = Screen()
    subject = options.store.find(options.name)
    clip = subject.clip(options.clip)
    build = plan_build(subject, clip, options.engine, options.preset, options.stages(clip), options.hold_out)
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
