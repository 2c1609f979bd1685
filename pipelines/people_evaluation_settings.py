"""How one-picture avatars are evaluated. No torch: the command line reads it for its help."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge

Source = Literal["first", "hard"]
"""Which frame of a clip is the picture: its first good one (the papers' protocol), or the one whose head is
turned farthest from the camera (the paper's hard subset, as a choice of frame)."""


@dataclass(frozen=True)
class PeopleEvaluationSettings:
    """How one-picture avatars of held-out people are compared."""

    source: Source = "first"
    """Which frame of each clip is the picture: the first good one, or the one whose head is turned farthest
    (hard)."""
    frames: Annotated[int, Ge(2)] = 40
    """Driving frames a clip, spread evenly over its good ones, the picture itself left out."""
    cross_frames: Annotated[int, Ge(0)] = 20
    """Driving frames of another person for each clip; 0: no cross-identity figures."""
    clips: Annotated[int, Ge(0)] = 0
    """Clips looked at, spread over all; 0: all."""
    lpips: Literal["vgg", "alex"] = "vgg"
    """Trunk of LPIPS, where its weights are there."""
