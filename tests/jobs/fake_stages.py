"""Stages that take a moment each, for testing jobs without any video."""

from __future__ import annotations

import errno
import os
import sys
import time
from dataclasses import dataclass, field

from pipelines.job import Task
from studio.domain.problem import Problem
from studio.domain.progress import Interrupted


@dataclass(frozen=True)
class FakeSettings:
    ticks: int = 10
    """Reports of progress."""
    seconds: float = 0.01
    """Length of one tick."""
    trouble: str = ""
    """What goes wrong half-way."""
    colour: str = field(default="red", metadata={"invalidates": False})
    """Does not change the result."""


def count(task: Task) -> None:
    """Write what came in plus one line, resuming from a checkpoint in the scratch folder."""
    settings: FakeSettings = task.settings
    step = task.step
    checkpoint = task.progress.scratch(step) / "tick"
    begun = int(checkpoint.read_text()) if checkpoint.exists() else 0
    task.progress.metric(resumed_at=begun)
    (task.out / "half").write_text("written while running")
    tick = begun
    try:
        for tick in range(begun, settings.ticks):
            task.progress(tick, settings.ticks, step.title)
            time.sleep(settings.seconds)
            if tick == settings.ticks // 2:
                _trouble(settings.trouble)
    except Interrupted:
        checkpoint.write_text(str(tick))
        raise
    task.progress(settings.ticks, settings.ticks, step.title)
    before = "".join((folder / "result.txt").read_text() for folder in task.inputs.values())
    (task.out / "result.txt").write_text(before + step.id + "\n")


def _trouble(kind: str) -> None:
    if kind == "problem":
        raise Problem("The clip shows no face: record one.")
    if kind == "defect":
        raise ZeroDivisionError("a defect of ours")
    if kind == "full":
        raise RuntimeError("a library gave up") from OSError(errno.ENOSPC, "No space left on device")
    if kind == "memory":
        raise MemoryError
    if kind == "die":
        os.kill(os.getpid(), 9)
    if kind == "exit":
        print("last words", file=sys.stderr, flush=True)
        os._exit(3)
