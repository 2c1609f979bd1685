"""Everything about a clip that is not a picture, as two safetensors files.

Landmarks are twenty times larger than the rest and a training does without them: they are a file of their
own.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors
from safetensors.numpy import load, save

from studio.domain.camera import Floats
from studio.domain.motion import HeadMotion
from studio.domain.sequence import LANDMARKS

_FLOATS = ("coefficients", "offset", "square")
_MOTION = tuple(field.name for field in fields(HeadMotion))


@dataclass(frozen=True, eq=False)
class ClipNumbers:
    """Numbers of a clip of T frames. Lengths in the picture are in pixels of a crop at the corpus' side."""

    motion: HeadMotion
    """What the head does; camera scale in crop pixels per metre and head origin in crop pixels."""
    coefficients: Floats
    """``[I]`` identity coefficients of the head model."""
    offset: Floats
    """``[V, 3]`` what the identity basis misses of the neutral shape, metres."""
    flags: npt.NDArray[np.int32]
    """``[T]`` bits of :class:`studio.domain.sequence.Flag`; 0 is a good frame."""
    frames: npt.NDArray[np.int32]
    """``[T]`` which frames of the source clip these are, ascending."""
    square: Floats
    """``[4]`` the crop: similarity (scale, angle, x, y) from source pixels to the unit square."""
    sums: npt.NDArray[np.uint32]
    """``[T, 2]`` CRC-32 of each frame's picture file and mask file."""
    landmarks_sum: npt.NDArray[np.uint32]
    """``[1]`` CRC-32 of the landmarks' file."""

    def __post_init__(self) -> None:
        count = len(self.motion)
        shapes = {
            "flags": (count,),
            "frames": (count,),
            "square": (4,),
            "sums": (count, 2),
            "landmarks_sum": (1,),
        }
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"ClipNumbers.{name} is {getattr(self, name).shape}, expected {shape}")

    def __len__(self) -> int:
        return len(self.motion)

    @property
    def good(self) -> npt.NDArray[np.bool_]:
        """``[T]`` frames fit to learn from."""
        return self.flags == 0


_WHOLE: dict[str, Any] = {
    "flags": np.int32,
    "frames": np.int32,
    "sums": np.uint32,
    "landmarks_sum": np.uint32,
}


def to_bytes(numbers: ClipNumbers) -> bytes:
    """The file's content."""
    arrays = {name: _plain(getattr(numbers, name), np.float32) for name in _FLOATS}
    arrays |= {f"motion_{name}": _plain(getattr(numbers.motion, name), np.float32) for name in _MOTION}
    return save(arrays | {name: _plain(getattr(numbers, name), kind) for name, kind in _WHOLE.items()})


def from_bytes(data: bytes) -> ClipNumbers:
    """The numbers back. Raises ValueError when the file is damaged."""
    arrays = _read(data)
    try:
        motion = HeadMotion(**{name: arrays[f"motion_{name}"] for name in _MOTION})
        return ClipNumbers(motion, **{name: arrays[name] for name in (*_FLOATS, *_WHOLE)})
    except KeyError as error:
        raise ValueError(f"there is no {error}") from error


def landmarks_to_bytes(landmarks: Floats) -> bytes:
    """The content of the landmarks' file; ``[T, 478, 3]``."""
    return save({"landmarks": _plain(landmarks, np.float32)})


def landmarks_from_bytes(data: bytes, frames: int) -> Floats:
    """The landmarks back. Raises ValueError when the file is damaged or has other than ``frames`` frames."""
    landmarks = _read(data).get("landmarks")
    if landmarks is None or landmarks.shape != (frames, LANDMARKS, 3):
        raise ValueError(f"no landmarks of {frames} frames")
    return landmarks


def _plain(values: npt.NDArray[Any], kind: Any) -> npt.NDArray[Any]:
    return np.ascontiguousarray(values, kind)


def _read(data: bytes) -> dict[str, npt.NDArray[Any]]:
    try:
        arrays = load(data)
    except safetensors.SafetensorError as error:
        raise ValueError(str(error)) from error
    for name, value in arrays.items():
        if value.dtype != _WHOLE.get(name, np.float32):
            raise ValueError(f"{name} is {value.dtype}")
        if not np.isfinite(value).all():
            raise ValueError(f"{name} is not finite")
    return arrays
