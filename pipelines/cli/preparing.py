"""``prepare FOLDER_OF_CLIPS --out CORPUS``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from annotated_types import Ge

from pipelines.cli.screen import Screen, counted
from pipelines.cli.words import Everywhere, parse
from pipelines.prepare_settings import PrepareSettings

if TYPE_CHECKING:
    from pipelines.tell_people_apart import Measure
    from studio.assets import AssetLibrary
    from studio.corpus.corpus import Corpus

FEWEST, FEWEST_JUDGES = 8, 3
"""People below which a corpus is too small to learn from, and to judge by."""


@dataclass(frozen=True, kw_only=True)
class PrepareOptions(Everywhere):
    """What ``prepare`` can be told."""

    clips: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER_OF_CLIPS")]
    """The folder that holds the videos, also in folders below it; one person in each, or one above all."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="CORPUS")]
    """The folder of the corpus: new, or begun before."""
    jobs: Annotated[int, Ge(0)] = 0
    """Processes that track at the same time; 0 for one to each two cores. Each takes about a gigabyte."""
    identities: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """A text file that says who is who where faces cannot: in each line a video's name and a person's."""
    prepare: Annotated[PrepareSettings, tyro.conf.arg(name="")] = field(default_factory=PrepareSettings)


def command(words: list[str]) -> int:
    """Run the command."""
    description = (
        "Make a corpus of a folder of clips of many people, which systems that are trained on people read: "
        "cut, tracked, split by identity. The same command goes on after a stop, and later adds what is new."
    )
    options: PrepareOptions = parse(PrepareOptions, words, "prepare", description)
    from pipelines.prepare_corpus import prepare_corpus
    from studio.assets import AssetLibrary
    from studio.devices import usable_cores

    screen = Screen()
    assets = AssetLibrary(options.store.home)
    with screen.working() as progress:
        done = prepare_corpus(
            options.clips,
            options.out,
            options.prepare,
            jobs=options.jobs or max(1, usable_cores() // 2),
            measure=lambda: face_measure(assets, screen),
            identities=options.identities,
            progress=progress,
            say=screen.note,
        )
    for note in done.notes:
        screen.note(note)
    if not done.new:
        screen.say("Every video had been dealt with before.")
    report(screen, done.corpus)
    return 0


def face_measure(assets: AssetLibrary, screen: Screen) -> Measure:
    """By the user's face network, else by shape, saying what that means."""
    from pipelines.tell_people_apart import NETWORK, network_measure, shape_measure
    from studio.metrics.metric import Unavailable

    missing = assets.missing(NETWORK, "Telling people apart by their faces is off")
    if missing is None:
        try:
            return network_measure(assets.require(NETWORK))
        except Unavailable as error:
            missing = f"{error}."
    screen.note(
        f"{missing} Until then the shape of their heads tells them apart, which confuses some: name those "
        "who are in several videos with --identities FILE."
    )
    return shape_measure()


def report(screen: Screen, corpus: Corpus) -> None:
    """Say what a corpus holds."""
    videos = len({clip.source for clip in corpus.clips})
    frames = sum(clip.frames for clip in corpus.clips)
    good = sum(clip.good_frames for clip in corpus.clips)
    screen.say(
        f"{corpus.folder} holds {counted(len(corpus.clips), 'clip')} of {counted(videos, 'video')}, "
        f"{counted(frames, 'frame')} of {corpus.side} pixels, {good} of them good."
    )
    train, held_out = len(corpus.identities("train")), len(corpus.identities("held_out"))
    people = "1 person" if train == 1 else f"{train} people"
    screen.say(f"{people} to learn from, {held_out} held out ({corpus.measure}).")
    if train < FEWEST:
        screen.note(
            f"{people} to learn from {'is' if train == 1 else 'are'} too few: a base model draws strangers "
            f"as well as it knows many. Add clips of others, at least {FEWEST} people for a try."
        )
    if held_out < FEWEST_JUDGES:
        judges = {0: "Nobody", 1: "1 person"}.get(held_out, f"{held_out} people")
        screen.note(
            f"{judges} held out can hardly say how good a base model is with strangers: add clips of others, "
            "or raise --held-out."
        )
    gone = [one for one in corpus.left_out if one.whole]
    if gone:
        screen.say(f"{counted(len(gone), 'file')} left out; corpus.json says why.")
