"""What a metric is: one Metric value, and what it looks at: two Observed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats
from studio.domain.motion import HeadMotion

Values = npt.NDArray[np.float64]
"""``[T]`` one value per frame; NaN where the frame has none (no face found, no neighbour in time)."""

Need = Literal["pictures", "masks", "perceptual_weights", "landmarks", "motion", "identity"]
"""What a metric looks at: the pictures alone; pictures and the real frame's person mask; pictures and the
trunk of the perceptual network; tracked landmarks; fitted head parameters; identity embeddings."""

Better = Literal["higher", "lower", "near zero", "near one"]
"""Which way is better."""


class Unavailable(Exception):
    """This metric cannot be had here; the message is one clause that says why and what to do."""


@dataclass(frozen=True)
class Observed:
    """One side of a comparison: T frames, real or rendered. What is unknown is None."""

    frames: npt.NDArray[np.int64]
    """``[T]`` frame numbers, ascending; neighbours in time have consecutive numbers."""
    pictures: npt.NDArray[np.uint8] | None = None
    """``[T, H, W, 3]`` sRGB, RGB order."""
    mask: npt.NDArray[np.uint8] | None = None
    """``[T, H, W]`` person coverage of the real frames, 255 inside."""
    size: int = 256
    """Side of the square picture that the landmarks are measured in, pixels."""
    landmarks: Floats | None = None
    """``[T, 478, 3]`` MediaPipe landmarks in picture pixels; NaN where no face was found."""
    motion: HeadMotion | None = None
    """Head parameters fitted to the landmarks, camera in picture pixels; NaN where no face was found."""
    embeddings: Floats | None = None
    """``[T, D]`` identity embeddings of length one; NaN where no face was found."""

    def __post_init__(self) -> None:
        count = len(self.frames)
        for name in ("pictures", "mask", "landmarks", "motion", "embeddings"):
            value = getattr(self, name)
            if value is not None and len(value) != count:
                raise ValueError(f"Observed.{name} has {len(value)} frames, expected {count}")
        if self.pictures is not None and (
            self.pictures.dtype != np.uint8 or self.pictures.ndim != 4 or self.pictures.shape[3] != 3
        ):
            raise ValueError(f"Observed.pictures is {self.pictures.dtype} {self.pictures.shape}")


@dataclass(frozen=True)
class Metric:
    """One measure, as data. ``measure(real, rendered)`` gives a value per frame."""

    id: str
    """Stable key in JSON and tables."""
    title: str
    """What a person reads."""
    unit: str
    """Unit of the value; empty for a pure number."""
    better: Better
    """Which way is better."""
    needs: Need
    """What it looks at."""
    source: str
    """Paper or implementation that defines it."""
    measure: Callable[[Observed, Observed], Values]
    """Real side, rendered side → ``[T]``. Raises :class:`Unavailable`."""
    worst: float | None = None
    """The value that a frame takes when no face is found in its rendering; None: the worst value among
    the frames where one is found."""
    digits: int = 3
    """Decimals shown in tables."""


def picture_pair(real: Observed, rendered: Observed) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Both sides' pictures, checked to be alike. Raises ValueError."""
    if real.pictures is None or rendered.pictures is None:
        raise ValueError("this metric looks at pictures, and a side has none")
    if real.pictures.shape != rendered.pictures.shape:
        raise ValueError(f"pictures differ in shape: {real.pictures.shape}, {rendered.pictures.shape}")
    return real.pictures, rendered.pictures
