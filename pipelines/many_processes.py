"""The same work on many things in several processes, of which any may be killed.

A process that ends before its answer is started anew and its work is given out once more, alone; what ends a
second process is given up, and the rest goes on. The standard library's pool stops altogether instead.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, Literal, TypeVar

from studio.domain.progress import Interrupted

T = TypeVar("T")
State = Literal["done", "broke", "killed"]
LOOK = 0.2
"""Seconds between two looks at whether somebody asked to stop."""


@dataclass(frozen=True)
class Answer(Generic[T]):
    """What became of one piece of work."""

    task: T
    """Which."""
    state: State
    """done; broke where it raised something; killed where two processes ended over it."""
    result: Any = None
    """What the work returned."""
    report: str = ""
    """The traceback of what it raised."""


@dataclass
class _Worker(Generic[T]):
    process: Any
    connection: Connection
    task: T | None = None
    share: float = 0.0


def each_in_a_process(
    work: Callable[[T, Callable[[float], None]], Any],
    tasks: Sequence[T],
    jobs: int,
    report: Callable[[dict[int, float]], None],
) -> Generator[Answer[T], None, None]:
    """Do ``work`` on each task, ``jobs`` at a time; answers come as they are ready.

    Args:
        work: a function of a module, called in another process with the task and a function that takes how
            much of it is done, 0..1. The latter raises Interrupted when the caller is gone.
        tasks: what to do, in order.
        jobs: processes.
        report: called several times a second with the shares of what is under way, by number of the task; may
            raise, which ends the processes.

    Yields:
        One answer a task.
    """
    context = multiprocessing.get_context("spawn")
    waiting = deque(range(len(tasks)))
    tried: dict[int, int] = {}
    workers: list[_Worker[int]] = []
    left = len(tasks)

    def start() -> None:
        mine, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(work, theirs, os.getpid()), daemon=True)
        process.start()
        theirs.close()
        workers.append(_Worker(process, mine))

    def give(worker: _Worker[int]) -> None:
        worker.task, worker.share = waiting.popleft(), 0.0
        with contextlib.suppress(OSError):  # it has just died: the next look finds out
            worker.connection.send(tasks[worker.task])

    try:
        while left:
            while waiting and len(workers) < min(jobs, left):
                start()
            for worker in workers:
                if worker.task is None and waiting:
                    give(worker)
            wait([w.connection for w in workers], timeout=LOOK)
            for worker in list(workers):
                for kind, value in _said(worker):
                    if kind == "share":
                        worker.share = float(value)
                        continue
                    assert worker.task is not None
                    task, worker.task, left = tasks[worker.task], None, left - 1
                    yield (
                        Answer(task, "done", value)
                        if kind == "done"
                        else Answer(task, "broke", None, str(value))
                    )
                if worker.connection.closed or not worker.process.is_alive():
                    # What it said before it ended has been heard above, but for what came in between.
                    if not worker.connection.closed and worker.connection.poll():
                        continue
                    workers.remove(worker)
                    _end(worker)
                    if worker.task is None:
                        continue
                    tried[worker.task] = tried.get(worker.task, 0) + 1
                    if tried[worker.task] < 2:
                        waiting.appendleft(worker.task)
                    else:
                        left -= 1
                        yield Answer(tasks[worker.task], "killed")
            report({worker.task: worker.share for worker in workers if worker.task is not None})
    finally:
        for worker in workers:
            _end(worker)


def _said(worker: _Worker[int]) -> Iterator[tuple[str, Any]]:
    try:
        while not worker.connection.closed and worker.connection.poll():
            yield worker.connection.recv()
    except (EOFError, OSError):
        worker.connection.close()


def _end(worker: _Worker[int]) -> None:
    worker.connection.close()
    if worker.process.is_alive():
        worker.process.terminate()
    worker.process.join(5.0)
    if worker.process.is_alive():
        worker.process.kill()
        worker.process.join()


def _serve(work: Callable[[Any, Callable[[float], None]], Any], connection: Connection, parent: int) -> None:
    """A process: tasks in, answers out, until there are no more."""
    # Ctrl-C reaches the whole terminal; the parent hears it and says when to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    said = 0.0

    def tell(share: float) -> None:
        nonlocal said
        now = time.monotonic()
        if now - said < LOOK:
            return
        said = now
        if os.getppid() != parent:
            raise Interrupted
        connection.send(("share", share))

    while True:
        try:
            task = connection.recv()
        except (EOFError, OSError):
            return
        try:
            answer = ("done", work(task, tell))
        except Interrupted:
            return
        except Exception:
            answer = ("broke", traceback.format_exc())
        try:
            connection.send(answer)
        except OSError:
            return
