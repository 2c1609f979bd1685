"""How a corpus' pictures reach a training. No torch: the command line reads it for its help."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt


@dataclass(frozen=True)
class FrameSettings:
    """How pictures reach the training."""

    memory_gigabytes: Annotated[float, Gt(0)] = 3.0
    """Memory for decoded pictures of the training's side. A 128² picture takes 49 kB: 20 000 fit into 1 GB.
    What does not fit is decoded again when it is needed."""
    workers: Annotated[int, Ge(0)] = 1
    """Processes that decode ahead of the training; 0: it decodes by itself."""
    ahead: Annotated[int, Ge(1)] = 4
    """Steps that they are ahead."""
