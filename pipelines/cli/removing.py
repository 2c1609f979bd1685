"""``remove NAME`` and ``restore NAME``: the trash, for subjects, their avatars, base models and unfinished
trainings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from pipelines.cli.screen import Screen
from pipelines.cli.words import Everywhere, Name, parse
from pipelines.job import read_status
from studio.domain.problem import Problem
from studio.project.command_words import command_line
from studio.project.store import Store, SubjectFolder


@dataclass(frozen=True, kw_only=True)
class RemoveOptions(Everywhere):
    """What ``remove`` can be told."""

    name: Name
    """The subject, with all clips and avatars; or a base model or unfinished training, as list names it."""
    avatar: Annotated[str | None, tyro.conf.arg(metavar="KEY", help_behavior_hint="")] = None
    """Only one of the subject's avatars: its key in the list, or the beginning of that."""


@dataclass(frozen=True, kw_only=True)
class RestoreOptions(Everywhere):
    """What ``restore`` can be told."""

    name: Name
    """What was removed, as it was called; the one removed last when there are several."""
    new_name: Annotated[str | None, tyro.conf.arg(name="as", help_behavior_hint="")] = None
    """Another name, when the old one has been given away meanwhile."""


def remove(words: list[str]) -> int:
    """Run ``remove``."""
    options: RemoveOptions = parse(
        RemoveOptions,
        words,
        "remove",
        "Move a subject or one of its avatars, a base model or an unfinished training to the trash.",
    )
    store = options.store
    if options.avatar is not None:
        _remove_avatar(store, _idle(store.find(options.name)), options.avatar)
        return 0
    if not store.has(options.name) and (folder := _model_or_training(store.home, options.name)) is not None:
        _say_who_misses(store, folder)
        store.discard(folder, folder.name)
        Screen().say(
            f"{folder.name} is in the trash. To bring it back: {command_line('restore', folder.name)}"
        )
        return 0
    subject = _idle(store.find(options.name))
    store.discard(subject.path, subject.name)
    Screen().say(f"{subject.name} is in the trash. To bring it back: {command_line('restore', subject.name)}")
    return 0


def _idle(subject: SubjectFolder) -> SubjectFolder:
    """The same. Raises Problem while a job of it is at work."""
    if any(read_status(job).state == "running" for job in subject.jobs()):
        raise Problem(f"A job of {subject.name} is at work: stop it first.")
    return subject


def _remove_avatar(store: Store, subject: SubjectFolder, key: str) -> None:
    """Raise Problem where no avatar or several have such a key."""
    from pipelines.build_job import avatars

    fitting = [avatar for avatar in avatars(subject) if avatar.key.startswith(key)]
    if len(fitting) != 1:
        how_many = "No avatar" if not fitting else "More than one avatar"
        raise Problem(
            f"{how_many} of {subject.name} has a key that begins with {key!r}: "
            f"{command_line('list', subject.name)} shows them."
        )
    (avatar,) = fitting
    title = f"{subject.name}, {avatar.engine} {avatar.key}"
    store.discard(avatar.folder, title)
    Screen().say(f"{title} is in the trash. To bring it back: {command_line('restore', title)}")


def _model_or_training(home: Path, name: str) -> Path | None:
    """The folder of a base model or a training by its name. Raises Problem for a training that is at work."""
    from pipelines.people_systems import SYSTEMS
    from pipelines.unfinished_trainings import unfinished_trainings

    for system in SYSTEMS.values():
        for model in system.shelf.models(home):
            if model.folder.name == name:
                return model.folder
    for training in unfinished_trainings(home):
        if training.name == name:
            if training.at_work:
                raise Problem(f"The training {name} is at work: stop it first.")
            return training.folder
    return None


def _say_who_misses(store: Store, folder: Path) -> None:
    """Say whose avatars a base model draws that goes."""
    from pipelines.build_job import avatars
    from pipelines.one_picture_stages import BASE_MODEL
    from pipelines.people_systems import SYSTEMS
    from studio.project.lineage import KEY_LENGTH

    shelved = [m for s in SYSTEMS.values() for m in s.shelf.models(store.home) if m.folder == folder]
    if not shelved:
        return
    key = shelved[0].digest[:KEY_LENGTH]
    missed = [
        subject.name
        for subject in store.subjects().subjects
        if any(avatar.lineage.get("inputs", {}).get(BASE_MODEL) == key for avatar in avatars(subject))
    ]
    if missed:
        Screen().note(
            f"Until it is back, avatars that it draws cannot be shown: those of {', '.join(missed)}."
        )


def restore(words: list[str]) -> int:
    """Run ``restore``."""
    options: RestoreOptions = parse(RestoreOptions, words, "restore", "Bring back what remove took.")
    store = options.store
    fitting = [entry for entry in store.trash() if entry.title == options.name]
    if not fitting:
        titles = ", ".join(repr(entry.title) for entry in store.trash()) or "nothing"
        raise Problem(f"The trash does not hold {options.name!r}; it holds {titles}.")
    store.restore(fitting[-1], options.new_name)
    Screen().say(f"{options.new_name or options.name} is back.")
    return 0
