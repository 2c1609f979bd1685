"""A sheet of what contenders make of people: a row a frame, the picture, the truth, and each contender."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipelines.one_picture import OnePicture
from pipelines.sheet_file import text_line, write_png

Pictures = npt.NDArray[np.uint8]
SHOWN = 2
"""Frames of each driving."""


class PeopleSheet:
    """Collects rows as an evaluation goes on."""

    def __init__(self) -> None:
        self._rows: list[Pictures] = []
        self._names: list[str] = []

    def saw(self, driving: str, person: OnePicture, real: Pictures, drawn: Mapping[str, Pictures]) -> None:
        """See :class:`pipelines.evaluate_people.PeopleWitness`."""
        self._names = ["picture", "driving frame", *drawn]
        places = np.unique(np.linspace(0, len(real) - 1, SHOWN + 2).round().astype(int))[1:]
        for place in places[:SHOWN].tolist():
            shown = [person.picture, real[place], *(pictures[place] for pictures in drawn.values())]
            self._rows.append(np.concatenate(shown, 1))

    def save(self, path: Path) -> None:
        """Write the sheet as a PNG. Raises Problem when the disk says no."""
        if not self._rows:
            return
        width = self._rows[0].shape[1] // len(self._names)
        heading = np.concatenate([text_line(name, width) for name in self._names], 1)
        write_png(path, np.concatenate([heading, *self._rows]))
