"""Live processes as the window sees them: a process each, and a thread that listens to it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Literal, cast

from studio.live.messages import receive, send
from studio.live.pictures import Pictures

_ROOT = Path(__file__).resolve().parents[2]
_REPORT = 4000
"""Bytes of a dead worker's last words that are kept."""
CALM = {"OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
"""Threads that wait by spinning would take a core from the window, which has to show what was drawn."""
_WINDOWS_FLAGS: int = getattr(subprocess, "CREATE_NO_WINDOW", 0) | getattr(
    subprocess, "CREATE_NEW_PROCESS_GROUP", 0
)

Kind = Literal["worker", "driver"]
"""Modules of this package that are programs."""
Heard = Callable[["LiveProcess", object | None], None]
"""Called in the listening thread with each message, and with None when the process is gone."""


def live_command(kind: Kind, *words: str) -> list[str]:
    """The command of a live process, in a checkout and in a frozen program."""
    if getattr(sys, "frozen", False):
        return [sys.executable, f"--live-{kind}", *words]
    return [sys.executable, "-m", f"studio.live.{kind}", *words]


class LiveProcess:
    """A process that ends when this one does, and leaves nothing behind.

    Args:
        hear: see :data:`Heard`.
        command: see :func:`live_command`.
        descriptors: what it inherits besides its standard streams.
        first: what it is told first, by the listening thread: an avatar with its edits is more than a pipe
            holds, and a process that has just begun takes a while to read.
    """

    def __init__(
        self,
        hear: Heard,
        command: list[str],
        descriptors: tuple[int, ...] = (),
        first: object | None = None,
    ) -> None:
        self._hear, self._saying = hear, threading.Lock()
        self._first, self._beginning = first, first is not None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the worker
        try:
            self._process = subprocess.Popen(
                command,
                cwd=_ROOT,
                env={**os.environ, **{k: v for k, v in CALM.items() if k not in os.environ}},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                pass_fds=descriptors,
                # A Ctrl-C in the terminal is the window's business. Its session stays the window's, so that
                # Linux shares the processor by niceness and not by session.
                process_group=None if os.name == "nt" else 0,
                creationflags=_WINDOWS_FLAGS,
            )
        except BaseException:
            self._log.close()
            raise
        self._thread = threading.Thread(target=self._listen, name="live-process", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it, or the thread that listens to it, is still there."""
        return self._thread.is_alive()

    def say(self, message: object) -> None:
        """Tell the worker something; one that is gone hears nothing."""
        with self._saying, suppress(OSError, ValueError):
            send(cast("IO[bytes]", self._process.stdin), message)

    def dismiss(self) -> None:
        """Ask it to end, without waiting."""
        if self._beginning:  # it does not listen yet, and has nothing to lose
            with suppress(OSError):
                self._process.kill()
            return
        with self._saying, suppress(OSError, ValueError):
            cast("IO[bytes]", self._process.stdin).close()

    def end(self, patience: float = 1.0) -> None:
        """Ask it to end and wait until it has; by force after ``patience`` seconds."""
        self.dismiss()
        self._thread.join(patience)
        if self._thread.is_alive():
            with suppress(OSError):
                self._process.kill()
            self._thread.join()

    def last_words(self) -> str:
        """What it wrote to its standard error, the end of it."""
        try:
            self._log.seek(0, os.SEEK_END)
            self._log.seek(max(0, self._log.tell() - _REPORT))
            return self._log.read().decode("utf-8", "replace").strip()
        except (OSError, ValueError):
            return ""

    def _listen(self) -> None:
        answers = cast("IO[bytes]", self._process.stdout)
        first, self._first = self._first, None
        if first is not None:
            with suppress(OSError):  # it is gone already
                send(cast("IO[bytes]", self._process.stdin), first)
            self._beginning = False
        while (message := receive(answers)) is not None:
            self._hear(self, message)
        self.dismiss()
        self._process.wait()
        answers.close()
        self._hear(self, None)
        self._log.close()


class WorkerProcess(LiveProcess):
    """A process that draws, and the pictures that it shares with this one.

    Args:
        hear: see :data:`Heard`.
        pixels: of the largest picture.
        first: what it is told first.
    """

    def __init__(self, hear: Heard, pixels: int, first: object | None = None) -> None:
        self.pictures = Pictures.create(pixels)
        try:
            command = live_command("worker", self.pictures.word)
            super().__init__(hear, command, self.pictures.descriptors, first)
        except BaseException:
            self.pictures.close()
            raise
        self.pictures.handed_over()
