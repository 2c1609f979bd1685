"""``train-people CORPUS --engine semantic --size small``: a base model of many people, shared by avatars."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from pipelines.cli.screen import Screen
from pipelines.cli.words import Everywhere, parse
from pipelines.people_systems import SEMANTIC, SYSTEMS, PeopleSystem, people_system
from pipelines.training.settings import MachineSettings
from studio.domain.problem import Problem
from studio.project.command_words import command_line, typed

if TYPE_CHECKING:
    from pipelines.training.reporter import Reporter

STOPPING = "Stopping after this step; the same command goes on."
CorpusFolder = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="CORPUS")]
SIZE = "small"
SIDE = 128
"""What is meant when nothing is said: what two processor cores can train."""


@dataclass(frozen=True, kw_only=True)
class TrainPeopleOptions(Everywhere):
    """What ``train-people`` can be told."""

    corpus: CorpusFolder
    """A folder that ``prepare`` has made."""
    engine: Annotated[str, tyro.conf.arg(metavar=f"{{{','.join(SYSTEMS)}}}")] = SEMANTIC.engine
    """What kind of base model."""
    size: Annotated[str, tyro.conf.arg(metavar="{tiny,small,middle,full}")] = SIZE
    """How large the network is: small and tiny for processors, middle and full for graphics cards. The
    options below then differ from it."""
    side: int = SIDE
    """Side of the pictures in pixels."""
    minutes: Annotated[float | None, tyro.conf.arg(metavar="FLOAT", help_behavior_hint="")] = None
    """Minutes at most, those before an interruption included; else what the size has."""
    licence: Annotated[str, tyro.conf.arg(metavar="TEXT", help_behavior_hint="")] = ""
    """What the model's card says about rights in the clips and people's consent."""
    machines: MachineSettings = field(default_factory=MachineSettings)


def command(words: list[str]) -> int:
    """Run the command."""
    kind = with_training(TrainPeopleOptions, words)
    options: Any = parse(
        kind,
        words,
        "train-people",
        "Train a base model on a corpus of people: afterwards one picture of anybody becomes an avatar. The "
        "same command continues a training that was stopped, and runs under torchrun and SLURM.",
    )
    from pipelines.build_base import build_base
    from studio.project.store import home_folder

    screen = Screen()
    settings = with_minutes(options.training, options.minutes)
    with screen.working(STOPPING) as progress:
        built = build_base(
            people_system(options.engine),
            options.corpus,
            home_folder(options.home),
            settings,
            f"{options.size} at {options.side}²",
            told(screen, progress),
            licence=options.licence,
            machines=options.machines,
            again=" ".join(["python main.py train-people", *map(typed, words)]),
        )
    if built is not None:
        tell(screen, people_system(options.engine), built)
    return 0


def tell(screen: Screen, system: PeopleSystem, built: Path) -> None:
    """Say what a base model is and what comes next; its card says the rest."""
    from pipelines.model_facts import model_facts

    screen.say(f"The base model is {built.name}, in {built.parent}.")
    facts = model_facts(built)
    if facts is not None:
        for line in facts.lines:
            screen.say(line)
        screen.say(f"All else is in {built / 'card.md'}.")
    photo = command_line("import", "PHOTO.jpg", "--subject NAME")
    build = command_line("build", "NAME", f"--engine {system.engine}")
    screen.say(f"Next: {photo} or, of somebody who is there, {build}")


def with_training(kind: type[Any], words: list[str]) -> Any:
    """A command's options with those of the training as ``--training.FIELD``, whose defaults are a size's.

    Raises:
        Problem: there is no such engine, size or side.
    """
    early, system = _early(words), engine_named(words)
    sides = [str(side) for side in system.sides]
    for what, said, known in (("size", early.size, system.sizes), ("side", early.side, sides)):
        if said not in known:
            raise Problem(f"--{what} cannot be {said!r}: choose from {', '.join(known)}.")
    default = system.find("settings")(early.size, int(early.side))
    more: list[Any] = [("training", type(default), field(default=default))]
    full = make_dataclass(kind.__name__, more, bases=(kind,), frozen=True, kw_only=True)
    full.__doc__ = kind.__doc__
    return full


def engine_named(words: list[str]) -> PeopleSystem:
    """The system that a command's words name, or the usual one. Raises Problem when there is none."""
    return people_system(_early(words).engine)


def _early(words: list[str]) -> argparse.Namespace:
    """What has to be known before the options are."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--engine", default=SEMANTIC.engine)
    first.add_argument("--size", default=SIZE)
    first.add_argument("--side", default=str(SIDE))
    return first.parse_known_args(words)[0]


def with_minutes(settings: Any, minutes: float | None) -> Any:
    """Settings with another budget; None for their own. Raises Problem for one that is none."""
    from dataclasses import replace

    if minutes is None:
        return settings
    if minutes <= 0.0:
        raise Problem(f"--minutes must be more than 0, not {minutes:g}.")
    return replace(settings, loop=replace(settings.loop, minutes=minutes))


def told(screen: Screen, progress: Any) -> Reporter:
    """A Progress that also prints the sentences of a training, in the first of its processes."""
    from pipelines.training.first import is_first
    from pipelines.training.reporter import reporter_of

    class Told:
        def __call__(self, done: int, total: int | None, what: str) -> None:
            progress(done, total, what)

        def say(self, sentence: str) -> None:
            if is_first():
                screen.note(sentence)

    return reporter_of(Told())
