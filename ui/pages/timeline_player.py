"""Plays a timeline: says which frame it is, by the clock."""

from __future__ import annotations

import time
from fractions import Fraction

from PySide6.QtCore import QObject, Qt, QTimer, Signal

EVERY = 8
"""Milliseconds between two looks at the clock: more often than any screen shows a picture."""
FASTEST = 8
"""Times the timeline's own pace."""


class Player(QObject):
    """Moves a playhead. Frames are counted from where it started, so it never drifts.

    Attributes:
        moved: the frame that it is time for.
        state_changed: it plays or it does not, or at another pace.
    """

    moved = Signal(int)
    state_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rate, self.length, self.loop = Fraction(30), 1, False
        self._speed = 0
        self._from, self._since, self._frame = 0, 0.0, 0
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(EVERY)
        self._timer.timeout.connect(self.look)

    @property
    def playing(self) -> bool:
        """Whether it moves."""
        return self._speed != 0

    @property
    def speed(self) -> int:
        """Times the timeline's pace, negative backwards, 0 when it stands."""
        return self._speed

    @property
    def frame(self) -> int:
        """Where it is."""
        return self._frame

    def take(self, rate: Fraction, length: int, loop: bool) -> None:
        """What is played; it plays on from where it is."""
        if (rate, length, loop) != (self.rate, self.length, self.loop):
            self.rate, self.length, self.loop = rate, length, loop
            self.go(min(self._frame, length - 1))

    def go(self, frame: int) -> None:
        """Play on from another frame, or stand there."""
        self._frame = self._from = frame
        self._since = time.perf_counter()

    def play(self, speed: int = 1) -> None:
        """Play; at the end of what does not go round, from the beginning."""
        if not self.loop and speed > 0 and self._frame >= self.length - 1:
            self._frame = 0
            self.moved.emit(0)
        if not self.loop and speed < 0 and self._frame <= 0:
            self._frame = self.length - 1
            self.moved.emit(self._frame)
        self._speed = speed
        self.go(self._frame)
        self._timer.start()
        self.state_changed.emit()

    def pause(self) -> None:
        """Stand still."""
        if self._speed:
            self._speed = 0
            self._timer.stop()
            self.state_changed.emit()

    def toggle(self) -> None:
        """Play or stand still."""
        if self.playing:
            self.pause()
        else:
            self.play()

    def faster(self, way: int) -> None:
        """Play ``way`` 1 forwards or -1 backwards; once more, twice as fast."""
        same = self._speed * way > 0
        self.play(way * min(FASTEST, abs(self._speed) * 2) if same else way)

    def look(self, now: float | None = None) -> None:
        """Look at the clock (seconds of ``time.perf_counter``), and move if it is time."""
        now = time.perf_counter() if now is None else now
        frame = self._from + int((now - self._since) * float(self.rate) * self._speed)
        over = frame >= self.length or frame < 0
        if over and self.loop:
            frame %= self.length
        elif over:
            frame = min(max(frame, 0), self.length - 1)
        if frame != self._frame:
            self._frame = frame
            self.moved.emit(frame)
        if over and not self.loop:
            self.pause()
