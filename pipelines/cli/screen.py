"""Telling a person at a terminal how long work goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from pipelines import runner
from pipelines.cli.interrupts import ears
from pipelines.job import JobStatus, NewSentences
from pipelines.time_left import TimeLeft
from pipelines.training.first import is_first
from studio.domain.problem import Problem
from studio.domain.progress import Interrupted

QUIET_SECONDS = 5.0
"""Without a terminal, a line at most this often."""


class JobBroke(Exception):
    """A job ended through a defect of ours or was killed: a sentence for the user, a log for us."""

    def __init__(self, sentence: str, log: Path) -> None:
        super().__init__(sentence)
        self.log = log


class Screen:
    """Results go to standard output; progress and notes to standard error."""

    def __init__(self) -> None:
        self.out = Console(highlight=False, soft_wrap=True)
        self.notes = Console(stderr=True, highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """A result."""
        self.out.print(text, markup=False)

    def note(self, text: str) -> None:
        """Something on the side."""
        self.notes.print(text, markup=False)

    def follow(self, job: Path) -> JobStatus:
        """Do a job in a process of its own, showing how far it is; Ctrl-C stops it with its checkpoint kept.

        What the job says is printed as it comes, each sentence once.

        Raises:
            Problem: it ended with something the user can act on.
            JobBroke: it ended through a defect or was killed.
            Interrupted: it was stopped or cancelled, here or elsewhere.
        """
        # Hearing before starting: a Ctrl-C meanwhile must neither be lost nor leave the worker on its own.
        with ears().patiently() as asked, self._bar() as bar:
            sentences = NewSentences(job)
            running = runner.start(job)

            def hear() -> None:
                for sentence in sentences():
                    self.note(sentence)

            def watch(status: JobStatus) -> None:
                hear()
                if status.state == "running" and status.what:
                    what = _capital(status.what)
                    if status.steps > 1:
                        what = f"{min(status.step + 1, status.steps)}/{status.steps} {what}"
                    bar.show(what, status.done, status.total, status.seconds_left, status.note)
                if asked.is_set() and not status.over:
                    raise KeyboardInterrupt

            try:
                status = running.wait(watch)
            except KeyboardInterrupt:
                bar.show("Stopping", 0, None, None)
                # The request is a file: a worker that is only just starting finds it, too.
                running.stop()
                hear()
                raise Interrupted from None
        if status.state == "finished":
            return status
        if status.state in ("stopped", "cancelled"):
            raise Interrupted
        if status.state == "failed" and status.problem:
            raise Problem(status.message)
        raise JobBroke(status.message, job / "log.txt")

    @contextmanager
    def working(self, stopping: str = "") -> Iterator[_Reporter]:
        """A Progress for work in this process; Ctrl-C raises Interrupted at its next report or at the end.

        Of several processes that train together only the first shows how far they are.

        Args:
            stopping: said the moment somebody asks to stop, where that report may be a while away.
        """
        with ExitStack() as stack:
            asked = stack.enter_context(ears().patiently())
            bar = stack.enter_context(self._bar())
            if stopping and is_first():
                stack.enter_context(ears().at_once(lambda: self.note(stopping)))
            yield _Reporter(bar, asked)

    @contextmanager
    def _bar(self) -> Iterator[_Bar]:
        if not is_first():
            yield _Nothing()
            return
        if not self.notes.is_terminal:
            yield _Lines(self.notes)
            return
        progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[left]}"),
            TextColumn("{task.fields[note]}", style="dim", markup=False),
            console=self.notes,
            transient=True,
        )
        with progress:
            yield _Bars(progress)


class _Bar:
    """Shows one piece of work after the other."""

    def show(
        self, what: str, done: int, total: int | None, seconds_left: float | None, note: str = ""
    ) -> None:
        """How far ``what`` is; ``note`` changes while it goes on."""
        raise NotImplementedError


class _Nothing(_Bar):
    def show(
        self, what: str, done: int, total: int | None, seconds_left: float | None, note: str = ""
    ) -> None:
        pass


class _Bars(_Bar):
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._shown: tuple[str, int | None] = ("", None)
        self._task = progress.add_task("", total=None, left="", note="")

    def show(
        self, what: str, done: int, total: int | None, seconds_left: float | None, note: str = ""
    ) -> None:
        if (what, total) != self._shown:
            # A new row, because the old one's total cannot be taken back to unknown.
            self._progress.remove_task(self._task)
            self._task = self._progress.add_task(what, total=total, left="", note="")
            self._shown = (what, total)
        self._progress.update(self._task, completed=done, left=spoken(seconds_left), note=note)


class _Lines(_Bar):
    def __init__(self, console: Console) -> None:
        self._console = console
        self._what = self._line = ""
        self._said = 0.0

    def show(
        self, what: str, done: int, total: int | None, seconds_left: float | None, note: str = ""
    ) -> None:
        now = time.monotonic()
        if what == self._what and now - self._said < QUIET_SECONDS:
            return
        share = f": {100 * done // total} %" if total and done else ""
        more = "".join(f", {part}" for part in (spoken(seconds_left), note) if part)
        line = f"{what}{share}{more}"
        self._what, self._said = what, now
        if line != self._line:
            self._line = line
            self._console.print(line, markup=False)


class _Reporter:
    """The Progress that :meth:`Screen.working` gives."""

    def __init__(self, bar: _Bar, asked: threading.Event) -> None:
        self._bar, self._asked = bar, asked
        self._what, self._left, self._shown = "", TimeLeft(), 0.0

    def __call__(self, done: int, total: int | None, what: str) -> None:
        if self._asked.is_set():
            raise Interrupted
        if what != self._what:
            self._what, self._left, self._shown = what, TimeLeft(), 0.0
        left = self._left(done, total)
        now = time.monotonic()
        if now - self._shown >= 0.1 or (total is not None and done >= total):
            self._shown = now
            self._bar.show(_capital(what), done, total, left)


def _capital(what: str) -> str:
    return what[:1].upper() + what[1:]


def counted(count: int, thing: str) -> str:
    """``1 frame``, ``2 frames``."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def spoken(seconds: float | None) -> str:
    """``1:05 left``; empty while unknown."""
    if seconds is None:
        return ""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, rest = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{rest:02d} left" if hours else f"{minutes}:{rest:02d} left"
