"""``expression-space CORPUS``: what coefficients of expressions leave of who it is, and what of the face."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from pipelines.cli.judging_people import Report, fits, opened
from pipelines.cli.screen import Screen, counted
from pipelines.cli.training_people import CorpusFolder
from pipelines.cli.words import Everywhere, parse
from studio.domain.problem import Problem

if TYPE_CHECKING:
    from studio.corpus.corpus import Corpus, CorpusClip


@dataclass(frozen=True, kw_only=True)
class ExpressionSpaceOptions(Everywhere):
    """What ``expression-space`` can be told."""

    corpus: CorpusFolder
    """The corpus that the base model was trained on."""
    base_model: Annotated[str, tyro.conf.arg(metavar="NAME", help_behavior_hint="")] = ""
    """Which Export3D base model of the home, or the beginning of its name; the newest where none is named."""
    report: Report = None
    """Write the table, figures and a t-SNE picture there."""


def command(words: list[str]) -> int:
    """Run the command."""
    options: ExpressionSpaceOptions = parse(
        ExpressionSpaceOptions,
        words,
        "expression-space",
        "Measure what the coefficients of an Export3D base model leave of who it is and of what faces do, on "
        "people it has learnt from and on people it has not. A model that was trained before the way back "
        "from coefficients was kept gets one from the clips it has learnt from.",
    )
    from pipelines.expression_space_report import space_table, write_space
    from pipelines.learn_expression_space import expressions_of, keep_way_back
    from pipelines.measure_expression_space import components_of, measure_space
    from studio.engines.export3d.expression_space import has_way_back, load_expression_space
    from studio.engines.export3d.settings import Export3DSettings
    from studio.engines.export3d.shelf import SHELF
    from studio.head import builtin_head

    head, screen = builtin_head(), Screen()
    shelved = SHELF.choose(options.store.home, options.base_model)
    settings, drives = shelved.read(Export3DSettings)
    if settings.encoding != "clebs":
        raise Problem(
            f"The base model “{shelved.name}” has no coefficients that were learnt by contrast: name one "
            "whose encoding is clebs with --base-model."
        )
    with opened(options.corpus) as corpus:
        fits(corpus, drives, head.id)
        learnt = learnt_from(corpus, shelved.folder, shelved.name)
        if not has_way_back(shelved.folder):
            keep_way_back(shelved.folder, learnt, head)
            screen.note(
                f"The base model “{shelved.name}” had no way back from its coefficients; it has one now, "
                f"learnt from the {counted(len(learnt), 'clip')} that it has learnt from itself."
            )
        space = load_expression_space(shelved.folder, shelved.name)
        clips = {
            "learnt from": expressions_of(learnt, head),
            "held out": expressions_of(corpus.split("held_out"), head),
        }
        components = components_of(clips["learnt from"], len(space.back.centre))
        with screen.working() as progress:
            figures = {}
            for done, (side, own) in enumerate(clips.items()):
                progress(done, len(clips), "Telling people apart by their expressions")
                figures[side] = measure_space(own, space, components, head)
        if options.report is not None:
            about = {
                "base_model": shelved.name,
                "coefficients": len(space.back.centre),
                "way_back": {"people": space.back.people, "strength": space.back.strength},
            }
            write_space(options.report, figures, clips, space, about)
    screen.say(space_table(figures))
    return 0


def learnt_from(corpus: Corpus, folder: Path, name: str) -> list[CorpusClip]:
    """The clips that the base model in a folder has learnt from, as its card says.

    Raises:
        Problem: there is no card, or the corpus does not have them all.
    """
    from pipelines.training.model_card import read_card

    try:
        names = [str(each) for each in read_card(folder)["more"]["learnt_from"]]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise Problem(
            f"The base model “{name}” has no card that says what it has learnt from: train it again."
        ) from error
    there = {clip.name: clip for clip in corpus.clips}
    lacking = [each for each in names if each not in there]
    if lacking or not names:
        raise Problem(
            f"The corpus does not have all clips that the base model “{name}” has learnt from "
            f"({counted(len(lacking), 'clip')} of {len(names)} lacking): give the one that it was trained on."
        )
    return [there[each] for each in names]
