"""Mailbox of one: the newest request wins, and nobody draws what nobody waits for."""

from __future__ import annotations

import threading

from studio.live.messages import Draw


class Mailbox:
    """Where the worker finds what to draw next, and where to draw it."""

    def __init__(self, slots: int) -> None:
        self._free = list(range(slots))
        self._newest: Draw | None = None
        self._changed = threading.Condition()

    def put(self, draw: Draw) -> None:
        """Leave a request; one that still lies there is thrown away."""
        with self._changed:
            self._newest = draw
            self._changed.notify()

    def release(self, slot: int) -> None:
        """A slot may be drawn into again."""
        with self._changed:
            if slot not in self._free:
                self._free.append(slot)
            self._changed.notify()

    def take(self, timeout: float | None = None) -> tuple[Draw, int] | None:
        """Wait for a request and a free slot, and take both; None when ``timeout`` seconds pass without."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._newest is not None and self._free, timeout):
                return None
            draw, self._newest = self._newest, None
            assert draw is not None
            return draw, self._free.pop(0)
