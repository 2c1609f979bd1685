"""A long job is a folder: what to do, how far it is, what happened. Everyone reads the same files.

::

    job.json      the plan; never changes
    status.json   where it stands; replaced atomically
    events.jsonl  what happened, one JSON object per line, only ever appended to
    log.txt       output and tracebacks of the worker
    scratch/      checkpoints of unfinished steps
    stop, cancel  requests to the worker: their being there is the message
    lock          held by the one process that works on it

Artefact paths are relative to the folder that holds ``jobs/``, so that a home folder can be moved.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import filelock
import psutil

from pipelines.time_left import TimeLeft
from studio.domain.problem import Problem
from studio.domain.progress import Interrupted
from studio.project.atomic import explaining_disk, tidy, write_json
from studio.project.documents import DocumentKind, read_document, write_document
from studio.project.lineage import key_of
from studio.project.settings_json import settings_to_plain

JOB = DocumentKind("job")
STATUS = DocumentKind("job status")
MADE = DocumentKind("artefact")

State = Literal["queued", "running", "stopped", "cancelled", "failed", "crashed", "finished"]
"""stopped: asked to pause, continues from its checkpoint; cancelled: given up, checkpoints removed; failed:
ended with a message; crashed: the process is gone and could say nothing."""

CRASHED = (
    "The work ended without a word: it was killed, the memory was full, or the machine went off. "
    "Start it again and it goes on from where it was."
)
_SILENT_HOST = 120.0
"""Seconds without a heartbeat after which a worker on another machine counts as dead."""


class Cancelled(Interrupted):
    """The user gave the work up: no checkpoint is wanted."""


@dataclass(frozen=True)
class Step:
    """One artefact to make."""

    id: str
    """Stage identifier, e.g. ``track``."""
    title: str
    """What a person reads while it runs."""
    work: str
    """``module:function`` that takes a :class:`Task`; imported in the worker only."""
    settings_class: str
    """``module:ClassName`` of its settings."""
    settings: dict[str, Any]
    """The settings as JSON values."""
    version: int
    """Version of the stage."""
    inputs: dict[str, str]
    """Name to path of what it reads."""
    input_keys: dict[str, str]
    """Name to key of what it reads."""
    output: str
    """Folder it makes."""
    key: str
    """Key of what it makes."""
    held_out: float = 0.0
    """Share of the clip's end that it must not learn from."""

    @staticmethod
    def plan(
        *,
        id: str,
        title: str,
        work: str,
        settings_class: str,
        settings: Any,
        version: int,
        inputs: Mapping[str, tuple[str, str]],
        output: Callable[[str], str],
        held_out: float = 0.0,
    ) -> Step:
        """A step with its key worked out.

        Args:
            id, title, work, settings_class, version, held_out: as the fields.
            settings: the settings dataclass.
            inputs: name to (path, key).
            output: key to the folder it makes.
        """
        keys = {name: key for name, (_, key) in inputs.items()}
        # What was held out is an input like any other: it changes what is learnt.
        seen = {**keys, "held_out": repr(held_out)} if held_out else keys
        key = key_of(id, version, seen, settings)
        return Step(
            id=id,
            title=title,
            work=work,
            settings_class=settings_class,
            settings=settings_to_plain(settings),
            version=version,
            inputs={name: path for name, (path, _) in inputs.items()},
            input_keys=keys,
            output=output(key),
            key=key,
            held_out=held_out,
        )


@dataclass(frozen=True)
class JobPlan:
    """What a job does."""

    kind: str
    """``import``, ``build``…"""
    title: str
    """What a person reads in a list of jobs."""
    steps: tuple[Step, ...]
    """In order; each may read what earlier ones made."""
    subject: str = ""
    """Name of the subject."""

    @property
    def id(self) -> str:
        """Folder name; equal plans share it, so that asking again continues the same job."""
        return f"{self.kind}-{self.steps[-1].key}"


