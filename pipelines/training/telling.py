"""What a training tells while it goes on: how far it is, how fast, its figures, its pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from pipelines.training.board import Board
from pipelines.training.forecast import Pace, forecast, memory_held, speed
from pipelines.training.preview import write_preview
from pipelines.training.reporter import Reporter, reporter_of
from pipelines.training.settings import LoopSettings
from studio.domain.progress import Progress


class Telling:
    """The first process tells everything; the others only hear whether somebody asked to stop."""

    def __init__(
        self,
        progress: Progress,
        aloud: bool,
        settings: LoopSettings,
        what: str,
        device: torch.device,
        clock: Callable[[], float],
    ) -> None:
        """
        Args:
            progress: where reports go.
            aloud: whether this is the first process.
            settings: the loop's.
            what: the work, in words.
            device: whose memory is told.
            clock: seconds that only grow.
        """
        self._report: Reporter = reporter_of(progress)
        self._aloud, self._settings, self._what, self._device = aloud, settings, what, device
        self.title = what[:1].upper() + what[1:]
        self._clock, self._began, self._first = clock, clock(), 0
        self._steps, self._examples, self._seen = Pace(clock), Pace(clock), 0
        self._board: Board | None = None
        self._held = 0

    def begin(self, step: int) -> None:
        """A run begins after ``step`` steps. Raises Problem when TensorBoard's folder cannot be written."""
        self._began, self._first = self._clock(), step
        if self._aloud and self._settings.tensorboard:
            self._board = Board(Path(self._settings.tensorboard), step)

    def end(self) -> None:
        """The run is over."""
        if self._board is not None:
            self._board.close()

    def say(self, sentence: str) -> None:
        """Something that a person should read once."""
        if self._aloud:
            self._report.say(sentence)

    def saw(self, examples: int) -> None:
        """A step has learnt from so many examples, of all processes."""
        self._seen += examples

    def progress(self, step: int, share: float, seconds_left: float | None) -> None:
        """How far it is; may raise Interrupted.

        Args:
            step: steps done.
            share: 0..1 of the budget used up.
            seconds_left: of the time budget; None without one.
        """
        self._steps.note(step)
        self._examples.note(self._seen)
        pace = self._steps.per_second
        note = f"step {step}"
        # The first steps warm up caches and kernels; after a few the pace can be trusted.
        if pace is not None and step - self._first >= 3 and self._clock() - self._began >= 2.0:
            to_come = forecast(step, self._settings.steps, seconds_left, pace, self._held)
            if not self._held:
                self._held = memory_held(self._device)
                to_come = replace(to_come, memory_gigabytes=self._held / 1e9)
                self.say(f"{self.title}: {to_come.sentence}")
                self._metric(
                    step=step,
                    forecast_minutes=to_come.minutes,
                    memory_gigabytes=to_come.memory_gigabytes,
                )
            note = f"step {step} of {to_come.steps}, {speed(pace)}"
        if self._aloud:
            self._report.note(note)
        # With a time budget the steps to come are not known: thousandths of the budget are.
        if self._settings.minutes > 0:
            self._report(min(int(1000 * share), 999), 1000, self._what)
        else:
            self._report(step, self._settings.steps, self._what)

    def losses(self, step: int, rate: float, means: Mapping[str, float]) -> None:
        """A point of the curve: mean figures of the last steps, and the factor of the learning rates."""
        speeds = {
            "steps_per_second": self._steps.per_second or 0.0,
            "examples_per_second": self._examples.per_second or 0.0,
        }
        self._metric(step=step, rate=rate, **speeds, **means)
        if self._board is not None:
            self._board.figures(step, "training", **means)
            self._board.figures(step, "pace", rate=rate, **speeds)

    def validation(self, step: int, figures: Mapping[str, float]) -> None:
        """How good the networks are."""
        self._metric(step=step, **{f"validation_{name}": value for name, value in figures.items()})
        if self._board is not None:
            self._board.figures(step, "validation", **figures)

    def picture(self, step: int, folder: Path, picture: npt.NDArray[np.uint8]) -> None:
        """A preview, which goes into ``folder``. Raises Problem when the disk said no."""
        self._report.picture(write_preview(folder, picture))
        if self._board is not None:
            self._board.picture(step, picture)

    def _metric(self, **values: float) -> None:
        if self._aloud:
            self._report.metric(**values)
