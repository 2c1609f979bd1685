"""Settings of warping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge


@dataclass(frozen=True)
class WarpSettings:
    """What is kept of the pivots and how they are blended."""

    texture_size: Annotated[int, Ge(64)] = 640
    """Longest side, in pixels, at which pivots are kept. Never more than the clip itself has."""
    face_blend: Annotated[int, Ge(1)] = 4
    """How many pivots are blended for the skin of the face."""
    outer_blend: Annotated[int, Ge(1)] = 4
    """How many pivots are blended for hair, neck and shoulders."""
    mouth_blend: Annotated[int, Ge(1)] = 3
    """How many pivots are blended for the mouth; fewer keep teeth sharper."""
    eyes_blend: Annotated[int, Ge(1)] = 3
    """How many pivots are blended for the eyes; fewer keep irises sharper."""
    plate_frames: Annotated[int, Ge(2)] = 60
    """How many frames, spread over the clip, the empty background is recovered from."""