@dataclass(frozen=True)
class JobStatus:
    """Where a job stands."""

    state: State
    """See :data:`State`."""
    step: int = 0
    """Steps finished."""
    steps: int = 0
    """Steps in all."""
    what: str = ""
    """What is being done."""
    done: int = 0
    """Units of the present step finished."""
    total: int | None = None
    """Units of the present step in all, None while unknown."""
    share: float | None = None
    """How much of the whole job is done, 0..1, as far as its steps are known; never goes back."""
    seconds_left: float | None = None
    """Estimate for the present step."""
    note: str = ""
    """Something that changes while the step goes on, e.g. the steps of a training and their pace."""
    message: str = ""
    """For failed and crashed: what happened, in one sentence."""
    problem: bool = False
    """Whether the message is something the user can act on; otherwise it is a defect and log.txt has more."""
    pid: int | None = None
    """Process that works on it."""
    process_started: float | None = None
    """When that process began, because process numbers are used again."""
    host: str = ""
    """Machine of that process."""
    heartbeat: float = 0.0
    """Unix time of the last sign of life."""

    @property
    def over(self) -> bool:
        """Whether nobody works on it or is about to."""
        return self.state not in ("queued", "running")


@dataclass
class Task:
    """What a stage's function is given."""

    inputs: Mapping[str, Path]
    """Name to path of what it reads."""
    out: Path
    """Empty folder to fill; it takes its place, at once, when the function returns."""
    settings: Any
    """The stage's settings dataclass."""
    step: Step
    """The plan of this artefact: its key, the keys of its inputs, the share held out."""
    subject: str
    """Name of the subject it belongs to."""
    progress: JobContext
    """Where to report; also gives the checkpoint folder."""
    home: Path
    """The home folder, where the user's weights are."""


def create_job(jobs: Path, plan: JobPlan) -> Path:
    """The folder of a job under ``jobs``, made if new. Raises Problem when the disk says no."""
    folder = jobs / plan.id
    with explaining_disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "job.json").exists():
        steps = [vars(step) for step in plan.steps]
        content = {"kind": plan.kind, "title": plan.title, "subject": plan.subject, "steps": steps}
        write_document(folder / "job.json", JOB, content)
    return folder


def read_job(folder: Path) -> JobPlan:
    """The plan of a job. Raises Problem when it is missing or damaged."""
    content = read_document(folder / "job.json", JOB)
    try:
        steps = tuple(Step(**step) for step in content["steps"])
        return JobPlan(str(content["kind"]), str(content["title"]), steps, str(content["subject"]))
    except (KeyError, TypeError) as error:
        raise Problem(
            f"The job file {folder / 'job.json'} is damaged ({error}): remove the folder {folder}."
        ) from error


def read_status(folder: Path) -> JobStatus:
    """Where a job stands, as anyone may ask at any time: a dead worker shows as crashed."""
    try:
        status = JobStatus(**read_document(folder / "status.json", STATUS))
    except (Problem, TypeError):
        # Not started yet, or the machine lost power while the file was written: it can be run again.
        return JobStatus("queued")
    if status.state == "running" and not _lives(status):
        return replace(status, state="crashed", message=CRASHED, problem=True, seconds_left=None)
    return status


def _lives(status: JobStatus) -> bool:
    if status.host != socket.gethostname():
        return time.time() - status.heartbeat < _SILENT_HOST
    if status.pid is None:
        return False
    try:
        process = psutil.Process(status.pid)
        started = process.create_time()
        dead = process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True
    return not dead and (status.process_started is None or abs(started - status.process_started) < 2.0)


def write_status(folder: Path, status: JobStatus, durable: bool = True) -> None:
    """Make a job's status known; only for whoever holds its lock. Raises Problem when the disk says no."""
    write_json(folder / "status.json", {"schema_version": STATUS.version, **vars(status)}, durable)


def read_events(folder: Path) -> Iterator[dict[str, Any]]:
    """What happened, oldest first; a line cut short by a kill is skipped."""
    try:
        with (folder / "events.jsonl").open(encoding="utf-8", errors="replace") as file:
            for line in file:
                with suppress(ValueError):
                    event = json.loads(line)
                    if isinstance(event, dict):
                        yield event
    except FileNotFoundError:
        return


