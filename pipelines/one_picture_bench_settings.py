"""Settings of measuring avatars of one picture. Without torch: the command line reads them for its help."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge


@dataclass(frozen=True)
class OnePictureBenchSettings:
    """What is measured of an avatar of one picture."""

    frames: Annotated[int, Ge(10)] = 60
    """Frames that are drawn at each size."""
    size: Annotated[int, Ge(64)] = 512
    """Largest pictures drawn, pixels; at least 1024 with a graphics card."""
