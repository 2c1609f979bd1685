"""Command-line words to a settings dataclass, its docstrings being the help."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import tyro

from studio.project.store import Store, home_folder

O = TypeVar("O")

Home = Annotated[Path | None, tyro.conf.arg(metavar="DIR")]
Name = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")]
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
    """Words to options. Ends the program with status 2 and a message when they do not fit, 0 after help."""
    options: O = tyro.cli(kind, args=words, prog=f"main.py {command}", description=description)
    return options
