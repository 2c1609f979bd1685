"""``evaluate-people CORPUS``, ``bitrate CORPUS`` and ``ablate-people CORPUS``: base models on people nobody
trained on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from pipelines.cli.places import refuse_figures, refuse_place
from pipelines.cli.recipe_options import assigned
from pipelines.cli.screen import Screen
from pipelines.cli.training_people import (
    STOPPING,
    CorpusFolder,
    TrainPeopleOptions,
    engine_named,
    told,
    with_minutes,
    with_training,
)
from pipelines.cli.words import Everywhere, parse
from pipelines.people_evaluation_settings import PeopleEvaluationSettings
from pipelines.people_systems import SEMANTIC, SYSTEMS, people_system
from studio.domain.problem import Problem

if TYPE_CHECKING:
    from pipelines.people_contenders import Contender
    from studio.corpus.corpus import Corpus

ABLATIONS = "ablations"
"""Folder of a home under which the base models of ablations lie."""
Report = Annotated[Path | None, tyro.conf.arg(metavar="FOLDER", help_behavior_hint="")]


@dataclass(frozen=True, kw_only=True)
class JudgePeopleOptions(Everywhere):
    """Options of commands that judge base models by a corpus' held-out people."""

    corpus: CorpusFolder
    """A folder that ``prepare`` has made."""
    report: Report = None
    """Write tables, figures and a plot there."""
    compare: Annotated[PeopleEvaluationSettings, tyro.conf.arg(name="")] = field(
        default_factory=PeopleEvaluationSettings
    )


@dataclass(frozen=True, kw_only=True)
class EvaluatePeopleOptions(JudgePeopleOptions):
    """What ``evaluate-people`` can be told."""

    engine: Annotated[str, tyro.conf.arg(metavar=f"{{{','.join(SYSTEMS)}}}")] = SEMANTIC.engine
    """Which engine's base model is judged."""
    beside: Annotated[tuple[str, ...], tyro.conf.arg(metavar="ENGINE[:NAME] ...")] = ()
    """Base models of other engines for pictures of the same side that stand beside it."""
    forms: Annotated[int, tyro.conf.arg(metavar="STEPS")] = 0
    """Show the base model in its other forms, too, those that are fine-tuned to each picture for so many
    steps; 0: not. Only for nofa."""
    base_model: Annotated[str, tyro.conf.arg(metavar="NAME", help_behavior_hint="")] = ""
    """Which base model of the home, or the beginning of its name; the newest where none is named."""
    json: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """Write the figures there."""
    sheet: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """Write a PNG there: of each clip the picture, driving frames and what every contender makes of them."""
    overwrite: bool = False
    """Replace the sheet if there is such a file already; figures always are."""


@dataclass(frozen=True, kw_only=True)
class BitrateOptions(JudgePeopleOptions):
    """What ``bitrate`` can be told."""

    base_model: Annotated[str, tyro.conf.arg(metavar="NAME", help_behavior_hint="")] = ""
    """Which base model of the home, or the beginning of its name; the newest where none is named."""


@dataclass(frozen=True, kw_only=True)
class AblatePeopleOptions(TrainPeopleOptions):
    """What ``ablate-people`` can be told. Settings of the training are those of the full method."""

    only: Annotated[tuple[str, ...], tyro.conf.arg(metavar="VARIANT [VARIANT ...]")] = ()
    """Some of the variants instead of all."""
    report: Report = None
    """Write ablation.json, ablation.md and turn.png there."""
    compare: Annotated[PeopleEvaluationSettings, tyro.conf.arg(name="")] = field(
        default_factory=PeopleEvaluationSettings
    )


