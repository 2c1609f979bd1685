"""What a job has told so far, read bit by bit for somebody who looks again and again.

A window asks a few times a second; each time only what was appended since is read, and never more than a
moment's worth. A line that is still being written waits for the next look.
"""

from __future__ import annotations

import json
import math
import os
from bisect import bisect_left
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

AT_ONCE = 1 << 18
"""Bytes read at one look: some two thousand events, well below a hundredth of a second."""
VALIDATION = "validation_"
"""How names of figures begin that were taken on frames which training never sees."""

StageState = Literal["begun", "made", "found"]
"""found: it was there already."""


@dataclass(frozen=True)
class Curve:
    """One figure along a training."""

    what: str
    """The training, e.g. ``teaching the painter``."""
    name: str
    """The figure, e.g. ``loss`` or ``validation_psnr``."""
    steps: npt.NDArray[np.float64]
    """``[N]`` optimiser steps done, rising."""
    values: npt.NDArray[np.float64]
    """``[N]`` the figure there; NaN where it was no number."""

    @property
    def validation(self) -> bool:
        """Whether it was taken on frames that training never sees."""
        return self.name.startswith(VALIDATION)


@dataclass(frozen=True)
class Said:
    """A sentence for a person."""

    time: float
    """Unix time."""
    sentence: str
    """The sentence."""


@dataclass(frozen=True)
class Preview:
    """The newest picture of a training: real frames in its top row, what the networks make in its last."""

    time: float
    """Unix time."""
    what: str
    """The training."""
    path: Path
    """The file, which is renewed in place and goes when its stage is made."""


@dataclass(frozen=True)
class StageProgress:
    """How far one stage is."""

    id: str
    """The stage."""
    state: StageState
    """What became of it last."""
    begun: float
    """Unix time."""
    ended: float | None = None
    """Unix time; None while it is not made."""
    what: str = ""
    """What was being done last."""
    done: int = 0
    """Units finished of that."""
    total: int | None = None
    """Units in all, None while unknown."""


@dataclass
class JobHistory:
    """What a job has told; grows with every :meth:`read`.

    A job that was killed does some steps again when it continues: their figures take the place of the ones
    that were told before, so that curves never run backwards.
    """

    folder: Path
    """The job's; it need not have begun."""
    stages: dict[str, StageProgress] = field(default_factory=dict, init=False)
    """Stage id to its progress, in order."""
    said: list[Said] = field(default_factory=list, init=False)
    """Sentences, each once, oldest first."""
    picture: Preview | None = field(default=None, init=False)
    """The newest picture."""
    state: str = field(default="", init=False)
    """The state told last; a worker that died could not tell (ask :func:`pipelines.job.read_status`)."""
    message: str = field(default="", init=False)
    """What was told with it."""
    unread: bool = field(default=False, init=False)
    """Whether the last look left something for the next one."""

    def __post_init__(self) -> None:
        self._place = 0
        self._file: int | None = None
        self._points: dict[tuple[str, str], tuple[list[float], list[float]]] = {}
        self._stage = ""

    def read(self, most: int = AT_ONCE) -> bool:
        """Take in what has been told since the last look; True when there was something.

        Args:
            most: bytes to read, about.
        """
        try:
            with (self.folder / "events.jsonl").open("rb") as file:
                self._notice(file.fileno())
                file.seek(self._place)
                block = file.read(most)
                while block and b"\n" not in block and (longer := file.read(most)):
                    block += longer
                self.unread = bool(file.read(1)) and b"\n" in block
        except OSError:
            return False
        whole, ending, _ = block.rpartition(b"\n")
        self._place += len(whole) + len(ending)
        told = False
        for line in whole.split(b"\n") if ending else ():
            told |= self._take(line)
        return told

    def curves(self, what: str | None = None) -> tuple[Curve, ...]:
        """Figures along the trainings (or of one of them), in the order in which they were first told."""
        return tuple(
            Curve(training, name, np.array(steps), np.array(values))
            for (training, name), (steps, values) in self._points.items()
            if what is None or what == training
        )

    @property
    def trainings(self) -> tuple[str, ...]:
        """Trainings that have figures, oldest first."""
        return tuple(dict.fromkeys(training for training, _ in self._points))

    def _notice(self, file: int) -> None:
        """Begin anew when the job was discarded meanwhile and another of its name has begun."""
        found = os.fstat(file)
        if found.st_size < self._place or self._file not in (None, found.st_ino):
            fresh = JobHistory(self.folder)
            self.__dict__.update(vars(fresh))
        self._file = found.st_ino

    def _take(self, line: bytes) -> bool:
        try:
            event: Any = json.loads(line)
        except ValueError:
            return False  # half a line of a worker that was killed
        take = _EVENTS.get(str(event.get("event"))) if isinstance(event, dict) else None
        if take is None:
            return False
        try:
            take(self, event, float(event["time"]))
        except (KeyError, TypeError, ValueError):
            return False
        return True

    def _on_state(self, event: dict[str, Any], time: float) -> None:
        self.state, self.message = str(event["state"]), str(event.get("message", ""))

    def _on_step(self, event: dict[str, Any], time: float) -> None:
        stage, state = str(event["step"]), event["state"]
        if state == "begun":
            self._stage = stage
            self.stages[stage] = StageProgress(stage, "begun", time)
        elif stage in self.stages and state in ("made", "found"):
            self.stages[stage] = replace(self.stages[stage], state=state, ended=time)

    def _on_progress(self, event: dict[str, Any], time: float) -> None:
        if self._stage in self.stages:
            self.stages[self._stage] = replace(
                self.stages[self._stage], what=str(event["what"]), done=event["done"], total=event["total"]
            )

    def _on_metric(self, event: dict[str, Any], time: float) -> None:
        step = float(event["step"])
        for name, value in event.items():
            if name in ("time", "event", "what", "step") or isinstance(value, bool | str):
                continue
            steps, values = self._points.setdefault((str(event["what"]), name), ([], []))
            if steps and step <= steps[-1]:
                again = bisect_left(steps, step)
                del steps[again:], values[again:]
            steps.append(step)
            values.append(math.nan if value is None else float(value))

    def _on_said(self, event: dict[str, Any], time: float) -> None:
        sentence = str(event["sentence"])
        if all(sentence != one.sentence for one in self.said):
            self.said.append(Said(time, sentence))

    def _on_picture(self, event: dict[str, Any], time: float) -> None:
        self.picture = Preview(time, str(event["what"]), self.folder / str(event["path"]))


_EVENTS = {
    "state": JobHistory._on_state,
    "step": JobHistory._on_step,
    "progress": JobHistory._on_progress,
    "metric": JobHistory._on_metric,
    "said": JobHistory._on_said,
    "picture": JobHistory._on_picture,
}
"""What is done with each kind of event; others inform nobody here."""
