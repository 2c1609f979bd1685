"""What can be chosen about an avatar of one picture. No torch: the command line reads it for its help."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from annotated_types import Ge

BEST = -1
"""Stands for the frame that suits best."""


@dataclass(frozen=True)
class OnePictureSettings:
    """How a picture becomes an avatar that a network of many people draws."""

    model: str = field(default="", metadata={"invalidates": False})
    """Which of the home's base models (folder models) draws it, by the folder's name without the engine's;
    empty takes the newest. Which one it was is a part of the avatar's key either way."""
    frame: Annotated[int, Ge(BEST)] = BEST
    """Number of the clip's frame that is the picture, its first being 0; -1 takes a sharp one from the front
    with eyes open and the mouth at rest."""
    margin: Annotated[float, Ge(1)] = 2.0
    """Side of the square that the network sees, in sides of the box around the face. Squares it was trained
    on are 1.75 times the box around a face that moves, which is about twice the face."""
    texture_size: Annotated[int, Ge(64)] = 640
    """Longest side, in pixels, at which the picture is kept for what is around that square. Never more than
    it has."""
    detail: Annotated[int, Ge(0)] = 512
    """Side, in pixels, up to which the square keeps fine detail that the network itself is too coarse to
    draw; its flow carries it along. 0 keeps none."""
