"""What an evaluation looks like: a contact sheet and a side-by-side film."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from pipelines.sheet_file import HEADING, text_line, write_png

Picture = npt.NDArray[np.uint8]

SPREAD = 6
"""Frames on a contact sheet, spread evenly over the held-out part."""
CELL = 256
"""Smallest side of a picture on a contact sheet in pixels: eyes and teeth must be seen."""
GAIN = 4
"""Differences are shown this much larger than they are."""


def error_picture(real: Picture, rendered: Picture) -> Picture:
    """Absolute difference times :data:`GAIN`, clipped: black is right."""
    return np.asarray(cv2.convertScaleAbs(cv2.absdiff(real, rendered), alpha=GAIN), np.uint8)


class ContactSheet:
    """Collects some frames as they pass by and writes one PNG: a column per frame, a row per picture of
    it and per error."""

    def __init__(self, path: Path, frames: int, names: Sequence[str]) -> None:
        """``path``: where it goes; ``frames``: how many will pass by; ``names``: of the pictures of a frame,
        the first being the real one."""
        self._path, self._names = path, names
        self._wanted = set(np.linspace(0, frames - 1, min(SPREAD, frames)).round().astype(int).tolist())
        self._columns: list[Picture] = []

    def add(self, k: int, caption: str, pictures: Sequence[Picture]) -> None:
        """Show the k-th compared frame, if it is one of the chosen; ``pictures`` ``[S, S, 3]``."""
        if k in self._wanted:
            self.append(caption, pictures)

    def append(self, caption: str, pictures: Sequence[Picture]) -> None:
        """Show a frame, whichever it is."""
        real, others, names = pictures[0], pictures[1:], self._names[1:]
        cells = [*pictures, *(error_picture(real, other) for other in others)]
        captions = [
            caption,
            *(f"{name} {decibels(real, other)}" for name, other in zip(names, others)),
            *(f"{GAIN} x error of {name}" for name in names),
        ]
        parts = []
        for cell, text in zip(cells, captions):
            shown = enlarged(cell)
            parts += [text_line(text, shown.shape[1]), shown]
        self._columns.append(np.concatenate(parts))

    def save(self) -> None:
        """Write the PNG, aside and renamed. Raises Problem when the disk says no."""
        sheet = np.concatenate(self._columns, 1)
        write_png(self._path, sheet)


class SideBySide:
    """Writes the pictures of each frame and the judged engine's error next to each other, as a film."""

    def __init__(self, path: Path, size: int, rate: Fraction, names: Sequence[str], engine: int) -> None:
        """``size``: side of each picture; ``names``: of the pictures, the first being the real one;
        ``engine``: which of them is judged. Frames left out of the comparison are missing in the film too."""
        self._path, self._rate, self._engine = path, rate, engine
        # The picture format of MP4 wants even sides.
        self._even = size - size % 2
        titles = [*names, f"{GAIN} x error of {names[engine]}"]
        self._heading = np.concatenate([text_line(title, self._even) for title in titles], 1)
        self._stack = ExitStack()
        self._writer: Any = None

    def __enter__(self) -> SideBySide:
        from studio.media import VideoWriter

        width, height = self._heading.shape[1], self._even + HEADING
        self._writer = self._stack.enter_context(VideoWriter(self._path, width, height, self._rate))
        return self

    def __exit__(self, *ended: Any) -> None:
        self._stack.__exit__(*ended)

    def add(self, pictures: Sequence[Picture]) -> None:
        """One frame of the film; ``pictures`` ``[S, S, 3]``, as many as names."""
        shown = [*pictures, error_picture(pictures[0], pictures[self._engine])]
        row = np.concatenate([p[: self._even, : self._even] for p in shown], 1)
        self._writer.write(np.concatenate([self._heading, row]))


def enlarged(picture: Picture) -> Picture:
    """A picture ``[S, S, 3]``, at least :data:`CELL` wide."""
    size = picture.shape[0]
    if size >= CELL:
        return picture
    return np.asarray(cv2.resize(picture, (CELL, CELL), interpolation=cv2.INTER_CUBIC), np.uint8)


def decibels(real: Picture, rendered: Picture) -> str:
    """How near a picture is to the real one, in words: ``24.1 dB``."""
    error = float(((real.astype(np.float32) - rendered) ** 2).mean())
    return "equal" if error == 0 else f"{10 * np.log10(255.0**2 / error):.1f} dB"
