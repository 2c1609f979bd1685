"""Which way up a stored picture is: the display matrix of MP4, MOV and Matroska.

A phone held upright stores landscape pixels and a matrix that turns them. The matrix maps a stored
point to a shown one, ``x' = a x + c y``, ``y' = b x + d y`` (ISO/IEC 14496-12, 6.2.2), so every multiple
of a quarter turn, with or without a mirror, is a swap of axes followed by flips.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Orientation:
    """How to turn a stored picture upright: swap axes first, then flip."""

    swap: bool = False
    """Exchange rows and columns."""
    flip_x: bool = False
    """Then reverse each row (left to right)."""
    flip_y: bool = False
    """Then reverse the order of rows (top to bottom)."""

    @property
    def mirrored(self) -> bool:
        """Whether the shown picture is a mirror image of the stored one."""
        return self.swap ^ self.flip_x ^ self.flip_y

    @property
    def rotation(self) -> int:
        """Clockwise turn in degrees, 0, 90, 180 or 270; for a mirrored picture, the turn after a left-right
        flip."""
        if not self.swap:
            return 180 if self.flip_y else 0
        return 90 if self.flip_x else 270

    def apply(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """The upright picture, contiguous; ``[h, w, 3]`` becomes ``[w, h, 3]`` when axes are swapped."""
        if self.swap:
            image = image.swapaxes(0, 1)
        if self.flip_x:
            image = image[:, ::-1]
        if self.flip_y:
            image = image[::-1]
        return np.ascontiguousarray(image)

    def shown_size(self, width: int, height: int) -> tuple[int, int]:
        """Stored width and height to shown width and height."""
        return (height, width) if self.swap else (width, height)


def orientation_from_matrix(matrix: bytes) -> Orientation:
    """From FFmpeg's display matrix: nine native 32-bit integers ``a b u c d v x y w``.

    Turns by other than quarters go to the nearest quarter; an empty matrix means upright.
    """
    if len(matrix) < 36:
        return Orientation()
    a, b, _, c, d = struct.unpack("=9i", matrix[:36])[:5]
    if a == b == c == d == 0:
        return Orientation()
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(False, flip_x=a < 0, flip_y=d < 0)
    return Orientation(True, flip_x=c < 0, flip_y=b < 0)
