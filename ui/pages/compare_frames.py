"""The pictures of a comparison, read when they are wanted, and the maps of where they differ."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from PySide6.QtCore import QObject, QRect, Signal
from PySide6.QtGui import QImage

from pipelines.compare_result import SIDES, Comparison, Side
from studio.domain.problem import Problem
from ui.bridge.background import Background

Pictures = Mapping[Side, QImage]
KEPT = 72
"""Frames held in memory: 75 MB at 256²."""
AT_ONCE = 2
"""Files read at the same time."""
GAIN = 4
"""Differences are shown this much larger than they are."""


class FrameBook(QObject):
    """Reads frames on a thread and keeps those seen last.

    Attributes:
        ready: index of a frame that can be shown now.
        failed: the error that a frame cannot be shown for.
    """

    ready = Signal(int)
    failed = Signal(object)

    def __init__(self, background: Background, parent: QObject) -> None:
        super().__init__(parent)
        self._background = background
        self._comparison: Comparison | None = None
        self._held: OrderedDict[int, Pictures] = OrderedDict()
        self._wanted: list[int] = []
        self._reading: set[int] = set()
        self._turn = 0

    def open(self, comparison: Comparison | None) -> None:
        """Another comparison, or none."""
        self._comparison = comparison
        self._held.clear()
        self._wanted, self._reading = [], set()
        self._turn += 1

    def get(self, index: int) -> Pictures | None:
        """A frame's pictures if they are here."""
        found = self._held.get(index)
        if found is not None:
            self._held.move_to_end(index)
        return found

    def want(self, index: int, ahead: int = 0) -> None:
        """Have a frame ready as soon as possible, then the ones after it; earlier wishes are dropped."""
        if self._comparison is None:
            return
        count = len(self._comparison.pictures)
        wishes = [(index + step) % count for step in range(min(ahead + 1, count))]
        self._wanted = [wish for wish in wishes if wish not in self._held and wish not in self._reading]
        self._go_on()

    def _go_on(self) -> None:
        while self._comparison is not None and self._wanted and len(self._reading) < AT_ONCE:
            index, turn, comparison = self._wanted.pop(0), self._turn, self._comparison
            self._reading.add(index)

            def work(index: int = index, comparison: Comparison = comparison) -> Pictures:
                return read_pictures(comparison, index)

            def done(pictures: Pictures, index: int = index, turn: int = turn) -> None:
                self._take(index, turn, pictures)

            def failed(error: Exception, index: int = index, turn: int = turn) -> None:
                self._drop(index, turn, error)

            self._background.run(self, work, done, failed)

    def _take(self, index: int, turn: int, pictures: Pictures) -> None:
        if turn != self._turn:
            return
        self._reading.discard(index)
        self._held[index] = pictures
        while len(self._held) > KEPT:
            self._held.popitem(last=False)
        self._go_on()
        self.ready.emit(index)

    def _drop(self, index: int, turn: int, error: Exception) -> None:
        if turn == self._turn:
            self._reading.discard(index)
            self._wanted = []
            self.failed.emit(error)


def read_pictures(comparison: Comparison, index: int) -> Pictures:
    """The four pictures of the index-th frame that is kept. Raises Problem when its file is unusable."""
    path = comparison.picture(int(comparison.pictures[index]))
    strip = QImage(str(path)).convertToFormat(QImage.Format.Format_RGB888)
    side = strip.height()
    if strip.isNull() or strip.width() != len(SIDES) * side:
        raise _damaged(path)
    return {
        name: strip.copy(QRect(column * side, 0, side, side))
        for name, column in zip(SIDES, comparison.columns)
    }


def heat(one: QImage, other: QImage) -> QImage:
    """Where two pictures differ: the mean difference of their channels times :data:`GAIN`, black to white."""
    difference = np.abs(pixels(one).astype(np.int16) - pixels(other)).mean(-1)
    levels = np.clip(difference * GAIN, 0, 255).astype(np.uint8)
    coloured = np.ascontiguousarray(heat_colours()[levels])
    height, width = levels.shape
    return QImage(coloured.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()


def heat_colours() -> npt.NDArray[np.uint8]:
    """``[256, 3]`` colours of :func:`heat` from no difference to 255 / :data:`GAIN` levels and more."""
    table = pg.colormap.get("inferno").getLookupTable(nPts=256)
    return np.asarray(table, np.uint8)[:, :3]


def pixels(picture: QImage) -> npt.NDArray[np.uint8]:
    """``[h, w, 3]`` of an RGB888 picture, a copy."""
    rows = np.frombuffer(picture.constBits(), np.uint8).reshape(picture.height(), picture.bytesPerLine())
    return rows[:, : 3 * picture.width()].reshape(picture.height(), picture.width(), 3).copy()


def _damaged(path: Path) -> Problem:
    return Problem(f"The picture {path} is missing or damaged: remove its comparison and compare again.")
