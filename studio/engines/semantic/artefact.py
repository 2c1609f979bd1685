"""A semantic avatar on disk: the picture, what it stands on, and which base model draws it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

from studio.domain.camera import Similarity
from studio.domain.problem import Problem
from studio.engines.semantic.model_shelf import ShelvedModel, base_models, home_of_avatar
from studio.warping.parts import WarpParts
from studio.warping.warp_files import load_parts, save_parts

if TYPE_CHECKING:  # torch, which making an avatar does without
    from studio.engines.semantic.network import SemanticNetwork

SCHEMA = 1
"""Version of the files below."""
_CARD, _PICTURE, _BASE = "semantic.json", "picture.png", "base"
_BGRA = [2, 1, 0, 3]


@dataclass(frozen=True)
class BaseReference:
    """Which base model an avatar belongs to."""

    name: str
    """What the model was called."""
    digest: str
    """SHA-256 of its weights: by this it is found again, whatever it is called."""


@dataclass(frozen=True)
class SemanticPerson:
    """What a semantic avatar itself consists of, in memory: all but the network."""

    base: WarpParts
    """What it stands on: the instant avatar of the one picture, with the person's coefficients and motion."""
    picture: npt.NDArray[np.uint8]
    """``[D, D, 4]`` sRGB and person coverage, the square at full detail; D is at least the network's side."""
    window: Similarity
    """Source pixels to the square's unit square."""
    reference: BaseReference
    """Where the network is from."""
    notes: tuple[str, ...] = ()
    """Sentences for the person who built it."""
    figures: Mapping[str, Any] = field(default_factory=dict)
    """What was chosen and measured while it was built."""


@dataclass(frozen=True)
class SemanticParts:
    """A semantic avatar with what draws it."""

    person: SemanticPerson
    """The avatar."""
    network: SemanticNetwork
    """Draws the square; in evaluation mode."""


def save_semantic(folder: Path, parts: SemanticPerson) -> None:
    """Write all files into an existing folder; the caller puts the folder into place."""
    (folder / _BASE).mkdir()
    save_parts(folder / _BASE, parts.base)
    done, data = cv2.imencode(".png", np.ascontiguousarray(parts.picture[..., _BGRA]))
    if not done:
        raise OSError(f"could not encode {_PICTURE}")
    (folder / _PICTURE).write_bytes(data.tobytes())
    card = {
        "schema_version": SCHEMA,
        "base_model": {"name": parts.reference.name, "sha256": parts.reference.digest},
        "window": [float(value) for value in parts.window.to_array()],
        "notes": list(parts.notes),
        "figures": dict(parts.figures),
    }
    (folder / _CARD).write_text(json.dumps(card, indent=1), encoding="utf-8")


def load_semantic(folder: Path, home: Path | None = None) -> SemanticParts:
    """Read what :func:`save_semantic` wrote, and the base model that it names.

    Args:
        folder: the avatar's.
        home: where base models are; None for the home that the folder is in.

    Raises:
        Problem: files are missing or damaged, or of another version, or the base model is gone.
    """
    try:
        card = json.loads((folder / _CARD).read_text(encoding="utf-8"))
        if card["schema_version"] != SCHEMA:
            raise Problem("This avatar was built by another version of the program; build it again.")
        reference = BaseReference(str(card["base_model"]["name"]), str(card["base_model"]["sha256"]))
        picture = cv2.imdecode(
            np.frombuffer((folder / _PICTURE).read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED
        )
        if picture is None or picture.shape != (len(picture), len(picture), 4):
            raise ValueError(f"{_PICTURE} is no square picture with coverage")
        window = Similarity.from_array(np.array(card["window"], np.float64))
        notes, figures = tuple(str(note) for note in card["notes"]), dict(card["figures"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise Problem(
            f"The semantic avatar in “{folder.name}” is damaged ({error}); build it again to repair it."
        ) from error
    from studio.engines.semantic.base_model import load_base_model

    model = find_referenced(home or home_of_avatar(folder), reference)
    network = load_base_model(model.folder).network
    if len(picture) < network.shape.side:
        raise Problem(
            f"The semantic avatar in “{folder.name}” is damaged (its picture is too small); build it again."
        )
    person = SemanticPerson(
        base=load_parts(folder / _BASE),
        picture=np.ascontiguousarray(picture[..., _BGRA]),
        window=window,
        reference=reference,
        notes=notes,
        figures=figures,
    )
    return SemanticParts(person, network)


def find_referenced(home: Path, reference: BaseReference) -> ShelvedModel:
    """The base model of a home that has the very weights of a reference.

    Raises:
        Problem: there is none.
    """
    shelf = base_models(home)
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
