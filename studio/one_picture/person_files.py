"""An avatar of one picture on disk: the picture, what it stands on, and which base model draws it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from studio.domain.camera import Similarity
from studio.domain.problem import Problem
from studio.one_picture.base_models import BaseReference
from studio.warping.parts import WarpParts
from studio.warping.warp_files import load_parts, save_parts

SCHEMA = 1
"""Version of the files below."""
_PICTURE, _BASE = "picture.png", "base"
_BGRA = [2, 1, 0, 3]


@dataclass(frozen=True)
class PicturePerson:
    """What an avatar of one picture itself consists of, in memory: all but the network."""

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


def save_person(folder: Path, engine: str, person: PicturePerson) -> None:
    """Write all files into an existing folder; the caller puts the folder into place."""
    (folder / _BASE).mkdir()
    save_parts(folder / _BASE, person.base)
    done, data = cv2.imencode(".png", np.ascontiguousarray(person.picture[..., _BGRA]))
    if not done:
        raise OSError(f"could not encode {_PICTURE}")
    (folder / _PICTURE).write_bytes(data.tobytes())
    card = {
        "schema_version": SCHEMA,
        "base_model": {"name": person.reference.name, "sha256": person.reference.digest},
        "window": [float(value) for value in person.window.to_array()],
        "notes": list(person.notes),
        "figures": dict(person.figures),
    }
    (folder / f"{engine}.json").write_text(json.dumps(card, indent=1), encoding="utf-8")


def load_person(folder: Path, engine: str) -> PicturePerson:
    """Read what :func:`save_person` wrote.

    Raises:
        Problem: files are missing or damaged, or of another version.
    """
    try:
        card = json.loads((folder / f"{engine}.json").read_text(encoding="utf-8"))
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
            f"The avatar in “{folder.name}” is damaged ({error}); build it again to repair it."
        ) from error
    return PicturePerson(
        base=load_parts(folder / _BASE),
        picture=np.ascontiguousarray(picture[..., _BGRA]),
        window=window,
        reference=reference,
        notes=notes,
        figures=figures,
    )


def check_detail(folder: Path, person: PicturePerson, side: int) -> None:
    """Raises Problem where the picture is smaller than the network's ``side``."""
    if len(person.picture) < side:
        raise Problem(f"The avatar in “{folder.name}” is damaged (its picture is too small); build it again.")
