"""Settings of measuring edits. They import no torch: the command line reads them for its help."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge


@dataclass(frozen=True)
class JudgeSettings:
    """How edits are judged."""

    steps: Annotated[int, Ge(3)] = 5
    """Strengths of each edit over its suggested range; 0 is always among what is drawn."""
    moments: Annotated[int, Ge(1)] = 6
    """Moments of the clip, evenly spread over its yaw."""
    looks: Annotated[int, Ge(1)] = 2
    """Pictures of each, shifted by parts of a pixel, over which the tracker's landmarks are averaged."""
    directions: Annotated[int, Ge(1)] = 3
    """How many of the clip's strongest expression directions are read back."""
