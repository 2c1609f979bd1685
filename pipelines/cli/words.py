"""Command-line words to a settings dataclass, its docstrings being the help."""

from __future__ import annotations

import io
import re
import sys
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import tyro

from studio.domain.problem import Problem
from studio.project.store import Store, home_folder

O = TypeVar("O")

Home = Annotated[Path | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="")]
Chosen = Annotated[str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="")]
Name = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")]
Names = Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="NAME [NAME ...]")]
Output = Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FILE")]


@dataclass(frozen=True, kw_only=True)
class Everywhere:
    """Options of every command."""

    home: Home = None
    """Where projects live; AVATAR_STUDIO_HOME or the platform's own place otherwise."""

    @property
    def store(self) -> Store:
        """The home folder's projects."""
        return Store(home_folder(self.home))


def parse(kind: type[O] | Any, words: list[str], command: str, description: str) -> O:
    """Words to options. Ends the program with status 0 after help.

    Raises:
        Problem: they do not fit.
    """
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            options: O = tyro.cli(kind, args=words, prog=f"main.py {command}", description=description)
    except SystemExit as end:
        if not end.code:
            raise
        sentence = _plain(said.getvalue(), command)
        if sentence is None:
            sys.stderr.write(said.getvalue())
            raise
        raise Problem(f"{sentence} python main.py {command} --help explains the options.") from None
    return options


_KINDS = {"int": "a whole number", "float": "a number"}


def _plain(box: str, command: str) -> str | None:
    """What the option parser says in a box, in a sentence; None when it says something unforeseen."""
    lines = [line.strip("│").rstrip() for line in box.splitlines() if line.startswith("│")]
    text = " ".join(" ".join(lines).split())
    quoted = r"'(?P<value>.*?)'(?= |$)"
    if found := re.search(r"Error parsing (\S+): .*?(int|float)\b.*?: " + quoted, text):
        return f"{found[1]} must be {_KINDS[found[2]]}, not {found['value']!r}."
    choice = rf"invalid choice {quoted} for argument '([^']+)'\. Expected one of \((.*?)\)"
    if found := re.search(choice, text):
        choices = found[3].replace("'", "").rstrip(",")
        return f"{found[2]} cannot be {found['value']!r}: choose from {choices}."
    if found := re.search(r"Missing value for argument '([^']+)'", text):
        return f"{found[1]} needs a value."
    if "Missing from" in text:
        upto = next((i for i, line in enumerate(lines) if line.strip().startswith("──")), len(lines))
        needed = [line.strip().split(", --")[0] for line in lines[1:upto] if re.match(r" {5}\S", line)]
        return f"{command} needs {' and '.join(needed)}."
    if found := re.search(r"Unrecognized options: (.*?)(?: ──|$)", text):
        meant = re.search(r"Perhaps you meant: (--\S+)", text)
        hint = f" Did you mean {meant[1]}?" if meant else ""
        return f"{command} has no use for {found[1].replace(', ', ' ')}.{hint}"
    return None
