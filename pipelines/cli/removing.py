"""``remove NAME`` and ``restore NAME``: the trash."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro

from pipelines.cli.screen import Screen
from pipelines.cli.words import Everywhere, Name, parse
from pipelines.job import read_status
from studio.domain.problem import Problem
from studio.project.command_words import command_line


@dataclass(frozen=True, kw_only=True)
class RemoveOptions(Everywhere):
    """What ``remove`` can be told."""

    name: Name
    """The subject, with all clips and avatars."""


@dataclass(frozen=True, kw_only=True)
class RestoreOptions(Everywhere):
    """What ``restore`` can be told."""

    name: Name
    """The subject as it was called; the one removed last when there are several."""
    new_name: Annotated[str | None, tyro.conf.arg(name="as", help_behavior_hint="")] = None
    """Another name, when the old one has been given away meanwhile."""


def remove(words: list[str]) -> int:
    """Run ``remove``."""
    options: RemoveOptions = parse(RemoveOptions, words, "remove", "Move a subject to the trash.")
    store = options.store
    subject = store.find(options.name)
    if any(read_status(job).state == "running" for job in subject.jobs()):
        raise Problem(f"A job of {subject.name} is at work: stop it first.")
    store.discard(subject.path, subject.name)
    Screen().say(f"{subject.name} is in the trash. To bring it back: {command_line('restore', subject.name)}")
    return 0


def restore(words: list[str]) -> int:
    """Run ``restore``."""
    options: RestoreOptions = parse(RestoreOptions, words, "restore", "Bring a subject back from the trash.")
    store = options.store
    fitting = [entry for entry in store.trash() if entry.title == options.name]
    if not fitting:
        titles = ", ".join(repr(entry.title) for entry in store.trash()) or "nothing"
        raise Problem(f"The trash does not hold {options.name!r}; it holds {titles}.")
    store.restore(fitting[-1], options.new_name)
    Screen().say(f"{options.new_name or options.name} is back.")
    return 0