def evaluate(words: list[str]) -> int:
    """Run ``evaluate-people``."""
    options: EvaluatePeopleOptions = parse(
        EvaluatePeopleOptions,
        words,
        "evaluate-people",
        "Measure a base model on people it never saw: one picture each, driven by the rest of the clip and "
        "by other people, beside copying the picture and the instant engine built from it.",
    )
    if options.json is not None:
        refuse_figures(options.json, options.store)
    if options.sheet is not None:
        refuse_place(options.sheet, (".png",), store=options.store, overwrite=options.overwrite, what="a PNG")
    from pipelines.evaluate_people import evaluate_people
    from pipelines.people_contenders import CopySource, InstantOfOne
    from pipelines.people_report import people_table, pose_table, verdict, write_people
    from pipelines.people_sheet import PeopleSheet
    from studio.assets import AssetLibrary
    from studio.head import builtin_head
    from studio.project.atomic import write_json
    from studio.tracking.quiet import quiet

    ours = options.engine
    if options.forms > 0 and not people_system(ours).forms:
        raise Problem(f"The engine {ours} has no other forms of its base models: leave --forms out.")
    asked = [(ours, options.base_model), *((e, n) for e, _, n in (b.partition(":") for b in options.beside))]
    if len({engine for engine, _ in asked}) < len(asked):
        raise Problem("Every engine can stand in the comparison once: name others with --beside.")
    with opened(options.corpus) as corpus:
        head = builtin_head()
        # Which way of keeping the surroundings is the stronger rival depends on the measure: both are there.
        contenders: list[Contender] = [CopySource(), InstantOfOne(head), InstantOfOne(head, still=False)]
        names, sides, further = {}, {}, []
        for engine, name in asked:
            system = people_system(engine)
            shelved = system.shelf.choose(options.store.home, name)
            model = system.find("load")(shelved.folder)
            fits(corpus, model.head_model, head.id)
            contenders.append(system.find("contender")(model.network, head, engine))
            names[engine], sides[engine] = shelved.name, model.network.shape.side
            if engine == ours and options.forms > 0:
                further = system.find("forms")(model.network, head, engine, options.forms)
        contenders += further
        if len(set(sides.values())) > 1:
            told = ", ".join(f"{engine} {side}²" for engine, side in sides.items())
            raise Problem(f"Only base models for pictures of one side can be compared, not {told}.")
        sheet = None if options.sheet is None else PeopleSheet()
        screen = Screen()
        with screen.working() as progress, quiet():
            evaluation = evaluate_people(
                corpus.split("held_out"),
                contenders,
                sides[ours],
                options.compare,
                assets=AssetLibrary(options.store.home),
                witness=sheet,
                about={"base_model": names[ours], "base_models": names, "corpus": str(options.corpus)},
                progress=progress,
            )
    if options.json is not None:
        write_json(options.json, evaluation.to_json())
    if options.report is not None:
        write_people(options.report, evaluation, ours)
    if sheet is not None and options.sheet is not None:
        sheet.save(options.sheet)
    screen.say(people_table(evaluation))
    for line in verdict(evaluation, ours):
        screen.say(line)
    screen.say("\n" + pose_table(evaluation))
    for form in further:
        if form.said():
            screen.say(form.said())
    return 0


def bitrate(words: list[str]) -> int:
    """Run ``bitrate``."""
    options: BitrateOptions = parse(
        BitrateOptions,
        words,
        "bitrate",
        "Measure a base model driven through streams of different sizes: fewer keypoints, less of the code.",
    )
    from pipelines.semantic_bitrate import bitrate_table, measure_bitrate, write_bitrate
    from studio.assets import AssetLibrary
    from studio.engines.semantic.base_model import load_base_model
    from studio.head import builtin_head
    from studio.tracking.quiet import quiet

    with opened(options.corpus) as corpus:
        model = load_base_model(SEMANTIC.shelf.choose(options.store.home, options.base_model).folder)
        fits(corpus, model.head_model, builtin_head().id)
        if model.network.detector is not None:
            raise Problem(
                "This base model finds its own keypoints, so there is no code to leave out: name another "
                "with --base-model."
            )
        screen = Screen()
        with screen.working() as progress, quiet():
            rates, evaluation = measure_bitrate(
                corpus.split("held_out"),
                model.network,
                options.compare,
                assets=AssetLibrary(options.store.home),
                progress=progress,
            )
    if options.report is not None:
        write_bitrate(options.report, rates, evaluation)
    screen.say(bitrate_table(rates))
    return 0


