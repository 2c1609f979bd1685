"""An Export3D base model on disk, and avatars that it draws."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from studio.engines.export3d.network import Export3DNetwork
from studio.engines.export3d.settings import Export3DSettings
from studio.engines.export3d.shelf import SHELF
from studio.one_picture.base_models import home_of_avatar
from studio.one_picture.network_files import load_network, save_network
from studio.one_picture.person_files import PicturePerson, check_detail, load_person


@dataclass(frozen=True)
class BaseModel:
    """A trained network of people."""

    network: Export3DNetwork
    """In evaluation mode."""
    head_model: str
    """Which head model drives it, e.g. ``builtin-1``."""


@dataclass(frozen=True)
class Export3DParts:
    """An Export3D avatar with what draws it."""

    person: PicturePerson
    """The avatar."""
    network: Export3DNetwork
    """Draws the square; in evaluation mode."""


def save_base_model(folder: Path, network: Export3DNetwork, head_model: str) -> None:
    """Write weights and settings into an existing folder, which the caller puts into place."""
    save_network(folder, network, network.shape, head_model)


def load_base_model(folder: Path) -> BaseModel:
    """Read what :func:`save_base_model` wrote. Raises Problem when it is missing, damaged or newer."""
    return BaseModel(*load_network(folder, Export3DSettings, Export3DNetwork))


def load_export3d(folder: Path, home: Path | None = None) -> Export3DParts:
    """Read an avatar, and the base model that it names.

    Args:
        folder: the avatar's.
        home: where base models are; None for the home that the folder is in.

    Raises:
        Problem: files are missing or damaged, or of another version, or the base model is gone.
    """
    person = load_person(folder, SHELF.engine)
    network = load_base_model(SHELF.find(home or home_of_avatar(folder), person.reference).folder).network
    check_detail(folder, person, network.shape.side)
    return Export3DParts(person, network)
