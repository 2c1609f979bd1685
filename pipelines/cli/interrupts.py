"""Ctrl-C, heard from the command's first line to its last and never lost."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

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

    @contextmanager
    def at_once(self, say: Callable[[], None]) -> Iterator[None]:
        """Have ``say`` called, once and from a thread of its own, as soon as somebody asks to stop.

        Python itself hears a signal only between two of its own instructions, and a step of a training is
        one of them for seconds; the byte that a signal leaves behind is there at once.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        heard, left = socket.socketpair()
        left.setblocking(False)
        before = signal.set_wakeup_fd(left.fileno(), warn_on_full_buffer=False)
        over = threading.Event()

        def listen() -> None:
            with suppress(OSError):
                while numbers := heard.recv(16):
                    if over.is_set():
                        return
                    if any(number in map(int, _SIGNALS) for number in numbers):
                        say()
                        return

        listener = threading.Thread(target=listen, name="stop wishes", daemon=True)
        listener.start()
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            over.set()
            left.close()
            listener.join(1.0)
            heard.close()

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
