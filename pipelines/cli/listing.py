"""``list``: what is in the home folder."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from pipelines import runner
from pipelines.bake_job import about_copy
from pipelines.build_job import BAKED, avatars
from pipelines.cli.screen import Screen, counted
from pipelines.cli.words import Everywhere, parse
from pipelines.job import is_made, read_job
from pipelines.recipes import preset_of
from studio.domain.problem import Problem
from studio.project.command_words import command_line
from studio.project.edit_files import load_edits
from studio.project.store import SubjectFolder


@dataclass(frozen=True, kw_only=True)
class ListOptions(Everywhere):
    """What ``list`` can be told."""

    name: Annotated[
        str | None, tyro.conf.Positional, tyro.conf.arg(metavar="[NAME]", help_behavior_hint="")
    ] = None
    """Only this subject; otherwise everything, base models and unfinished trainings too."""


def command(words: list[str]) -> int:
    """Run the command."""
    options: ListOptions = parse(
        ListOptions, words, "list", "Show subjects, clips, avatars and unfinished jobs."
    )
    screen, store = Screen(), options.store
    if options.name is not None:
        _show(screen, store.find(options.name))
        return 0
    listing = store.subjects()
    for subject in listing.subjects:
        _show(screen, subject)
    if not listing.subjects and not listing.problems:
        screen.say(
            f"{store.home} holds no subject yet. "
            f"{command_line('import', 'CLIP.mp4', '--subject NAME')} makes one."
        )
    show_models(screen, store.home)
    for entry in store.trash():
        screen.say(f"In the trash: {entry.title}, removed {entry.removed[:16].replace('T', ' ')} UTC")
    for problem in listing.problems:
        screen.note(str(problem))
    return 0


def show_models(screen: Screen, home: Path) -> None:
    """The base models of a home, and the trainings that have not become one yet."""
    from pipelines.model_facts import model_facts
    from pipelines.people_systems import SYSTEMS
    from pipelines.unfinished_trainings import unfinished_trainings

    for system in SYSTEMS.values():
        for model in system.shelf.models(home):
            facts = model_facts(model.folder)
            title = system.title if facts is None else facts.title
            screen.say(f"Base model  {model.folder.name}  {title}, {_age(time.time() - model.made)} old")
            if facts is not None and facts.a_try is not None:
                screen.say(f"  {facts.a_try}")
    for training in unfinished_trainings(home):
        title = f"  {training.title}" if training.title else ""
        if training.at_work:
            screen.say(f"Training at work  {training.name}{title}")
            continue
        screen.say(f"Unfinished training  {training.name}{title}")
        screen.say(f"  go on with {training.again or 'the same train-people command'}")
        screen.say(f"  give up with {command_line('remove', training.name)}")


def _age(seconds: float) -> str:
    for unit, length in (("day", 86400.0), ("hour", 3600.0), ("minute", 60.0)):
        if seconds >= length:
            return counted(int(seconds / length), unit)
    return "less than a minute"


def _show(screen: Screen, subject: SubjectFolder) -> None:
    screen.say(subject.name)
    if subject.consent:
        screen.say(f"  consent   {subject.consent}")
    try:
        for clip in subject.clips():
            screen.say(f"  clip      {clip.clip.title}  {clip.clip.key}")
    except Problem as problem:
        screen.note(str(problem))
    for avatar in avatars(subject):
        held_out = avatar.lineage.get("held_out")
        seen = f" (without the last {100 * held_out:.0f} %)" if held_out else ""
        baked = f" (copy with {about_copy(avatar)})" if BAKED in avatar.lineage else ""
        preset = preset_of(avatar) or "settings of its own"
        screen.say(f"  avatar    {avatar.engine}  {avatar.key}  {preset}{seen}{baked}")
        with suppress(Problem):  # whoever opens the avatar is told
            for edit in load_edits(avatar.folder).edits:
                shown = f"{edit.strength:g}" if edit.on else "off"
                screen.say(f"    edit    {edit.name}  {shown}  {edit.title}")
    for job, status in runner.recover(list(subject.jobs())).items():
        with suppress(Problem):
            last = read_job(job).steps[-1]
            if is_made(subject.path / last.output, last.key):
                continue  # another command did it meanwhile
            words = f": {status.message}" if status.message else ""
            screen.say(f"  job       {read_job(job).kind} {status.state}{words}")
