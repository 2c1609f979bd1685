"""What an evaluation looks like: a contact sheet and a side-by-side film."""

from __future__ import annotations

from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from studio.project.atomic import explaining_disk

Picture = npt.NDArray[np.uint8]

COLUMNS = 8
"""Frames on a contact sheet, spread evenly over the held-out part."""
GAIN = 4
"""Differences are shown this much larger than they are."""
ROWS = ("real", "engine", "nearest frame", f"{GAIN} x engine error", f"{GAIN} x nearest error")
_HEADING = 22
"""Height of a line of text in pixels."""


def error_picture(real: Picture, rendered: Picture) -> Picture:
    """Absolute difference times :data:`GAIN`, clipped: black is right."""
    return np.asarray(cv2.convertScaleAbs(cv2.absdiff(real, rendered), alpha=GAIN), np.uint8)


class ContactSheet:
    """Collects some frames as they pass by and writes one PNG: a column per frame."""

    def __init__(self, path: Path, frames: int) -> None:
        """``path``: where it goes; ``frames``: how many will pass by."""
        self._path = path
        self._wanted = set(np.linspace(0, frames - 1, min(COLUMNS, frames)).round().astype(int).tolist())
        self._columns: list[Picture] = []

    def add(self, k: int, frame: int, real: Picture, engine: Picture, nearest: Picture) -> None:
        """Show the k-th compared frame, if it is one of the chosen; all pictures ``[S, S, 3]``."""
        if k not in self._wanted:
            return
        cells = [real, engine, nearest, error_picture(real, engine), error_picture(real, nearest)]
        captions = [
            f"frame {frame}",
            *(f"{name} {_decibels(real, p)}" for name, p in (("engine", engine), ("nearest", nearest))),
            ROWS[3],
            ROWS[4],
        ]
        parts = [part for cell, text in zip(cells, captions) for part in (_line(text, cell.shape[1]), cell)]
        self._columns.append(np.concatenate(parts))

    def save(self) -> None:
        """Write the PNG, aside and renamed. Raises Problem when the disk says no."""
        sheet = np.concatenate(self._columns, 1)
        done, data = cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
        if not done:
            raise ValueError("the contact sheet could not be encoded")
        with explaining_disk(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            aside = self._path.with_name(f".{self._path.name}.part")
            aside.write_bytes(data.tobytes())
            aside.replace(self._path)


class SideBySide:
    """Writes real, engine, nearest frame and the engine's error next to each other, as a film."""

    def __init__(self, path: Path, size: int, rate: Fraction) -> None:
        """``size``: side of each picture; frames left out of the comparison are missing in the film too."""
        self._path, self._size, self._rate = path, size, rate
        self._stack = ExitStack()
        self._writer: Any = None

    def __enter__(self) -> SideBySide:
        from studio.media import VideoWriter

        # The picture format of MP4 wants even sides.
        self._even = self._size - self._size % 2
        self._writer = self._stack.enter_context(
            VideoWriter(self._path, 4 * self._even, self._even, self._rate)
        )
        return self

    def __exit__(self, *ended: Any) -> None:
        self._stack.__exit__(*ended)

    def add(self, real: Picture, engine: Picture, nearest: Picture) -> None:
        """One frame of the film; all pictures ``[S, S, 3]``."""
        pictures = [real, engine, nearest, error_picture(real, engine)]
        self._writer.write(np.concatenate([p[: self._even, : self._even] for p in pictures], 1))


def _decibels(real: Picture, rendered: Picture) -> str:
    error = float(((real.astype(np.float32) - rendered) ** 2).mean())
    return "equal" if error == 0 else f"{10 * np.log10(255.0**2 / error):.1f} dB"


def _line(text: str, width: int) -> Picture:
    line = np.full((_HEADING, width, 3), 24, np.uint8)
    cv2.putText(line, text, (6, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (235, 235, 235), 1, cv2.LINE_AA)
    return line
