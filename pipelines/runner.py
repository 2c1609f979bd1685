"""Start, watch and end jobs in processes of their own, for the command line and the window alike."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import psutil

from pipelines.job import (
    CRASHED,
    JobStatus,
    alone,
    read_status,
    request,
    withdraw_requests,
    write_status,
)
from pipelines.run import BUSY, INTERRUPTED
from studio.domain.problem import Problem
from studio.project.atomic import explaining_disk, remove_folder

_ROOT = Path(__file__).resolve().parents[1]
_ASKED = (INTERRUPTED, -signal.SIGINT, -signal.SIGTERM)
"""How a worker ends that was asked to stop before it could listen."""


def worker_command(folder: Path) -> list[str]:
    """The command that works on a job folder, in a checkout and in a frozen program."""
    if getattr(sys, "frozen", False):
        return [sys.executable, "--run-job", str(folder)]
    return [sys.executable, "-m", "pipelines.run", str(folder)]


@dataclass
class RunningJob:
    """A job and, if this process started it, its worker."""

    folder: Path
    """The job's folder."""
    process: subprocess.Popen[bytes] | None
    """The worker, None when another process started it."""

    def status(self) -> JobStatus:
        """Where it stands; a worker that is gone without a word shows as crashed at once."""
        ended = None if self.process is None else self.process.poll()
        if ended == BUSY:
            self.process = ended = None  # another process was quicker: watch that one
        status = read_status(self.folder)
        if ended in _ASKED and not status.over:
            return replace(status, state="stopped", seconds_left=None)
        if ended is not None and not status.over:
            return replace(status, state="crashed", message=CRASHED, problem=True, seconds_left=None)
        return status

    def wait(
        self, watch: Callable[[JobStatus], None] | None = None, every: float = 0.1, limit: float | None = None
    ) -> JobStatus:
        """Wait until nobody works on the job.

        Args:
            watch: called with each status read.
            every: seconds between two looks.
            limit: seconds after which the present status is returned even if the job is not over.
        """
        end = None if limit is None else time.monotonic() + limit
        while True:
            status = self.status()
            if watch is not None:
                watch(status)
            if status.over:
                if self.process is not None:
                    # Wait for the process too: it still holds the lock for a moment.
                    with suppress(subprocess.TimeoutExpired):
                        self.process.wait(timeout=10)
                return status
            if end is not None and time.monotonic() >= end:
                return status
            time.sleep(every)

    def stop(self, patience: float = 20.0) -> JobStatus:
        """Ask to stop with a checkpoint; after ``patience`` seconds the process is ended by force."""
        return self._end("stop", patience)

    def cancel(self, patience: float = 20.0) -> JobStatus:
        """Ask to give up and clear checkpoints; after ``patience`` seconds the process is ended by force."""
        return self._end("cancel", patience)

    def _end(self, wish: Literal["stop", "cancel"], patience: float) -> JobStatus:
        if not self.status().over:
            request(self.folder, wish)
            if not self.wait(limit=patience).over:
                self.kill()
        status = self.wait(limit=5.0)
        if wish == "cancel" and status.state in ("stopped", "failed", "crashed"):
            # Nobody is left to do it.
            with alone(self.folder, patience=2.0) as free:
                if free:
                    shutil.rmtree(self.folder / "scratch", ignore_errors=True)
                    withdraw_requests(self.folder)
                    write_status(self.folder, replace(status, state="cancelled", message="", problem=False))
            status = self.status()
        return status

    def kill(self) -> None:
        """End the worker and everything it started: politely first, then by force."""
        pid = self.process.pid if self.process is not None else read_status(self.folder).pid
        if pid is None:
            return
        try:
            tree = [psutil.Process(pid)]
            tree += tree[0].children(recursive=True)
        except psutil.NoSuchProcess:
            return
        for process in tree:
            with suppress(psutil.NoSuchProcess):
                process.terminate()
        _, alive = psutil.wait_procs(tree, timeout=3.0)
        for process in alive:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(alive, timeout=3.0)
        if self.process is not None:
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=3.0)


def start(folder: Path, modest: bool = False, patience: float = 2.0) -> RunningJob:
    """Start a worker on a job, or join the one at work; returns without waiting for its end.

    The worker has its own process group: a Ctrl-C in the terminal or a closed window does not reach it, so
    that whoever started it decides whether it stops.

    Args:
        folder: the job's.
        modest: give way to whatever else wants the processor, so that a live picture stays smooth.
        patience: seconds to wait for a worker that has said its last word but still holds the job.

    Raises:
        Problem: the disk said no.
    """
    folder = folder.absolute()
    if read_status(folder).state == "running":
        return RunningJob(folder, None)
    with alone(folder, patience=patience) as free:
        if not free:
            return RunningJob(folder, None)
        withdraw_requests(folder)
        write_status(folder, JobStatus("queued"))
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with explaining_disk(folder), (folder / "log.txt").open("ab") as log:
        process = subprocess.Popen(
            [*(_giving_way() if modest else ()), *worker_command(folder)],
            cwd=_ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=os.name != "nt",
            creationflags=_windows_flags(modest),
        )
    return RunningJob(folder, process)


def _giving_way() -> list[str]:
    """What comes before a command whose process, with all its threads, shall give way to others.

    The program becomes the worker, so that its number is the worker's. Lowering a process after it started
    would miss threads that it already has.
    """
    nice = shutil.which("nice") if os.name != "nt" else None
    return [] if nice is None else [nice, "-n", "10"]


def _windows_flags(modest: bool) -> int:
    """A group of its own, no console window, and perhaps a lower priority; 0 on other systems."""
    if os.name != "nt":
        return 0
    names = ["CREATE_NEW_PROCESS_GROUP", "CREATE_NO_WINDOW"]
    names += ["BELOW_NORMAL_PRIORITY_CLASS"] if modest else []
    return sum(int(getattr(subprocess, name, 0)) for name in names)


def recover(jobs: list[Path]) -> dict[Path, JobStatus]:
    """After a restart: the jobs that are neither finished nor given up, with what became of them.

    Starting a running one joins it; starting a stopped, failed or crashed one continues it.
    """
    found = {folder: read_status(folder) for folder in jobs if (folder / "job.json").exists()}
    return {
        folder: status for folder, status in found.items() if status.state not in ("finished", "cancelled")
    }


def discard(folder: Path, patience: float = 0.0) -> None:
    """Forget a job. Raises Problem when somebody works on it, still after ``patience`` seconds."""
    if not folder.exists():
        return
    with alone(folder, patience) as free:
        if not free:
            raise Problem(f"The job {folder.name} is still at work: stop it first.")
    remove_folder(folder)
