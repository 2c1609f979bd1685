"""Work on a job folder: ``python -m pipelines.run FOLDER``.

Steps whose artefact exists are skipped, so running a stopped, failed or killed job again continues it.
"""

from __future__ import annotations

import errno
import faulthandler
import importlib
import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from pipelines.job import (
    MADE,
    Cancelled,
    JobContext,
    Step,
    Task,
    alone,
    is_made,
    read_job,
)
from pipelines.job_share import JobShare
from studio.devices import memory_problem
from studio.domain.problem import Problem
from studio.domain.progress import Interrupted
from studio.project.atomic import disk_problem, new_folder
from studio.project.documents import write_document
from studio.project.settings_json import settings_from_plain

_log = logging.getLogger(__name__)

FINISHED, DEFECT, PROBLEM, BUSY, INTERRUPTED = 0, 1, 2, 75, 130
"""Exit statuses: done; a defect of ours; something the user can act on; another process works on it; stopped
or cancelled."""


_stopped_early = threading.Event()
"""A signal came before there was a job to stop."""


def run_job(folder: Path) -> int:
    """Do a job in this process and return the exit status. Never raises what a step raised: it is in the log.

    Raises:
        Problem: the folder holds no readable job.
    """
    folder = folder.absolute()
    plan = read_job(folder)
    with alone(folder) as free, _logging_to(folder / "log.txt"):
        if not free:
            return BUSY
        root = folder.parents[1]
        context = JobContext(folder, plan)
        try:
            made = [is_made(root / step.output, step.key) for step in plan.steps]
            context.shares = JobShare(plan, made)
            with _signals_stop(context):
                for number, step in enumerate(plan.steps):
                    context.begin(number)
                    context.passed(number, skipped=not make(step, root, context))
        except Cancelled:
            context.end("cancelled")
            return INTERRUPTED
        except (Interrupted, KeyboardInterrupt):
            context.end("stopped")
            return INTERRUPTED
        except Problem as problem:
            _log.info("problem: %s", problem)
            context.end("failed", str(problem), problem=True)
            return PROBLEM
        except Exception as error:
            understood = _understood(error, folder)
            _log.exception("the job failed")
            if understood is not None:
                context.end("failed", str(understood), problem=True)
                return PROBLEM
            context.end("failed", f"{type(error).__name__}: {error}".strip())
            return DEFECT
        context.end("finished")
        return FINISHED


def make(step: Step, root: Path, context: JobContext) -> bool:
    """Make a step's artefact; False when it was there.

    Args:
        step: what to make.
        root: folder that the step's paths are relative to.
        context: where to report.
    """
    output = root / step.output
    if is_made(output, step.key):
        return False
    work = cast("Callable[[Task], None]", _resolve(step.work))
    settings = settings_from_plain(_resolve(step.settings_class), step.settings)
    inputs = {name: root / path for name, path in step.inputs.items()}
    with new_folder(output) as aside:
        work(Task(inputs, aside, settings, step, context.plan.subject, context, root.parents[1]))
        made = {
            "stage": step.id,
            "key": step.key,
            "version": step.version,
            "inputs": step.input_keys,
            "settings": step.settings,
            "held_out": step.held_out,
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        write_document(aside / "made.json", MADE, made)
    return True


def _understood(error: BaseException | None, folder: Path) -> Problem | None:
    """The sentence behind an error that libraries wrap: a full disk, too little memory."""
    while error is not None:
        if isinstance(error, OSError):
            number = error.errno
            if number in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
                return disk_problem(error, folder)
        if isinstance(error, (MemoryError, RuntimeError)):
            problem = memory_problem(error, "The work")
            if problem is not None:
                return problem
        error = error.__cause__ or error.__context__
    return None


def _resolve(reference: str) -> Any:
    module, name = reference.split(":")
    return getattr(importlib.import_module(module), name)


@contextmanager
def _logging_to(path: Path) -> Iterator[None]:
    """Log records, tracebacks and hard crashes go to the job's log."""
    try:
        stream = path.open("a", encoding="utf-8")
    except OSError:
        yield
        return
    with stream:
        handler = logging.StreamHandler(stream)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        root = logging.getLogger()
        before = root.level
        root.addHandler(handler)
        root.setLevel(logging.INFO)
        watching = faulthandler.is_enabled()
        if not watching:
            faulthandler.enable(stream)
        try:
            yield
        finally:
            if not watching:
                faulthandler.disable()
            root.removeHandler(handler)
            root.setLevel(before)


@contextmanager
def _signals_stop(context: JobContext) -> Iterator[None]:
    """The first Ctrl-C or polite kill stops at the next report of progress, a second one at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signals = [signal.SIGINT, signal.SIGTERM]
    before = {number: signal.getsignal(number) for number in signals}

    def handle(number: int, frame: object) -> None:
        context.stop()
        signal.signal(number, signal.default_int_handler)

    for number in signals:
        signal.signal(number, handle)
    if _stopped_early.is_set():
        context.stop()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _remembering_signals() -> Iterator[None]:
    """Until the job listens by itself, a request to stop is kept for it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _stopped_early.clear()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, lambda *_: _stopped_early.set())
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def main(arguments: list[str]) -> int:
    """Command line of a worker."""
    if len(arguments) != 1:
        print("usage: python -m pipelines.run FOLDER", file=sys.stderr)
        return PROBLEM
    # A window that started the worker may be gone, and its pipes with it.
    with suppress(AttributeError, OSError, ValueError):
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        with _remembering_signals():
            return run_job(Path(arguments[0]))
    except Problem as problem:
        print(problem, file=sys.stderr)
        return PROBLEM


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
