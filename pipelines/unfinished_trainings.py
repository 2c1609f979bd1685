"""Trainings of base models that have begun and are not done: what they are, and how to go on with them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import filelock

from studio.domain.problem import Problem
from studio.project.atomic import is_aside
from studio.project.documents import DocumentKind, read_document, write_document

PLACE = "trainings"
"""Folder of a home in which they lie, each with its checkpoints."""
FILE, LOCK = "training.json", ".lock"
DOCUMENT = DocumentKind("training")
"""The document ``training.json``."""


@dataclass(frozen=True)
class Unfinished:
    """One of them."""

    folder: Path
    """Where its checkpoints lie; its name is that of the base model to be."""
    title: str = ""
    """What it trains, e.g. ``small at 128²``; empty where nobody noted it."""
    again: str = ""
    """The command that goes on with it; empty where nobody noted it."""

    @property
    def name(self) -> str:
        """What it is removed by."""
        return self.folder.name

    @property
    def at_work(self) -> bool:
        """Whether a process trains it now, as far as this machine can see."""
        try:
            with _lock(self.folder):
                return False
        except filelock.Timeout:
            return True
        except (OSError, NotImplementedError):
            return False


def unfinished_trainings(home: Path) -> tuple[Unfinished, ...]:
    """Those of a home, by name."""
    place = home / PLACE
    if not place.is_dir():
        return ()
    return tuple(
        _read(folder) for folder in sorted(place.iterdir()) if folder.is_dir() and not is_aside(folder.name)
    )


def note_training(folder: Path, title: str, again: str) -> None:
    """Leave word in a training's folder of what it is and how to go on with it. Raises Problem when the disk
    says no."""
    write_document(folder / FILE, DOCUMENT, {"title": title, "again": again})


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """No second process trains in a folder meanwhile, whose checkpoints would be the other's.

    Raises:
        Problem: one does.
    """
    lock = _lock(folder)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise Problem(
            "This training is at work already, in another process: wait for it, or stop that one first."
        ) from error
    except (OSError, NotImplementedError):  # some shared disks know no locks
        yield
        return
    try:
        yield
    finally:
        lock.release()


def _lock(folder: Path) -> filelock.BaseFileLock:
    return filelock.FileLock(folder / LOCK, timeout=0)


def _read(folder: Path) -> Unfinished:
    try:
        content = read_document(folder / FILE, DOCUMENT)
    except Problem:
        return Unfinished(folder)
    return Unfinished(folder, str(content.get("title", "")), str(content.get("again", "")))
