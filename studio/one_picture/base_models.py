"""The base models of a home: networks trained on many people, each in ``HOME/models/<engine>-<key>``. Loads
no torch.

::

    <folder>/network.safetensors    its weights
             settings.json          its settings, and the head model that it was trained with
             card.md, card.json     what it is, written by the training

Avatars of one picture hold a reference to one of them and not a copy: a network of 100 million numbers serves
everybody.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from studio.domain.problem import Problem
from studio.project.atomic import is_aside
from studio.project.command_words import command_line
from studio.project.documents import DocumentKind, read_document
from studio.project.settings_json import settings_from_plain

PLACE = "models"
"""Folder of a home in which base models lie."""
WEIGHTS, SETTINGS = "network.safetensors", "settings.json"
"""Files without which a folder is no base model."""
DOCUMENT = DocumentKind("base model")
"""The document ``settings.json``."""

S = TypeVar("S")


@dataclass(frozen=True)
class BaseReference:
    """Which base model an avatar belongs to."""

    name: str
    """What the model was called."""
    digest: str
    """SHA-256 of its weights: by this it is found again, whatever it is called."""


@dataclass(frozen=True)
class ShelvedModel:
    """A base model on disk, unopened."""

    folder: Path
    """Its folder."""
    name: str
    """What it is chosen by: the folder's name without the engine's."""
    made: float = 0.0
    """Unix time at which its weights were written."""

    @property
    def digest(self) -> str:
        """SHA-256 of its weights, hexadecimal. Raises Problem when they cannot be read."""
        file = self.folder / WEIGHTS
        try:
            state = file.stat()
            return _digest(file, state.st_mtime_ns, state.st_size)
        except OSError as error:
            raise Problem(
                f"The base model in {self.folder} cannot be read ({error.strerror}): copy it again from "
                "where it came."
            ) from error

    @property
    def reference(self) -> BaseReference:
        """What an avatar keeps of it. Raises Problem like :attr:`digest`."""
        return BaseReference(self.name, self.digest)

    def read(self, kind: type[S]) -> tuple[S, str]:
        """Its network's settings, of the engine's own class, and the head model that drives it.

        Raises:
            Problem: they are damaged, or those of another engine.
        """
        content = read_document(self.folder / SETTINGS, DOCUMENT)
        try:
            return settings_from_plain(kind, content["network"]), str(content["head_model"])
        except (LookupError, TypeError, ValueError) as error:
            raise damaged(self.folder, error) from error

    def driven_by(self, head_model: str, kind: type[S]) -> S:
        """Its network's settings. Raises Problem where it cannot draw who was tracked with a head model."""
        settings, drives = self.read(kind)
        if drives != head_model:
            raise Problem(
                f"The base model “{self.name}” is driven by the head model “{drives}”, and the picture was "
                f"tracked with “{head_model}”: track it with the other one, or choose another base model."
            )
        return settings


@dataclass(frozen=True)
class Shelf:
    """The base models of one engine."""

    engine: str
    """The engine's identifier."""

    @property
    def prefix(self) -> str:
        """How the folders of its base models begin."""
        return f"{self.engine}-"

    def place(self, home: Path, key: str) -> Path:
        """The folder of the base model with a key."""
        return home / PLACE / f"{self.prefix}{key}"

    def at(self, folder: Path) -> ShelvedModel:
        """The base model in a folder that is known to hold one."""
        return ShelvedModel(folder, folder.name.removeprefix(self.prefix))

    def models(self, home: Path) -> tuple[ShelvedModel, ...]:
        """Every base model of a home, the newest last."""
        return tuple(sorted(self._found(home), key=lambda model: (model.made, model.name)))

    def choose(self, home: Path, name: str = "") -> ShelvedModel:
        """The base model of a name, or of the beginning of one; the newest where no name is given.

        Raises:
            Problem: there is none, none of that name, or several.
        """
        shelf = self.models(home)
        if not shelf:
            raise Problem(self._lacking())
        if not name:
            return shelf[-1]
        wanted = name.removeprefix(self.prefix)
        fitting = [model for model in shelf if model.name == wanted] or [
            model for model in shelf if model.name.startswith(wanted)
        ]
        if len(fitting) == 1:
            return fitting[0]
        names = ", ".join(model.name for model in fitting or shelf)
        if fitting:
            raise Problem(f"Several base models begin with {name!r}: choose one of {names}.")
        raise Problem(f"There is no base model {name!r}: choose one of {names}.")

    def missing(self, home: Path) -> str | None:
        """None where the home has a base model, otherwise one sentence: what is missing and what to do."""
        return None if self.models(home) else self._lacking()

    def find(self, home: Path, reference: BaseReference) -> ShelvedModel:
        """The base model of a home that has the very weights of a reference.

        Raises:
            Problem: there is none.
        """
        shelf = self.models(home)
        # The one of that name first: looking at all the others means reading gigabytes.
        for model in sorted(shelf, key=lambda model: model.name != reference.name):
            if model.digest == reference.digest:
                return model
        changed = any(model.name == reference.name for model in shelf)
        what = "has other weights by now" if changed else "is gone"
        raise Problem(
            f"The base model “{reference.name}” that draws this avatar {what}: put it back into the home's "
            "folder models, or build the avatar again with another one."
        )

    def _lacking(self) -> str:
        train = command_line("train-people", "CORPUS", f"--engine {self.engine}")
        return (
            f"It needs a base model that was trained on many people, and there is none yet: train one with "
            f"{train}, or put the folder of one that somebody trained into {PLACE} in the home."
        )

    def _found(self, home: Path) -> Iterator[ShelvedModel]:
        place = home / PLACE
        if not place.is_dir():
            return
        for folder in place.iterdir():
            name = folder.name
            if not name.startswith(self.prefix) or is_aside(name) or not (folder / SETTINGS).is_file():
                continue
            try:
                made = (folder / WEIGHTS).stat().st_mtime
            except OSError:
                continue  # half copied
            yield ShelvedModel(folder, name.removeprefix(self.prefix), made)


def damaged(folder: Path, error: Exception) -> Problem:
    """What is said of a base model that cannot be opened."""
    # torch names every tensor that does not fit, each on a line of its own.
    fault = str(error).partition("\n")[0].rstrip(" :")
    return Problem(
        f"The base model in {folder} is damaged ({fault}): copy it again from where it came, or train it "
        "again."
    )


def home_of_avatar(folder: Path) -> Path:
    """The home that an avatar's folder (``HOME/subjects/<slug>/avatars/<name>``) is in."""
    return folder.absolute().parents[3]


@lru_cache(maxsize=16)
def _digest(file: Path, modified: int, size: int) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while block := opened.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()
