"""A window in a process of its own: it is asked what it shows, and it may be killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, Queue
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 600.0
"""Seconds for what takes seconds on a quiet machine."""


class WindowProcess:
    """See tests/ui/story_window.py for what can be asked."""

    def __init__(self, home: Path, environment: Mapping[str, str], log: Path) -> None:
        self._log = log
        self._said: Queue[str] = Queue()
        with log.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "tests" / "ui" / "story_window.py"), "--home", str(home)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                cwd=ROOT,
                env=dict(environment),
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def ask(self, question: str) -> Any:
        """What a line of Python about the window says."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(question + "\n")
            self.process.stdin.flush()
            return json.loads(self._answer())
        except (OSError, Empty) as error:
            raise AssertionError(f"no answer to {question!r}\n{self._log.read_text()}") from error

    def _answer(self) -> str:
        """The next line it says. Raises Empty when it never comes, at once when the process has ended."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self._reader.is_alive():
            with suppress(Empty):
                return self._said.get(timeout=1.0)
        return self._said.get_nowait()

    def until(self, question: str, patience: float = PATIENCE) -> Any:
        """Ask again and again until the answer is something, and return it."""
        end = time.monotonic() + patience
        while not (answer := self.ask(question)):
            failure = self.ask("window.banner.failure")
            assert failure is None, f"waiting for {question!r}: {failure}"
            assert time.monotonic() < end, f"in vain: {question!r}"
            time.sleep(0.1)
        return answer

    def wait(self, seconds: float = PATIENCE) -> int:
        """Its exit status, once it has ended."""
        status = self.process.wait(seconds)
        self._reader.join()
        return status

    def close(self) -> None:
        """End it, whatever it does, and wait."""
        if self.process.poll() is None:
            self.process.kill()
        self.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None and not pipe.closed:
                with suppress(OSError):  # it ended with something unsaid
                    pipe.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._said.put(line)


@contextmanager
def window_process(home: Path, environment: Mapping[str, str] | None = None) -> Iterator[WindowProcess]:
    """A window on a home, off screen unless the environment says where; killed afterwards if still there."""
    given = {"QT_QPA_PLATFORM": "offscreen", **os.environ} if environment is None else environment
    started = WindowProcess(home, given, home.parent / "window.log")
    try:
        yield started
    finally:
        started.close()
