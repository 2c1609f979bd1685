"""What engines of one picture share on disk: base models of their networks, and avatars that these draw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from torch import nn

from studio.one_picture.base_models import Shelf, home_of_avatar
from studio.one_picture.network_files import load_network, save_network
from studio.one_picture.person_files import PicturePerson, check_detail, load_person

N = TypeVar("N", bound=nn.Module)


@dataclass(frozen=True)
class BaseModel(Generic[N]):
    """A trained network of people."""

    network: N
    """In evaluation mode, ready to draw."""
    head_model: str
    """Which head model drives it, e.g. ``builtin-1``."""


@dataclass(frozen=True)
class PictureParts(Generic[N]):
    """An avatar of one picture with what draws it."""

    person: PicturePerson
    """The avatar."""
    network: N
    """Draws the square; in evaluation mode."""


@dataclass(frozen=True)
class NetworkKind(Generic[N]):
    """An engine's kind of network."""

    shelf: Shelf
    """Where its base models stand."""
    settings: type[Any]
    """Class of a network's settings, which have ``side``: of its pictures, pixels."""
    make: Callable[[Any], N]
    """Settings to a network, which keeps them as ``shape``."""
    ready: Callable[[N], object] = lambda network: None
    """What is done to a network that was read, before it draws."""

    def save(self, folder: Path, network: N, head_model: str) -> None:
        """Write weights and settings into an existing folder, which the caller puts into place."""
        save_network(folder, network, self._shape(network), head_model)

    def load(self, folder: Path) -> BaseModel[N]:
        """Read what :meth:`save` wrote. Raises Problem when it is missing, damaged or newer."""
        network, head_model = load_network(folder, self.settings, self.make)
        self.ready(network)
        return BaseModel(network, head_model)

    def open(self, folder: Path, home: Path | None = None) -> PictureParts[N]:
        """Read an avatar, and the base model that it names.

        Args:
            folder: the avatar's.
            home: where base models are; None for the home that the folder is in.

        Raises:
            Problem: files are missing or damaged, or of another version, or the base model is gone.
        """
        person = load_person(folder, self.shelf.engine)
        base = self.shelf.find(home or home_of_avatar(folder), person.reference)
        network = self.load(base.folder).network
        check_detail(folder, person, self._shape(network).side)
        return PictureParts(person, network)

    @staticmethod
    def _shape(network: N) -> Any:
        return network.shape
