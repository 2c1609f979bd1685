"""How edits are trained into a volume."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from annotated_types import Ge, Gt

from pipelines.training.schedule import Schedule


@dataclass(frozen=True)
class VolumeFitSettings:
    """How a Tri²-plane avatar is tuned to show edits by itself."""

    minutes: Annotated[float, Gt(0)] = 3.0
    """Minutes of training, at most."""
    steps: Annotated[int, Ge(1)] = 1500
    """Steps, at most: what a graphics card reaches sooner."""
    pictures: Annotated[int, Ge(24)] = 160
    """Moments of the clip that are drawn with the edits, spread over it."""
    batch: Annotated[int, Ge(1)] = 2
    """Pictures in a step."""
    learning_rate: Annotated[float, Gt(0)] = 2e-3
    """Adam's, at its height, for the networks."""
    standing_rate: Annotated[float, Gt(0)] = 2e-2
    """The same for the tri-planes' standing parts."""
    schedule: Schedule = field(default_factory=lambda: Schedule("cosine", warmup=0.05, final=0.02))
    """The rates along the way."""
    seed: Annotated[int, Ge(0)] = 0
    """The random seed."""
