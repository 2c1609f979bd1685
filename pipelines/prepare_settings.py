"""What can be chosen about preparing a folder of clips; loads nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from annotated_types import Ge, Gt, Lt


@dataclass(frozen=True)
class PrepareSettings:
    """How clips of many people are made into a corpus."""

    side: Annotated[int, Ge(32)] = 256
    """Pixels of the pictures' sides."""
    margin: Annotated[float, Ge(1)] = 1.75
    """Side of the square in sides of the box around the face while it moves: hair and neck stay in."""
    roam: Annotated[float, Gt(1)] = 1.6
    """A clip goes on in front of a new square when the face has moved so far that the box around it is this
    many times its own size."""
    smallest_face: Annotated[float, Gt(0)] = 0.25
    """Faces lower than this share of the side are too small: their pictures would only be enlarged."""
    fewest_frames: Annotated[int, Ge(2)] = 24
    """Stretches with fewer good frames are left out."""
    fewest_good: Annotated[float, Ge(0)] = 0.5
    """Stretches of which a smaller share of the frames is good are left out."""
    held_out: Annotated[float, Ge(0), Lt(1)] = field(default=0.2, metadata={"invalidates": False})
    """Share of the people that is kept for judging; nobody of them is ever learnt from."""
