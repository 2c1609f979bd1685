"""NOFA base models that nobody trained, in a home."""

from __future__ import annotations

from pathlib import Path

from studio.engines.nofa.base_model import save_base_model
from studio.engines.nofa.settings import NofaSettings
from studio.engines.nofa.shelf import SHELF
from studio.head.builtin import builtin_head
from studio.one_picture.base_models import ShelvedModel
from tests.engines.nofa.little_nofa import GUIDED, shaken


def shelve(home: Path, name: str = "tiny", shape: NofaSettings = GUIDED) -> ShelvedModel:
    """Put one of random weights into a home."""
    folder = home / "models" / f"nofa-{name}"
    folder.mkdir(parents=True)
    save_base_model(folder, shaken(shape), builtin_head().id)
    return SHELF.choose(home, name)
