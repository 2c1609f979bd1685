"""Settings of measuring Tri²-plane's speed. Without torch: the command line reads them for its help."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge


@dataclass(frozen=True)
class Tri2BenchSettings:
    """What is measured of Tri²-plane."""

    frames: Annotated[int, Ge(10)] = 60
    """Frames of the clip's motion that are drawn at each size, at most."""
    size: Annotated[int, Ge(64)] = 512
    """Largest pictures drawn, pixels; at least 1024 with a graphics card."""
