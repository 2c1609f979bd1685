"""A picture of each person whom a clip shows, so that somebody can say whom to follow."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from studio.domain.camera import Similarity
from studio.media import read_selected
from studio.project.people_files import SeenPerson
from studio.tracking.cutting import cut
from studio.tracking.following import Person
from studio.tracking.sighting import Sighting
from studio.tracking.tracker import Picture

SIDE = 160
"""Pixels of a picture's side."""
ROOM = 1.7
"""Side of the square in heights of the face."""
_BRIDGE, _SIDES = 168, (234, 454)
"""The nose's bridge and the face's two edges."""


def portraits(video: Path, cast: Sequence[Person], first: int, count: int) -> list[SeenPerson]:
    """Each person once, where they are seen large and from the front.

    Args:
        video: the clip.
        cast: the people, by number.
        first: the clip's frame that the sightings' frame 0 is.
        count: how many frames were looked at.
    """
    best = [max(person.sightings, key=lambda pair: _looks(pair[1])) for person in cast]
    pictures: dict[int, Picture] = {}
    wanted = sorted({first + frame for frame, _ in best})
    with closing(read_selected(video, wanted)) as found:  # type: ignore[type-var]
        pictures.update(found)
    return [
        SeenPerson(
            number=number,
            share=min(1.0, len({f for f, _ in person.sightings}) / max(1, count)),
            frame=first + frame,
            picture=cut(pictures[first + frame], _square(face), SIDE),
        )
        for number, (person, (frame, face)) in enumerate(zip(cast, best, strict=True))
    ]


def _looks(face: Sighting) -> float:
    """How well a face can be recognised: its size, less the more it is turned."""
    points = face.landmarks[:, :2]
    left, right = (float(np.linalg.norm(points[_BRIDGE] - points[side])) for side in _SIDES)
    return face.size * min(left, right) / max(left, right, 1e-6)


def _square(face: Sighting) -> Similarity:
    side = ROOM * face.size
    corner = face.centre - side / 2
    return Similarity(1 / side, 0.0, float(-corner[0] / side), float(-corner[1] / side))
