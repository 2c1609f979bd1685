"""Jobs done in this process, for tests that ask what comes of a job and not how it is started.

A process of its own imports PyTorch, MediaPipe and Numba anew, which takes longer than most of these jobs.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from typing import IO

import pytest

from pipelines import runner
from pipelines.run import run_job


class Here:
    """A worker as :class:`subprocess.Popen` would start it, that has ended when it is there."""

    def __init__(self, command: list[str], stdout: IO[bytes], **_: object) -> None:
        folder = Path(command[-1])
        assert command[-len(runner.worker_command(folder)) :] == runner.worker_command(folder)
        self.pid = os.getpid()
        with _written_to(stdout):
            self.returncode = run_job(folder)

    def poll(self) -> int:
        """How it ended."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """How it ended, at once."""
        return self.returncode


def do_jobs_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on whoever starts a job waits for its end."""
    monkeypatch.setattr(runner, "subprocess", SimpleNamespace(**{**vars(subprocess), "Popen": Here}))


@contextmanager
def _written_to(log: IO[bytes]) -> Iterator[None]:
    """What is printed meanwhile, by libraries too, goes into the log, as that of a worker does."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    try:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        own = os.dup(log.fileno())
        with open(own, "w", encoding="utf-8") as text, redirect_stdout(text), redirect_stderr(text):
            yield
    finally:
        for number, copy in zip((1, 2), kept):
            os.dup2(copy, number)
            os.close(copy)
