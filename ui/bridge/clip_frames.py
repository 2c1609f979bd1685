"""Pictures of a clip by frame number, decoded on a thread of their own; the newest wish wins."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QObject, Qt, Signal

if TYPE_CHECKING:
    from studio.media.photo import PhotoFilm
    from studio.media.reader import Film
    from studio.media.timeline import Timeline

KEPT = 24
"""Pictures that are kept for steps back and forth."""
BACK = 12
"""Frames decoded before the one that is wanted on a step back: the next steps find them ready."""
LARGEST = 1440
"""Longest side in pixels of a picture that is handed out."""

Pixels = npt.NDArray[np.uint8]
"""``[h, w, 4]`` blue, green, red, 255: what QImage calls Format_RGB32."""


@dataclass(frozen=True)
class FilmFacts:
    """An opened clip."""

    path: Path
    """The file."""
    frames: int
    """How many it has."""
    rate: Fraction
    """Frames per second, exact."""
    width: int
    """Upright width in pixels."""
    height: int
    """Upright height in pixels."""


class ClipFrames(QObject):
    """One open clip. Everything here returns at once; what was asked for before something newer is dropped.

    Attributes:
        opened: :class:`FilmFacts` of the clip that was opened last.
        arrived: (frame number, Pixels).
        failed: the Problem or defect that a clip cannot be shown for.
    """

    opened = Signal(object)
    arrived = Signal(int, object)
    failed = Signal(object)
    _news = Signal(int, str, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._changed = threading.Condition()
        self._path: Path | None = None
        self._turn = 0
        self._wanted: int | None = None
        self._side = LARGEST
        self._ended = False
        self._thread: threading.Thread | None = None
        self._news.connect(self._take, Qt.ConnectionType.QueuedConnection)

    def open(self, path: Path | None) -> None:
        """Another clip, or none."""
        with self._changed:
            self._path, self._wanted = path, None
            self._turn += 1
            self._changed.notify()
        if path is not None and self._thread is None:
            self._thread = threading.Thread(target=self._work, name="clip frames", daemon=True)
            self._thread.start()

    def ask(self, frame: int) -> None:
        """This frame next, instead of any that was asked for and has not been begun."""
        with self._changed:
            self._wanted = frame
            self._changed.notify()

    def fit(self, side: int) -> None:
        """Pictures need not be larger than this many pixels along their longest side."""
        with self._changed:
            self._side = min(LARGEST, max(64, side))

    def close(self) -> None:
        """End the thread and wait for it."""
        with self._changed:
            self._ended = True
            self._turn += 1
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _take(self, turn: int, kind: str, what: Any) -> None:
        if turn != self._turn or self._ended:
            return
        if kind == "opened":
            self.opened.emit(what)
        elif kind == "arrived":
            self.arrived.emit(*what)
        else:
            self.failed.emit(what)

    def _work(self) -> None:
        """On the thread: one clip after the other."""
        turn = -1
        while True:
            with self._changed:
                self._changed.wait_for(lambda seen=turn: self._ended or self._turn != seen)  # type: ignore[misc]
                if self._ended:
                    return
                turn, path = self._turn, self._path
            if path is None:
                continue
            try:
                self._show(turn, path)
            except Exception as error:  # a damaged file may raise anything; the page says so
                self._news.emit(turn, "failed", error)

    def _show(self, turn: int, path: Path) -> None:
        from studio.media.timeline import read_timeline

        timeline = read_timeline(path)
        reel = Reel(path, timeline)
        try:
            width, height = reel.size
            facts = FilmFacts(path, len(timeline), timeline.rate, width, height)
            self._news.emit(turn, "opened", facts)
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._turn != turn or self._wanted is not None)
                    if self._turn != turn:
                        return
                    frame, side = self._wanted, self._side
                    self._wanted = None
                assert frame is not None
                frame = min(max(0, frame), len(timeline) - 1)
                self._news.emit(turn, "arrived", (frame, reel.picture(frame, side)))
        finally:
            reel.close()


class Reel:
    """A clip's pictures in any order, scaled for the screen; not thread-safe."""

    def __init__(self, path: Path, timeline: Timeline) -> None:
        """
        Args:
            path: the file.
            timeline: its frames.

        Raises:
            Problem: it cannot be decoded.
        """
        self._path, self._timeline = path, timeline
        self._film = self._opened()
        self._at = -1
        self._kept: OrderedDict[int, Pixels] = OrderedDict()
        self._side = 0

    @property
    def size(self) -> tuple[int, int]:
        """Upright width and height in pixels."""
        developer = self._film.developer
        return developer.width, developer.height

    def picture(self, frame: int, side: int) -> Pixels:
        """One frame, at most ``side`` pixels along its longest side."""
        if side != self._side:
            self._kept.clear()
            self._side = side
        if frame in self._kept:
            self._kept.move_to_end(frame)
            return self._kept[frame]
        first = frame
        if frame < self._at:
            if self._at - frame <= BACK:
                first = max(0, frame - BACK)
            self._film.close()
            self._film = self._opened()
        for number in range(first, frame + 1):
            self._kept[number] = self._scaled(self._film.picture(int(self._timeline.shown[number])))
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._at = frame
        return self._kept[frame]

    def close(self) -> None:
        """Free the decoder."""
        self._film.close()

    def _opened(self) -> Film | PhotoFilm:
        from studio.media.reader import open_film

        return open_film(self._path, self._timeline)

    def _scaled(self, picture: Pixels) -> Pixels:
        import cv2

        height, width = picture.shape[:2]
        shrink = self._side / max(height, width)
        if shrink < 1.0:
            size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
            picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2BGRA), np.uint8)