class NewSentences:
    """Sentences that a job says from now on, each once: a job that was stopped says some of them again."""

    def __init__(self, folder: Path) -> None:
        """
        Args:
            folder: the job's; it need not have begun.
        """
        self._path = folder / "events.jsonl"
        self._heard: set[str] = set()
        try:
            self._place = self._path.stat().st_size
        except OSError:
            self._place = 0

    def __call__(self) -> list[str]:
        """What has been said since the last call, oldest first; a line still being written is left for the
        next one."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._place)
                whole = file.read().rpartition(b"\n")[0]
        except OSError:
            return []
        if not whole:
            return []
        self._place += len(whole) + 1
        found: list[str] = []
        for line in whole.split(b"\n"):
            with suppress(ValueError):
                event = json.loads(line)
                sentence = event.get("sentence") if isinstance(event, dict) else None
                if isinstance(sentence, str) and event.get("event") == "said" and sentence not in self._heard:
                    self._heard.add(sentence)
                    found.append(sentence)
        return found


def request(folder: Path, wish: Literal["stop", "cancel"]) -> None:
    """Ask the worker to stop or to give up; it obeys at its next report of progress."""
    with explaining_disk(folder):
        (folder / wish).touch()


def withdraw_requests(folder: Path) -> None:
    """Forget requests that nobody obeyed."""
    for wish in ("stop", "cancel"):
        (folder / wish).unlink(missing_ok=True)


@contextmanager
def alone(folder: Path, patience: float = 0.0) -> Iterator[bool]:
    """Hold the job's lock; yields False when another process still holds it after ``patience`` seconds.

    A dead process holds nothing.
    """
    lock = filelock.FileLock(folder / "lock")
    try:
        with explaining_disk(folder):
            lock.acquire(timeout=patience, poll_interval=0.02)
    except filelock.Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def is_made(folder: Path, key: str) -> bool:
    """Whether ``folder`` holds the finished artefact of this key."""
    try:
        return read_document(folder / "made.json", MADE).get("key") == key
    except Problem:
        return False


def read_made(folder: Path) -> dict[str, Any]:
    """How an artefact was made: stage, key, version, inputs, settings, held_out. Raises Problem."""
    return read_document(folder / "made.json", MADE)


@dataclass
class JobContext:
    """A worker's side of a job folder; the :class:`~studio.domain.progress.Progress` of its steps."""

    folder: Path
    """The job's folder."""
    plan: JobPlan
    """What it does."""
    shares: Callable[[int, str, int, int | None], float] | None = None
    """Step, what, done and total to the share of the whole job, see :class:`pipelines.job_share.JobShare`."""
    status: JobStatus = field(init=False)
    """What was last made known."""

    def __post_init__(self) -> None:
        me = psutil.Process()
        self.status = JobStatus(
            "running",
            steps=len(self.plan.steps),
            pid=me.pid,
            process_started=me.create_time(),
            host=socket.gethostname(),
        )
        self._asked_to_stop = threading.Event()
        self._ended = threading.Event()
        self._guard = threading.RLock()
        self._left = TimeLeft()
        self._what = self._note = ""
        self._written = self._looked = self._told = 0.0
        _end_last_line(self.folder / "events.jsonl")
        tidy(self.folder)
        self.tell("state", state="running")
        self._write(durable=True)
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()

    def __call__(self, done: int, total: int | None, what: str) -> None:
        """Report progress. Raises Interrupted when asked to stop, Cancelled when asked to give up."""
        now = time.monotonic()
        if what != self._what:
            self._what, self._note, self._left = what, "", TimeLeft()
            self._written = self._told = 0.0
        left = self._left(done, total)
        shown = (self.status.what, self.status.done, self.status.total)
        last = total is not None and done >= total and (what, done, total) != shown
        if now - self._written >= 0.25 or last:
            with self._guard:
                self.status = replace(
                    self.status,
                    what=what,
                    done=done,
                    total=total,
                    share=self._share(self.status.step, what, done, total),
                    seconds_left=left,
                    note=self._note,
                )
            # A disk that is full for the status is full for the work, which will say so itself.
            with suppress(Problem):
                self._write(durable=False)
            self._written = now
        if now - self._told >= 1.0 or last:
            self.tell("progress", what=what, done=done, total=total, seconds_left=left)
            self._told = now
        if now - self._looked >= 0.05 or last:
            self._looked = now
            self.obey()

    def obey(self) -> None:
        """Raise Cancelled or Interrupted if somebody asked for it."""
        if (self.folder / "cancel").exists():
            raise Cancelled
        if self._asked_to_stop.is_set() or (self.folder / "stop").exists():
            raise Interrupted

    def stop(self) -> None:
        """Ask for a stop from inside the process, e.g. from a signal handler."""
        self._asked_to_stop.set()
        self._looked = 0.0

    def metric(self, **values: float) -> None:
        """Record figures of the running step, e.g. a training loss."""
        self.tell("metric", what=self._what, **values)

    def note(self, text: str) -> None:
        """Show ``text`` beside the progress from its next report on, until another note or stage."""
        self._note = text

    def say(self, sentence: str) -> None:
        """Record something that a person should read once, e.g. that memory ran out and what was done."""
        self.tell("said", what=self._what, sentence=sentence)

    def picture(self, path: Path) -> None:
        """A preview picture was written or renewed; readers get its path relative to the job's folder."""
        self.tell("picture", what=self._what, path=path.relative_to(self.folder).as_posix())

    def scratch(self, step: Step) -> Path:
        """Folder for a step's checkpoints: survives stops and crashes, removed when the step is done."""
        folder = self.folder / "scratch" / f"{step.id}-{step.key}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def begin(self, number: int) -> None:
        """Step ``number`` begins."""
        step = self.plan.steps[number]
        with self._guard:
            self.status = replace(
                self.status,
                step=number,
                what=step.title,
                done=0,
                total=None,
                share=self._share(number, step.title, 0, None),
                seconds_left=None,
                note="",
            )
        self.tell("step", step=step.id, state="begun", key=step.key)
        self._write(durable=False)
        self.obey()

    def passed(self, number: int, skipped: bool) -> None:
        """Step ``number`` is made, or was there already."""
        step = self.plan.steps[number]
        shutil.rmtree(self.folder / "scratch" / f"{step.id}-{step.key}", ignore_errors=True)
        with self._guard:
            self.status = replace(self.status, step=number + 1)
        self.tell("step", step=step.id, state="found" if skipped else "made", key=step.key)

    def _share(self, step: int, what: str, done: int, total: int | None) -> float | None:
        """None as long as nothing is done: a bar then shows that work is under way, not that it stands."""
        return (self.shares(step, what, done, total) or None) if self.shares is not None else None

    def end(self, state: State, message: str = "", problem: bool = False) -> None:
        """The job is over. The last word, so it is flushed to disk."""
        self._ended.set()
        with self._guard:
            self.status = replace(
                self.status,
                state=state,
                message=message,
                problem=problem,
                seconds_left=None,
                note="",
                pid=None,
            )
        self.tell("state", state=state, message=message)
        if state == "cancelled":
            shutil.rmtree(self.folder / "scratch", ignore_errors=True)
        withdraw_requests(self.folder)
        self._write(durable=True, after_the_end=True)

    def tell(self, event: str, **values: Any) -> None:
        """Append an event. A disk that is full loses it: events inform, the status decides."""
        line = json.dumps({"time": round(time.time(), 3), "event": event, **values}, default=float)
        with self._guard, suppress(OSError), (self.folder / "events.jsonl").open("a", encoding="utf-8") as f:
            f.write(line + "\n")

    def _write(self, durable: bool, after_the_end: bool = False) -> None:
        with self._guard:
            if self._ended.is_set() and not after_the_end:
                return
            self.status = replace(self.status, heartbeat=time.time())
            write_status(self.folder, self.status, durable)

    def _beat(self) -> None:
        while not self._ended.wait(10.0):
            with suppress(Problem, OSError):
                self._write(durable=False)


def _end_last_line(path: Path) -> None:
    """A worker killed while writing left half a line: close it so that the next event starts on its own."""
    with suppress(OSError), path.open("rb+") as file:
        file.seek(0, os.SEEK_END)
        if file.tell() > 0:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
