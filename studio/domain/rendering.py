"""RenderRequest and Frame: a frame is a function of an immutable request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from studio.domain.camera import View
from studio.domain.controls import ControlState

Quality = Literal["draft", "full"]
"""Draft while dragging, full when still and in exports."""
Layer = Literal["picture", "depth", "normals", "canonical"]
"""What is shown: the person as filmed; greys, near light; where the surface faces, as colours
(:mod:`studio.domain.layer_pictures`); or the person as an engine holds them before any expression."""


@dataclass(frozen=True)
class RenderRequest:
    """Everything a frame depends on. Equal requests give equal frames."""

    state: ControlState
    """What the avatar does."""
    view: View
    """What the picture shows."""
    quality: Quality = "full"
    """How much time may be spent."""
    layer: Layer = "picture"
    """Which of the layers that the engine's entry in the catalog names."""


@dataclass(frozen=True)
class Frame:
    """A rendered picture."""

    image: npt.NDArray[np.uint8]
    """``[H, W, 3]`` sRGB, RGB order."""
    alpha: npt.NDArray[np.uint8] | None
    """``[H, W]`` person coverage, 255 inside; None where the engine has no notion of it."""
    request: RenderRequest
    """What was asked."""
    milliseconds: float
    """Time spent rendering."""
