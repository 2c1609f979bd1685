"""What colours a person's regions have, as far as finding edits needs to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from studio.domain.edits import Region


@dataclass(frozen=True)
class RegionColour:
    """One region of a person, over their pivots."""

    lab: tuple[float, float, float]
    """Mean CIE Lab (D65): L 0..100, a, b."""
    share: float
    """How much of the picture it covers, 0..1."""


RegionColours = Mapping[Region, RegionColour]
"""Region to its colour."""
