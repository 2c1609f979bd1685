"""Ctrl-C, heard from the command's first line to its last and never lost."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from studio.domain.progress import Interrupted

_SIGNALS = [signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Ears:
    """Remembers that somebody asked to stop."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        """Set by the first Ctrl-C, polite kill or closed terminal."""
        self._patient = 0

    def handle(self, number: int, frame: object) -> None:
        """What a signal does: outside :meth:`patiently`, and the second time, it interrupts at once."""
        second = self.asked.is_set()
        self.asked.set()
        if second or not self._patient:
            raise KeyboardInterrupt

    @contextmanager
    def patiently(self) -> Iterator[threading.Event]:
        """Work that looks at the event by itself and ends tidily.

        Raises:
            Interrupted: before it, if somebody asked already and a library swallowed it; after it, if the
                work ended before it looked again.
        """
        self.obey()
        self._patient += 1
        try:
            yield self.asked
        finally:
            self._patient -= 1
        self.obey()

    def obey(self) -> None:
        """Raise Interrupted if somebody asked to stop."""
        if self.asked.is_set():
            raise Interrupted


_ears = Ears()


def ears() -> Ears:
    """Those of the command that runs."""
    return _ears


@contextmanager
def listening() -> Iterator[Ears]:
    """A whole command, from before its heavy imports on."""
    global _ears
    outer, _ears = _ears, Ears()
    own = _ears
    if threading.current_thread() is not threading.main_thread():
        try:
            yield own
        finally:
            _ears = outer
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    # Whoever ignores a signal on purpose, as nohup does, keeps doing so.
    heard = [number for number in _SIGNALS if before[number] is not signal.SIG_IGN]
    for number in heard:
        signal.signal(number, own.handle)
    try:
        yield own
    finally:
        for number in heard:
            signal.signal(number, before[number])
        _ears = outer
