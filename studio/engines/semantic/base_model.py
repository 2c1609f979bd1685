"""A semantic base model on disk, and avatars that it draws."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from studio.engines.semantic.network import SemanticNetwork
from studio.engines.semantic.settings import SemanticSettings
from studio.engines.semantic.shelf import SHELF
from studio.networks.spade import without_spectral_norm
from studio.one_picture.base_models import home_of_avatar
from studio.one_picture.network_files import load_network, save_network
from studio.one_picture.person_files import PicturePerson, check_detail, load_person


@dataclass(frozen=True)
class BaseModel:
    """A trained network of people."""

    network: SemanticNetwork
    """In evaluation mode, its weights divided for good where they were divided at every use."""
    head_model: str
    """Which head model drives it, e.g. ``builtin-1``."""


@dataclass(frozen=True)
class SemanticParts:
    """A semantic avatar with what draws it."""

    person: PicturePerson
    """The avatar."""
    network: SemanticNetwork
    """Draws the square; in evaluation mode."""


def save_base_model(folder: Path, network: SemanticNetwork, head_model: str) -> None:
    """Write weights and settings into an existing folder, which the caller puts into place."""
    save_network(folder, network, network.shape, head_model)


def load_base_model(folder: Path) -> BaseModel:
    """Read what :func:`save_base_model` wrote. Raises Problem when it is missing, damaged or newer."""
    network, head_model = load_network(folder, SemanticSettings, SemanticNetwork)
    without_spectral_norm(network)
    return BaseModel(network, head_model)


def load_semantic(folder: Path, home: Path | None = None) -> SemanticParts:
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
    return SemanticParts(person, network)
