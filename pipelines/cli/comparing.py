"""``compare NAME``: all engines on the same held-out frames, in one table and on one sheet."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from pipelines.bench_result import Machine, this_machine
from pipelines.cli.building import make
from pipelines.cli.evaluating import check_share
from pipelines.cli.places import refuse_figures, refuse_folder, refuse_place
from pipelines.cli.screen import Screen
from pipelines.cli.words import Chosen, Everywhere, Name, parse
from pipelines.compare_engines import Contestant, EngineComparison, compare_engines, contestants
from pipelines.evaluate_avatar import EvaluateSettings
from pipelines.import_job import track_settings
from studio.domain.problem import Problem
from studio.domain.sequence import HELD_OUT
from studio.engines.catalog import ENGINES
from studio.project.store import ClipFolder, SubjectFolder


@dataclass(frozen=True, kw_only=True)
class CompareOptions(Everywhere):
    """What ``compare`` can be told."""

    name: Name
    """The subject."""
    engines: Annotated[tuple[str, ...], tyro.conf.arg(metavar="ENGINE[:PRESET]", help_behavior_hint="")] = ()
    """What to compare, each with or without one of its presets, e.g. instant pvp:draft; without one its
    first, the fastest to build. Otherwise every engine that can be built here, each with its first preset."""
    clip: Chosen = None
    """Which of the subject's clips, by title or key; needed when there are several."""
    held_out: float = HELD_OUT
    """Share of the clip's end to judge by, at most 0.2: tracking learns the person's shape from the rest.
    Avatars that never saw it are built where there are none."""
    report: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER", help_behavior_hint="")] = None
    """Write comparison.md and comparison.json there."""
    sheet: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """Write a PNG there: some held-out frames, what each avatar made of them, the nearest training frame."""
    json: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """Write the figures there."""
    overwrite: bool = False
    """Replace the sheet or the report if there is such a file already; figures always are."""
    compare: Annotated[EvaluateSettings, tyro.conf.arg(name="")] = field(default_factory=EvaluateSettings)

    def check(self) -> None:
        """Say now what cannot work. Raises Problem."""
        check_share(self.held_out)
        if self.json is not None:
            refuse_figures(self.json, self.store)
        if self.sheet is not None:
            refuse_place(self.sheet, (".png",), store=self.store, overwrite=self.overwrite, what="a PNG")
        if self.report is not None:
            refuse_folder(self.report, REPORT, store=self.store, overwrite=self.overwrite)


REPORT = ("comparison.md", "comparison.json")
"""What a report consists of."""


def command(words: list[str]) -> int:
    """Run the command."""
    description = "Compare engines on the part of a clip that none of them has seen: quality, speed, cost."
    options: CompareOptions = parse(CompareOptions, words, "compare", description)
    options.check()
    screen = Screen()
    subject = options.store.find(options.name)
    clip = subject.clip(options.clip)
    wanted = [(engine, preset) for engine, _, preset in (name.partition(":") for name in options.engines)]
    found, lacking = contestants(subject, clip, track_settings(clip), wanted, options.held_out)
    for engine, why in lacking.items():
        screen.note(f"Left out: {ENGINES[engine].title}. {why}")
    taking_part = _made(screen, found, lacking, asked=bool(wanted))
    machine = this_machine()
    comparison = _compared(screen, subject, clip, taking_part, lacking, options)
    _report(screen, comparison, machine, options)
    return 0


def _made(screen: Screen, found: list[Contestant], lacking: dict[str, str], asked: bool) -> list[Contestant]:
    """Build what is missing. Of engines that nobody asked for by name, one that cannot be built after all is
    said and left out."""
    taking_part = []
    for contestant in found:
        title = f"{ENGINES[contestant.engine].title}, {contestant.preset}"
        screen.note(f"{title}: {'is there' if contestant.build.made else 'to be built without the end'}")
        try:
            make(screen, contestant.build)
        except Problem as problem:
            if asked:
                raise
            lacking[contestant.engine] = str(problem)
            screen.note(f"Left out: {ENGINES[contestant.engine].title}. {problem}")
            continue
        taking_part.append(contestant)
    if not taking_part:
        raise Problem(next(iter(lacking.values())))
    return taking_part


def _compared(
    screen: Screen,
    subject: SubjectFolder,
    clip: ClipFolder,
    taking_part: list[Contestant],
    lacking: dict[str, str],
    options: CompareOptions,
) -> EngineComparison:
    from studio.assets import AssetLibrary

    with screen.working() as progress:
        return compare_engines(
            subject,
            clip,
            taking_part,
            options.compare,
            options.held_out,
            lacking=lacking,
            assets=AssetLibrary(options.store.home),
            progress=progress,
        )


def _report(screen: Screen, comparison: EngineComparison, machine: Machine, options: CompareOptions) -> None:
    from pipelines.engines_report import as_json, as_markdown, write_comparison, write_sheet
    from studio.project.atomic import write_json

    if options.json is not None:
        write_json(options.json, as_json(comparison, machine))
    if options.report is not None:
        write_comparison(options.report, comparison, machine)
    if options.sheet is not None:
        write_sheet(options.sheet, comparison)
    screen.say(as_markdown(comparison, machine))
