"""``bench``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from pipelines.bench import BenchSettings
from pipelines.cli.places import refuse_figures
from pipelines.cli.screen import Screen
from pipelines.cli.words import Everywhere, parse


@dataclass(frozen=True, kw_only=True)
class BenchOptions(Everywhere):
    """What ``bench`` can be told."""

    clip: Annotated[
        Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="[CLIP]", help_behavior_hint="")
    ] = None
    """A video of one face; the bundled sample otherwise."""
    json: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """Write the figures there."""
    measure: Annotated[BenchSettings, tyro.conf.arg(name="")] = field(default_factory=BenchSettings)


def command(words: list[str]) -> int:
    """Run the command."""
    description = "Measure the speed of tracking, rendering and export here."
    options: BenchOptions = parse(BenchOptions, words, "bench", description)
    from pipelines.bench import bench
    from pipelines.make_sample import sample_path
    from studio.project.atomic import write_json

    if options.json is not None:
        refuse_figures(options.json, options.store, (options.clip,))
    screen = Screen()
    with screen.working() as progress:
        result = bench(options.clip, options.measure, progress, sample_path(options.store.home))
    screen.say(result.table())
    if options.json is not None:
        write_json(options.json, result.to_json())
    return 0
