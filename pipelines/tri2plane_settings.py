"""Settings of Tri²-plane's stages. They import no torch, because the command line reads them for its help."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Lt, MultipleOf


@dataclass(frozen=True)
class VolumeMaterialSettings:
    """What is cut out for a volume to learn from."""

    resolution: Literal[64, 128, 256, 512] = 128
    """Side of the aligned crop in pixels."""
    margin: Annotated[float, Ge(0), Lt(1)] = 0.22
    """How much wider than the crop the pictures are on each side, in sides of the crop: the room in which
    windows slide."""
    map_size: Annotated[int, Ge(32), MultipleOf(8)] = 64
    """Pixels along a side of the head's maps."""
    validation: Annotated[float, Gt(0), Lt(0.5)] = 0.12
    """Share of the training frames, in blocks, by which training is judged and which it never sees."""
    validation_blocks: Annotated[int, Ge(1)] = 3
    """How many blocks those frames form."""
