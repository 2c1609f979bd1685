"""How long the rest of some work will take, from how fast it has been going lately."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable


class TimeLeft:
    """Seconds left from the pace of the last half minute; None until a second has been seen."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, window: float = 30.0) -> None:
        """
        Args:
            clock: seconds that only grow.
            window: seconds of the past that set the pace.
        """
        self._clock = clock
        self._window = window
        self._seen: deque[tuple[float, int]] = deque()

    def __call__(self, done: int, total: int | None) -> float | None:
        """Note that ``done`` of ``total`` units are finished now and estimate the seconds for the rest."""
        now = self._clock()
        if self._seen and done < self._seen[-1][1]:
            self._seen.clear()  # a new count began
        if not self._seen or now - self._seen[-1][0] >= 0.1:
            self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[1][0] >= self._window:
            self._seen.popleft()
        if total is None:
            return None
        if done >= total:
            return 0.0
        since, before = self._seen[0]
        if now - since < 1.0 or done <= before:
            return None
        return (total - done) * (now - since) / (done - before)
