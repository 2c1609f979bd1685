"""Jobs as the window sees them: folders that are looked at a few times a second, whoever started them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from pipelines import runner
from pipelines.export_job import KIND, pause
from pipelines.job import JobPlan, JobStatus, read_job, read_status, request
from studio.domain.problem import Problem
from studio.project.store import Store
from ui.bridge.background import Background

LONGEST = 20.0
"""Seconds that a start waits for the worker before it to let go."""
EVERY = 300
"""Milliseconds between two looks."""


@dataclass(frozen=True)
class Job:
    """A job at one moment."""

    folder: Path
    """Where it is."""
    plan: JobPlan
    """What it makes, and for whom."""
    status: JobStatus
    """Where it stands."""

    @property
    def share(self) -> float | None:
        """How much is done, 0..1 over all steps; None while a step does not know."""
        status = self.status
        if status.state == "finished":
            return 1.0
        if status.share is not None:
            return status.share
        if not status.steps or not status.total:
            return None
        return min(1.0, (status.step + status.done / status.total) / status.steps)


class JobBoard(QObject):
    """All jobs of the home folder: also those that another process started, or this one before it was closed.

    Looking is done on a thread; nothing here waits for the disk.

    Attributes:
        changed: one :class:`Job` whose status is not what it was.
        ended: one :class:`Job` that is over and was not when last seen, or was begun here and is over when
            first seen.
        refused: the error because of which a job could not be started.
        too_late: one :class:`Job` that was finished before it heard that it should be given up.
        unseen: the error because of which jobs cannot be looked at; told once until they are seen again.
        seen: after that they are.
    """

    changed = Signal(object)
    ended = Signal(object)
    refused = Signal(object)
    too_late = Signal(object)
    unseen = Signal(object)
    seen = Signal()

    def __init__(self, store: Store, background: Background, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store, self._background = store, background
        self._jobs: dict[Path, Job] = {}
        self._started: dict[Path, runner.RunningJob] = {}
        self._starting: set[Path] = set()
        self._begun: set[Path] = set()
        """Begun here and not seen yet."""
        self._plans: dict[Path, JobPlan] = {}
        self._given_up: set[Path] = set()
        self._looking = self._blind = self._looked = False
        self._timer = QTimer(self)
        self._timer.setInterval(EVERY)
        self._timer.timeout.connect(self.look)

    def begin(self) -> None:
        """Start to look."""
        self._timer.start()
        self.look()

    def jobs(self) -> tuple[Job, ...]:
        """Those last seen, oldest first."""
        return tuple(self._jobs.values())

    def of(self, folder: Path) -> Job | None:
        """One job as last seen."""
        return self._jobs.get(folder)

    def start(self, folder: Path, failed: Callable[[Exception], object] | None = None) -> None:
        """Start or continue a job in a process that outlives this window; returns at once.

        A worker that has just ended may hold the job for a while yet, on a busy machine for seconds. An error
        is given to ``failed``, in the window's thread; without it, to :attr:`refused`.
        """

        def started(running: runner.RunningJob) -> None:
            self._starting.discard(folder)
            self._started[folder] = running
            self.look()

        def refused(error: Exception) -> None:
            self._starting.discard(folder)
            (failed or self.refused.emit)(error)

        def begin() -> runner.RunningJob:
            return runner.start(folder, modest=True, patience=LONGEST)

        self._starting.add(folder)
        if self._looked and folder not in self._jobs:
            self._begun.add(folder)
        self._given_up.discard(folder)
        self._background.run(self, begin, started, refused)

    def stop(self, folder: Path) -> None:
        """Ask it to stop with a checkpoint; starting it again continues. An export only rests."""
        job = self._jobs.get(folder)
        if job is not None and job.plan.kind == KIND:
            pause(folder)
        else:
            request(folder, "stop")

    def cancel(self, folder: Path) -> None:
        """Ask it to give up and clear what it had begun."""
        job = self._jobs.get(folder)
        if job is None or not job.status.over:
            request(folder, "cancel")
            self._given_up.add(folder)
        elif job.status.state == "finished":
            self.too_late.emit(job)
        else:
            running = runner.RunningJob(folder, None)
            self._background.run(self, running.cancel, lambda status: self.look())

    def forget(self, folder: Path) -> None:
        """Remove a job that is over. Raises Problem while somebody works on it."""
        runner.discard(folder)
        self._jobs.pop(folder, None)
        self.look()

    def look(self) -> None:
        """Look now, unless a look is under way."""
        if self._looking:
            return
        self._looking = True
        self._background.run(self, self._read, self._take, self._failed)

    def close(self) -> None:
        """Look no more; jobs go on."""
        self._timer.stop()

    def start_the_rest(self) -> None:
        """After the threads have ended: what was asked for in the last moment is started all the same.

        Starting twice does no harm: the second worker finds the job taken and leaves.
        """
        for folder in self._starting:
            with suppress(Problem):  # nobody is left to be told; the job stands there as waiting
                runner.start(folder, modest=True)
        self._starting.clear()
        for folder in list(self._started):
            self._let_go(folder, patience=5.0)

    def _failed(self, error: Exception) -> None:
        self._looking = False
        if not self._blind:
            self._blind = True
            self.unseen.emit(error)

    def _read(self) -> dict[Path, Job]:
        found = {}
        subjects = [*self._store.subjects().subjects]
        driving = self._store.home / "driving"
        folders = [folder for subject in subjects for folder in subject.jobs()]
        if (driving / "jobs").is_dir():
            folders += sorted(p for p in (driving / "jobs").iterdir() if p.is_dir())
        for folder in folders:
            with suppress(Problem):
                if folder not in self._plans:
                    self._plans[folder] = read_job(folder)
                started = self._started.get(folder)
                status = read_status(folder) if started is None else started.status()
                if not (folder / "job.json").exists():
                    continue  # removed while it was looked at: its status would say that it waits
                found[folder] = Job(folder, self._plans[folder], status)
        return found

    def _take(self, found: dict[Path, Job]) -> None:
        self._looking, self._looked = False, True
        if self._blind:
            self._blind = False
            self.seen.emit()
        before, self._jobs = self._jobs, found
        for folder in list(self._started):
            self._let_go(folder)
        for folder, job in found.items():
            old = before.get(folder)
            if old is not None and old.status == job.status:
                continue
            self.changed.emit(job)
            if job.status.over and folder in self._given_up:
                self._given_up.discard(folder)
                if job.status.state == "finished":
                    self.too_late.emit(job)
            # A short job may begin anew and end between two looks, and a new one before the first.
            new = folder in self._begun if old is None else old.status.state != job.status.state
            self._begun.discard(folder)
            if job.status.over and new:
                self.ended.emit(job)

    def _let_go(self, folder: Path, patience: float = 0.0) -> None:
        """Forget the worker of a job that is over, once its process is gone: the system keeps a process that
        nobody asks about."""
        started, job = self._started[folder], self._jobs.get(folder)
        if started.process is not None and patience and (started.status().over or not folder.exists()):
            with suppress(subprocess.TimeoutExpired):
                started.process.wait(timeout=patience)
        gone = started.process is None or started.process.poll() is not None
        # Whoever brought a wrong file in has its job removed as soon as it has failed.
        over = job.status.over if job is not None else not folder.exists()
        if gone and over:
            del self._started[folder]
