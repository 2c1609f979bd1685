"""Converted weights are kept: safetensors and a card beside them, found again by the digest of their
source."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from studio.domain.problem import Problem
from studio.networks.foreign.file import Converted, ForeignFile, explaining_unlike
from studio.networks.foreign.reading import read_foreign
from studio.project.atomic import new_folder, write_json

SCHEMA_VERSION = 1
"""Of the card; conversions of another version are made again."""
CARD = "card.json"
WEIGHTS = "weights.safetensors"


def converted(
    path: Path,
    cache: Path,
    network: str,
    title: str,
    converters: Mapping[str, Callable[[ForeignFile], Converted]],
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The weights of ``path`` for one of our networks, converted at most once.

    Args:
        path: the foreign file. It is read through each time for its digest, but parsed only once.
        cache: folder for conversions; made when needed.
        network: short name of the network, part of the folder's name.
        title: what a person calls it, for messages.
        converters: by kind of file; each may raise :class:`Unlike`.

    Returns:
        The state dict, and the card: ``schema_version``, ``network``, ``kind``, ``source``, ``sha256``,
        ``config``, ``notes``.

    Raises:
        Problem: the file is missing, refused, of another kind, or the cache cannot be written.
    """
    digest = _digest(path)
    folder = cache / f"{network}-{digest[:16]}"
    found = _found(folder, network, digest)
    if found is not None:
        return found
    file = read_foreign(path)
    if file.kind not in converters:
        raise Problem(f"{path.name} holds {TITLES[file.kind]}, where {title} is wanted; choose another one.")
    with explaining_unlike(path.name, title):
        made = converters[file.kind](file)
    card = {
        "schema_version": SCHEMA_VERSION,
        "network": network,
        "kind": made.kind,
        "source": path.name,
        "sha256": digest,
        "config": dict(made.config),
        "notes": list(made.notes),
        "about": dict(file.about),
    }
    with new_folder(folder) as aside:
        try:
            save_file(dict(made.tensors), aside / WEIGHTS)
        except SafetensorError as error:
            raise Problem(
                f"Converted weights cannot be written into {cache} ({error}); free some space there."
            ) from error
        write_json(aside / CARD, card)
    # Read back what JSON made of it, so that the first call returns what later ones do.
    return dict(made.tensors), json.loads(json.dumps(card))


TITLES = {
    "nvidia": "a StyleGAN2 generator",
    "eg3d": "an EG3D generator",
    "rosinality": "a StyleGAN2 generator",
    "e4e": "the e4e encoder",
    "arcface": "the ArcFace identity network",
    "deca": "DECA",
    "gfpgan": "the GFPGAN restoration network",
}


def _found(folder: Path, network: str, digest: str) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """An earlier conversion; None where there is none that can be used."""
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        wanted = {"schema_version": SCHEMA_VERSION, "network": network, "sha256": digest}
        if {key: card.get(key) for key in wanted} != wanted or not isinstance(card.get("config"), dict):
            return None
        return load_file(folder / WEIGHTS), card
    except (OSError, ValueError, AttributeError, SafetensorError):
        return None


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise Problem(f"{path.name} cannot be read ({error.strerror or error}); check the path.") from error