def ablate(words: list[str]) -> int:
    """Run ``ablate-people``."""
    from pipelines.people_variants import varied

    kind = with_training(AblatePeopleOptions, words)
    system = engine_named(words)
    variants = "; ".join(f"{name}: {assigned(changes)}" for name, changes in system.variants.items())
    options: Any = parse(
        kind,
        words,
        "ablate-people",
        "Measure what each part of a base model is worth: it and each variant are trained for --minutes, "
        f"which is 5 where nothing is said, and judged by held-out people. Variants: {variants}.",
    )
    unknown = [name for name in options.only if name not in system.variants]
    if unknown:
        raise Problem(f"There is no variant {unknown[0]!r}: there are {', '.join(system.variants)}.")
    base = with_minutes(options.training, options.minutes or 5.0)
    chosen = {name: system.variants[name] for name in options.only or system.variants}
    for name, changes in chosen.items():
        if varied(base, changes) == base:
            raise Problem(
                f"The variant {name!r} is what the options ask for already ({assigned(changes)}): leave that "
                "option away, or name other variants with --only."
            )
    from pipelines.build_base import build_base
    from pipelines.evaluate_people import evaluate_people
    from pipelines.people_ablations import PeopleAblation, ablation_table, write_ablation
    from pipelines.people_contenders import CopySource, InstantOfOne
    from pipelines.training.model_card import read_card
    from studio.assets import AssetLibrary
    from studio.head import builtin_head
    from studio.tracking.quiet import quiet

    screen, head = Screen(), builtin_head()
    with opened(options.corpus) as corpus:
        home = options.store.home
        contenders: list[Contender] = [CopySource(), InstantOfOne(head)]
        trained = {}
        for name, changes in {"full": {}, **chosen}.items():
            screen.note(f"Training: {name}{f' ({assigned(changes)})' if changes else ''}")
            with screen.working(STOPPING) as progress:
                folder = build_base(
                    system,
                    options.corpus,
                    home,
                    varied(base, changes),
                    name,
                    told(screen, progress),
                    machines=options.machines,
                    # Whoever takes the newest base model must not get one of these.
                    shelf=home / ABLATIONS,
                )
            if folder is None:
                continue
            model = system.find("load")(folder)
            fits(corpus, model.head_model, head.id)
            contenders.append(system.find("contender")(model.network, head, name))
            trained[name] = read_card(folder)["making"]
        if not trained:
            return 0
        with screen.working() as progress, quiet():
            evaluation = evaluate_people(
                corpus.split("held_out"),
                contenders,
                base.network.side,
                options.compare,
                assets=AssetLibrary(home),
                about={"corpus": str(options.corpus)},
                progress=progress,
            )
    ablation = PeopleAblation(evaluation, "full", chosen, trained)
    if options.report is not None:
        write_ablation(options.report, ablation)
    screen.say(ablation_table(ablation))
    return 0


@contextmanager
def opened(folder: Path) -> Iterator[Corpus]:
    """A corpus with somebody held out, its shards closed afterwards. Raises Problem."""
    from studio.corpus.corpus import Corpus

    corpus = Corpus.open(folder)
    if not corpus.split("held_out"):
        raise Problem(f"The corpus in {folder} holds nobody out: prepare it again with --held-out 0.2.")
    try:
        yield corpus
    finally:
        corpus.forget()


def fits(corpus: Corpus, *heads: str) -> None:
    """Whether corpus and base model belong to the head model here. Raises Problem."""
    for head in heads:
        if corpus.head_model != head:
            raise Problem(
                f"The corpus was tracked with the head model {corpus.head_model}, and the base model is "
                f"driven by {head}: prepare the clips again."
            )
