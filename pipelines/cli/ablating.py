"""``ablate NAME --engine ENGINE``: the full method beside the method with one part taken out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from pipelines.ablations import ABLATIONS, with_changes
from pipelines.cli.evaluating import JudgingOptions, judge
from pipelines.cli.recipe_options import assigned, named, with_stages
from pipelines.cli.screen import Screen
from pipelines.cli.words import parse
from studio.domain.problem import Problem


@dataclass(frozen=True, kw_only=True)
class AblateOptions(JudgingOptions):
    """What ``ablate`` can be told. Settings of stages are those of the full method."""

    only: Annotated[tuple[str, ...], tyro.conf.arg(metavar="VARIANT [VARIANT ...]")] = ()
    """Some of the variants instead of all."""
    report: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER", help_behavior_hint="")] = None
    """Write ablation.json and ablation.md there."""


def command(words: list[str]) -> int:
    """Run the command."""
    engine, preset = named(words)
    kind = with_stages(AblateOptions, engine, preset)
    there = "; ".join(f"{name}: {assigned(changes)}" for name, changes in ABLATIONS.get(engine, {}).items())
    description = (
        "Measure what each part of an engine is worth: avatars are built with the full method and with "
        "each variant, none of them seeing the end of the clip, and measured there. "
        f"Variants of {engine}: {there or 'none'}."
    )
    options: AblateOptions = parse(kind, words, "ablate", description)
    options.check("ablate")
    variants = ABLATIONS.get(options.engine, {})
    unknown = [name for name in options.only if name not in variants]
    if unknown or not variants:
        known = f"there are: {', '.join(variants)}." if variants else "there are none."
        raise Problem(f"The engine {options.engine} has no variant {(unknown or ['at all'])[0]!r}; {known}")
    if len(options.names) > 1 and options.clip:
        raise Problem("--clip is for one name.")
    screen = Screen()
    subjects = [options.store.find(name) for name in options.names]
    chosen = {name: changes for name, changes in variants.items() if name in (options.only or variants)}
    for subject in subjects:
        stages = options.stages(subject.clip(options.clip))
        for name, changes in chosen.items():
            if with_changes(stages, changes) == stages:
                raise Problem(
                    f"The variant {name!r} is what the options ask for already ({assigned(changes)}): "
                    "leave that option away, or name other variants with --only."
                )
    from pipelines.ablation_report import Ablation, Variant, ablation_table, write_ablation

    screen.note("The full method")
    full = [judge(screen, subject, options) for subject in subjects]
    judged = {}
    for name, changes in chosen.items():
        screen.note(f"Variant: {name} ({assigned(changes)})")
        judged[name] = Variant(changes, [judge(screen, subject, options, changes) for subject in subjects])
        # After each variant, because the next may take hours.
        if options.report is not None:
            write_ablation(options.report, Ablation(options.engine, options.preset, full, judged))
    screen.say(ablation_table(Ablation(options.engine, options.preset, full, judged)))
    return 0
