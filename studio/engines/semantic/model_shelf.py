"""The base models of a home: trained networks of people, each in ``HOME/models/semantic-<key>``. Loads no
torch.

What is in such a folder, :mod:`studio.engines.semantic.base_model` says. Avatars of one picture hold a
reference to one of them and not a copy: a network of 100 million numbers serves everybody.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from studio.domain.problem import Problem
from studio.engines.semantic.settings import SemanticSettings
from studio.project.atomic import is_aside
from studio.project.command_words import command_line
from studio.project.documents import DocumentKind, read_document
from studio.project.settings_json import settings_from_plain

PLACE, PREFIX = "models", "semantic-"
"""Folder of a home, and how the folders of base models in it begin."""
WEIGHTS, SETTINGS = "network.safetensors", "settings.json"
"""Files without which a folder is no base model."""
DOCUMENT = DocumentKind("base model")
"""The document ``settings.json``."""


@dataclass(frozen=True)
class ShelvedModel:
    """A base model on disk, unopened."""

    folder: Path
    """Its folder."""
    name: str
    """What it is chosen by: the folder's name without ``semantic-``."""
    made: float
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

    def read(self) -> tuple[SemanticSettings, str]:
        """Its network's settings, and the head model that drives it. Raises Problem when they are damaged."""
        content = read_document(self.folder / SETTINGS, DOCUMENT)
        try:
            settings = settings_from_plain(SemanticSettings, content["network"])
            return settings, str(content["head_model"])
        except (LookupError, TypeError) as error:
            raise Problem(
                f"The base model in {self.folder} is damaged ({error}): copy it again from where it came, or "
                "train it again."
            ) from error

    def check(self, head_model: str) -> SemanticSettings:
        """Its network's settings. Raises Problem where it cannot draw who was tracked with a head model."""
        settings, drives = self.read()
        if drives != head_model:
            raise Problem(
                f"The base model “{self.name}” is driven by the head model “{drives}”, and the picture was "
                f"tracked with “{head_model}”: track it with the other one, or choose another base model."
            )
        if settings.keypoint_source != "head_model":
            raise Problem(
                f"The base model “{self.name}” finds keypoints by itself, an experiment that no controls can "
                "drive: choose another base model."
            )
        return settings


def base_models(home: Path) -> tuple[ShelvedModel, ...]:
    """Every base model of a home, the newest last."""
    return tuple(sorted(_found(home), key=lambda model: (model.made, model.name)))


def choose_base_model(home: Path, name: str = "") -> ShelvedModel:
    """The base model of a name, or of the beginning of one; the newest where no name is given.

    Raises:
        Problem: there is none, none of that name, or several.
    """
    shelf = base_models(home)
    if not shelf:
        raise Problem(lacking())
    if not name:
        return shelf[-1]
    wanted = name.removeprefix(PREFIX)
    fitting = [model for model in shelf if model.name == wanted] or [
        model for model in shelf if model.name.startswith(wanted)
    ]
    if len(fitting) == 1:
        return fitting[0]
    names = ", ".join(model.name for model in fitting or shelf)
    if fitting:
        raise Problem(f"Several base models begin with {name!r}: choose one of {names}.")
    raise Problem(f"There is no base model {name!r}: choose one of {names}.")


def missing_base_model(home: Path) -> str | None:
    """None where the home has a base model, otherwise one sentence: what is missing and what to do."""
    return None if base_models(home) else lacking()


def lacking() -> str:
    """The sentence for a home without a base model."""
    train = command_line("train-people", "CORPUS")
    return (
        f"It needs a base model that was trained on many people, and there is none yet: train one with "
        f"{train}, or put the folder of one that somebody trained into {PLACE} in the home."
    )


def home_of_avatar(folder: Path) -> Path:
    """The home that an avatar's folder (``HOME/subjects/<slug>/avatars/<name>``) is in."""
    return folder.absolute().parents[3]


def _found(home: Path) -> Iterator[ShelvedModel]:
    place = home / PLACE
    if not place.is_dir():
        return
    for folder in place.iterdir():
        name = folder.name
        if not name.startswith(PREFIX) or is_aside(name) or not (folder / SETTINGS).is_file():
            continue
        try:
            made = (folder / WEIGHTS).stat().st_mtime
        except OSError:
            continue  # half copied
        yield ShelvedModel(folder, name.removeprefix(PREFIX), made)


@lru_cache(maxsize=16)
def _digest(file: Path, modified: int, size: int) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while block := opened.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()
