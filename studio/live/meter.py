"""How live it is: pictures shown a second, and how long a movement of the hand takes to reach the screen."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

PAUSE = 0.5
"""Seconds without a picture after which somebody is taken to have stopped moving."""


@dataclass(frozen=True)
class Liveliness:
    """Figures over the last seconds."""

    rate: float
    """Pictures shown a second while somebody moved; 0 when nothing was shown of late."""
    p50: float
    """Milliseconds from asking to the picture on the screen, median; 0 without any."""
    p95: float
    """The same, 95 % within."""


class LiveMeter:
    """Counts what is asked and what is shown.

    Every asking counts, also one that was overtaken: it is answered by the first picture of the same or a
    newer ticket.

    Args:
        span: seconds that figures look back.
    """

    def __init__(self, span: float = 3.0) -> None:
        self._span = span
        self._asked: deque[tuple[int, float]] = deque()
        self._shown: deque[float] = deque()
        self._latencies: deque[tuple[float, float]] = deque()

    def asked(self, ticket: int, now: float) -> None:
        """A request was made at ``now`` (seconds of any steady clock); tickets never fall."""
        if not self._asked or ticket > self._asked[-1][0]:
            self._asked.append((ticket, now))

    def shown(self, ticket: int, now: float) -> None:
        """A picture was painted at ``now``."""
        self._shown.append(now)
        while self._asked and self._asked[0][0] <= ticket:
            self._latencies.append((now, now - self._asked.popleft()[1]))
        self._forget(now)

    def figures(self, now: float) -> Liveliness:
        """What the last seconds were like."""
        self._forget(now)
        latencies = [1000.0 * latency for _, latency in self._latencies]
        p50, p95 = np.percentile(latencies, [50, 95]) if latencies else (0.0, 0.0)
        return Liveliness(self._rate(now), float(p50), float(p95))

    def clear(self) -> None:
        """Begin again."""
        for list_ in (self._asked, self._shown, self._latencies):
            list_.clear()

    def _rate(self, now: float) -> float:
        """Over the newest run of pictures without a pause in it."""
        if len(self._shown) < 2 or now - self._shown[-1] > PAUSE:
            return 0.0
        times = list(self._shown)
        begin = len(times) - 1
        while begin and times[begin] - times[begin - 1] <= PAUSE:
            begin -= 1
        took = times[-1] - times[begin]
        return (len(times) - 1 - begin) / took if took > 0 else 0.0

    def _forget(self, now: float) -> None:
        while self._shown and self._shown[0] < now - self._span:
            self._shown.popleft()
        while self._latencies and self._latencies[0][0] < now - self._span:
            self._latencies.popleft()
