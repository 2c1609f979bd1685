"""Run a module in a process of its own, wait for its answer, and hear how far it is.

For what a window wants to know but must not load: torch, for a look at the devices; a renderer, for the
sample clip. Work that takes longer than a moment and must survive the window is a job instead.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from studio.domain.problem import Problem
from studio.domain.progress import Progress, silent

_ROOT = Path(__file__).resolve().parents[1]
_MARK = "@progress "
Report = tuple[int, int | None, str]
MODEST = 10
"""Its niceness: a live picture goes before."""
EVERY = 0.1
"""Seconds between two looks at the process."""


@dataclass(frozen=True)
class Answer:
    """What a process left."""

    status: int
    """Its exit status; 2 for a problem that the user can put right."""
    text: str
    """What it printed, without its reports of progress."""
    error: str
    """What it complained about."""


def run_apart(module: str, words: list[str], progress: Progress = silent, modest: bool = True) -> Answer:
    """Run ``python -m module words`` to its end.

    Args:
        module: dotted name; it has a main part.
        words: its arguments.
        progress: told what the module tells :func:`tell`. When it raises, the process is ended.
        modest: give way to whatever else wants the processor.
    """
    frozen = getattr(sys, "frozen", False)
    command = [sys.executable, *(["--run-module"] if frozen else ["-m"]), module, *words]
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        with out.open("wb") as printed, err.open("wb") as complained:
            process = subprocess.Popen(
                command,
                cwd=_ROOT,
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=complained,
                env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"},
                start_new_session=os.name != "nt",
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        if modest and os.name != "nt":
            with suppress(psutil.Error):
                psutil.Process(process.pid).nice(MODEST)
        try:
            with out.open("rb") as news:
                last: Report = (0, None, "")
                while process.poll() is None:
                    last = _newest(news, last)
                    progress(*last)
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(EVERY)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
        text, error = (file.read_text("utf-8", "replace") for file in (out, err))
    lines = [line for line in text.splitlines() if not line.startswith(_MARK)]
    return Answer(process.returncode, "\n".join(lines), error)


def tell(done: int, total: int | None, what: str) -> None:
    """The Progress of a module that is run apart: one line that :func:`run_apart` understands."""
    print(f"{_MARK}{json.dumps([done, total, what])}", flush=True)


def result_of(answer: Answer, what: str) -> str:
    """What it printed. Raises Problem with its own sentence, or RuntimeError for a defect in ``what``."""
    if answer.status == 0:
        return answer.text
    last = (answer.error.strip().splitlines() or [""])[-1]
    if answer.status == 2 and last:
        raise Problem(last)
    raise RuntimeError(f"{what} ended with status {answer.status}\n{answer.error[-4000:]}")


def _newest(news: IO[bytes], last: Report) -> Report:
    """The newest report among the lines that are whole, else the one before."""
    place = news.tell()
    whole = news.read().rpartition(b"\n")[0]
    news.seek(place + len(whole) + 1 if whole else place)
    reports = [line for line in whole.split(b"\n") if line.startswith(_MARK.encode())]
    if not reports:
        return last
    done, total, what = json.loads(reports[-1][len(_MARK) :])
    return done, total, what
