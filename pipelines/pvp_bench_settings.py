"""Settings of measuring PVP's speed. Without torch, because the command line reads them for its help."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt


@dataclass(frozen=True)
class PvpBenchSettings:
    """What is measured of PVP."""

    frames: Annotated[int, Ge(10)] = 120
    """Frames of the clip's motion that are drawn at each size, at most."""
    size: Annotated[int, Ge(64)] = 512
    """Largest pictures drawn, pixels; at least 1024 with a graphics card."""
    seconds: Annotated[float, Gt(0)] = 3.0
    """Spent on each way of running each network, at least."""
    edits: bool = True
    """Measure what three stacked edits of latents cost at each size, too."""
    compiled: bool = False
    """Measure torch.compile too, which takes a minute for each network."""
