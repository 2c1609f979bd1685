"""A NOFA base model on disk, and avatars that it draws, which may have weights of their own."""

from __future__ import annotations

from pathlib import Path

from studio.engines.nofa.network import NofaNetwork
from studio.engines.nofa.own_weights import take_own_weights
from studio.engines.nofa.settings import NofaSettings
from studio.engines.nofa.shelf import SHELF
from studio.one_picture.network_kind import NetworkKind, PictureParts

KIND = NetworkKind(SHELF, NofaSettings, NofaNetwork)
NofaParts = PictureParts[NofaNetwork]
save_base_model, load_base_model = KIND.save, KIND.load


def load_nofa(folder: Path, home: Path | None = None) -> NofaParts:
    """Read an avatar, the base model that it names, and its own weights in place of that one's.

    Args:
        folder: the avatar's.
        home: where base models are; None for the home that the folder is in.

    Raises:
        Problem: files are missing or damaged, or of another version, or the base model is gone.
    """
    parts = KIND.open(folder, home)
    take_own_weights(folder, parts.person, parts.network)
    return parts
