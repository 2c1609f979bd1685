"""Who else is in a clip, beside its tracked sequence: ``people.json`` and a picture of each person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from studio.domain.problem import Problem
from studio.project.documents import DocumentKind, read_document, write_document

PEOPLE = DocumentKind("people in a clip")
"""The document ``people.json``."""
FILE = "people.json"


@dataclass(frozen=True, eq=False)
class SeenPerson:
    """Somebody whom a clip shows and who can be followed."""

    number: int
    """What the tracking setting ``person`` calls them: 0, 1, 2… by appearance, then from left to right."""
    share: float
    """Share of the tracked frames that show them, 0..1."""
    frame: int
    """Frame of the clip that their picture is from."""
    picture: npt.NDArray[np.uint8]
    """``[S, S, 3]`` RGB, their face upright in it."""


@dataclass(frozen=True)
class PeopleInClip:
    """Everybody whom a clip shows."""

    people: tuple[SeenPerson, ...]
    """By number."""
    chosen: int
    """Who was followed."""


def save_people(folder: Path, people: Sequence[SeenPerson], chosen: int) -> None:
    """Write them into an existing folder. Raises Problem when the disk says no."""
    for person in people:
        done, data = cv2.imencode(".png", cv2.cvtColor(person.picture, cv2.COLOR_RGB2BGR))
        if not done:
            raise ValueError("a picture could not be encoded")
        _picture(folder, person.number).write_bytes(data.tobytes())
    listed = [{"number": p.number, "share": p.share, "frame": p.frame} for p in people]
    write_document(folder / FILE, PEOPLE, {"people": listed, "chosen": chosen})


def load_people(folder: Path) -> PeopleInClip | None:
    """Who is to be chosen from, or None where the clip shows one person only (or was tracked before this was
    written down).

    Raises:
        Problem: the file is damaged.
    """
    if not (folder / FILE).exists():
        return None
    content = read_document(folder / FILE, PEOPLE)
    try:
        people = []
        for entry in content["people"]:
            number = int(entry["number"])
            raw = np.frombuffer(_picture(folder, number).read_bytes(), np.uint8)
            picture = cv2.imdecode(raw, cv2.IMREAD_COLOR) if len(raw) else None
            if picture is None:
                raise ValueError("no picture")
            rgb = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
            people.append(SeenPerson(number, float(entry["share"]), int(entry["frame"]), rgb))
        return PeopleInClip(tuple(people), int(content["chosen"]))
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise Problem(f"The list of people in {folder} is damaged: import the clip again.") from error


def _picture(folder: Path, number: int) -> Path:
    return folder / f"person_{number}.png"
