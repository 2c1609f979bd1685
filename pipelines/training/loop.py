"""The training loop: resumable at any moment, by steps or by the clock, with the best weights kept.

Our own and not Lightning Fabric: of what is needed here Fabric brings autocast and multi-device backward, a
few lines; its checkpoints are pickles, and resuming, budgets, memory and averages would be ours all the same.
Several devices can come later by wrapping the modules before they are handed in.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from pipelines.job import Cancelled
from pipelines.training.average import WeightAverage
from pipelines.training.checkpoint import Checkpoints, Torn, load_state, save_state
from pipelines.training.forecast import Pace, forecast, memory_held, speed
from pipelines.training.memory import with_less_memory
from pipelines.training.order import Indices, Order
from pipelines.training.preview import write_preview
from pipelines.training.randomness import (
    random_states,
    randomness_kept,
    seed_everything,
    set_random_states,
    step_seed,
)
from pipelines.training.reporter import reporter_of
from pipelines.training.settings import LoopSettings
from pipelines.training.tree import shapes
from studio.devices import explaining_memory
from studio.domain.problem import Problem
from studio.domain.progress import Interrupted, Progress, silent

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Figures = Mapping[str, float]
Curve = tuple[tuple[int, dict[str, float]], ...]
"""Points of a curve: steps done, figures by name."""

_DIVERGED = 20
"""Steps in a row without a finite gradient that end the training."""
_SAVING_SHARE = 0.05
"""Share of the time that writing checkpoints may take."""


@dataclass(frozen=True)
class Batch:
    """What one call of a step function learns from: a whole batch, or a piece of it."""

    step: int
    """Optimiser steps done before."""
    share: float
    """0..1, how much of the budget is used up."""
    indices: Indices
    """``[B]`` examples."""
    seed: int
    """Of this batch alone; torch's, numpy's and python's generators have been set with it."""

    def random(self) -> np.random.Generator:
        """A numpy generator that gives this batch the same numbers in every run."""
        return np.random.default_rng(self.seed)

    def generator(self, device: torch.device | str) -> torch.Generator:
        """A torch generator on ``device`` that gives this batch the same numbers in every run."""
        return torch.Generator(device).manual_seed(self.seed)


StepFunction = Callable[[Batch], Tensor | Mapping[str, Tensor]]
"""The loss of a batch as a mean over its examples (so that pieces add up), or several figures of which
``loss`` is minimised; ``norm``, ``step``, ``steps``, ``rate`` and ``what`` are taken. The loop does the rest.
Buffers that it changes, e.g. counters, may see the pieces of a step twice after it ran out of memory or was
interrupted half-way; whatever is saved otherwise does not."""
Validate = Callable[[], float | Figures]
"""How good the networks are, lower is better: one figure, or several of which ``loss`` decides."""
Preview = Callable[[], npt.NDArray[np.uint8] | None]
"""A picture ``[H, W, 3]`` RGB of what the networks can do now; None: nothing to show."""


class Stateful(Protocol):
    """Something else that a resumed run needs, e.g. a scheduler. Its state is tensors and plain data."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> Any: ...


@dataclass(frozen=True)
class TrainReport:
    """How a training went."""

    reason: str
    """Why it ended: ``steps``, ``time``, ``patience`` (no better validation), ``done`` (no examples left)."""
    steps: int
    """Optimiser steps done."""
    seconds: float
    """Time taken, all runs together."""
    best_step: int | None
    """Steps done when the kept weights were validated; None without validation."""
    best: dict[str, float]
    """Validation figures of the kept weights."""
    losses: Curve
    """Training: means over ``log_steps`` steps."""
    validations: Curve
    """Validation."""
    micro_batch: int
    """Examples held in memory at once in the end."""


def train(
    *,
    modules: Mapping[str, nn.Module],
    optimisers: Optimizer | Mapping[str, Optimizer],
    step: StepFunction,
    order: Order,
    settings: LoopSettings,
    folder: Path,
    what: str,
    progress: Progress = silent,
    validate: Validate | None = None,
    preview: Preview | None = None,
    more: Mapping[str, Stateful] | None = None,
    clock: Callable[[], float] = time.monotonic,
    fabric: Fabric | None = None,
) -> TrainReport:
    """Train, continuing from the checkpoint in ``folder`` if there is one.

    Afterwards the modules hold the best validated weights (without validation the averaged or last ones) and
    are in evaluation mode. A finished training is only loaded, so a stage may train several things one after
    another, each in a folder of its own.

    Args:
        modules: everything that is trained, by name, on one device; buffers are saved, too.
        optimisers: over parameters of the modules; their learning rates are the schedule's height.
        step: gives the loss of a batch. Runs in training mode, under autocast where precision says so.
        order: the examples of each step, e.g. :class:`~pipelines.training.order.ShuffledOrder`.
        settings: how long, how large and how often.
        folder: where checkpoints and ``preview.png`` go, e.g. ``task.progress.scratch(task.step) / "tune"``.
        what: what a person reads, e.g. ``tuning the generator``.
        progress: told at every step; figures, notes and pictures go to it if it takes them.
        validate: called in evaluation mode without gradients, with the averaged weights inside.
        preview: likewise.
        more: other things with a state.
        clock: seconds that only grow.
        fabric: a launched Fabric: this process is one of its ranks. None: one process, on the device that the
            modules are on.

    Raises:
        Interrupted: asked to stop; the checkpoint is written.
        Problem: memory or disk used up, or the training diverged.
    """
    if fabric is not None and fabric.world_size > 1:
        raise Problem("Training in several processes is not there yet: start one.")
    loop = TrainingLoop(
        modules, optimisers, step, order, settings, folder, what, progress, validate, preview, more, clock
    )
    return loop.run()


class TrainingLoop:
    """One training; see :func:`train`."""

    def __init__(
        self,
        modules: Mapping[str, nn.Module],
        optimisers: Optimizer | Mapping[str, Optimizer],
        step: StepFunction,
        order: Order,
        settings: LoopSettings,
        folder: Path,
        what: str,
        progress: Progress = silent,
        validate: Validate | None = None,
        preview: Preview | None = None,
        more: Mapping[str, Stateful] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._modules = dict(modules)
        self._optimisers = (
            {"optimiser": optimisers} if isinstance(optimisers, Optimizer) else dict(optimisers)
        )
        self._step_function, self._order, self._settings = step, order, settings
        self._folder, self._what, self._title = folder, what, what[:1].upper() + what[1:]
        self._report = reporter_of(progress)
        self._validate_function, self._preview_function = validate, preview
        self._more, self._clock = dict(more or {}), clock
        groups = [group for optimiser in self._optimisers.values() for group in optimiser.param_groups]
        for group in groups:
            group.setdefault("initial_lr", group["lr"])
        self._trained = list({id(p): p for group in groups for p in group["params"]}.values())
        self._device = self._trained[0].device
        self._average = WeightAverage(modules, settings.average_decay) if settings.average_decay else None
        self._checkpoints = Checkpoints(folder)
        self._pace = Pace(clock)
        # What a checkpoint holds besides networks:
        self._step = 0
        self._spent_before = 0.0
        self._micro = settings.micro_batch or settings.batch
        self._validated: int | None = None
        self._best: dict[str, Any] | None = None
        self._stale = 0
        self._unfit = 0
        self._sums: dict[str, float] = {}
        self._losses: list[Any] = []
        self._validations: list[Any] = []
        self._reason = ""
        # Moments of this run:
        self._began = self._saved = self._checked = self._shown = clock()
        self._saving = self._validating = 0.0
        self._first = 0
        self._held = 0

    def run(self) -> TrainReport:
        """Train to the end."""
        with randomness_kept(), self._memory_limited():
            seed_everything(step_seed(self._settings.seed))
            self._resume()
            self._began = self._saved = self._checked = self._clock()
            self._shown = -math.inf
            self._first = self._step
            if not self._reason:
                try:
                    self._go()
                except Cancelled:
                    raise
                except Interrupted:
                    self._save()
                    raise
            return self._finish()

    # One step after the other

    def _go(self) -> None:
        self._set_training(True)
        while True:
            self._tell()
            indices = self._order(self._step)
            reason = self._budget_end() or ("" if len(indices) else "done")
            if self._validation_due(bool(reason)):
                self._validate()
                reason = reason or self._patience_end()
            if reason:
                self._reason = reason
                self._save()
                return
            if self._checkpoint_due():
                self._save()
            self._preview()
            self._learn(indices)

    def _learn(self, indices: Indices) -> None:
        settings = self._settings
        share = self._share()
        rate = settings.schedule.factor(share)

        def attempt(size: int) -> dict[str, float]:
            self._each_optimiser(lambda optimiser: optimiser.zero_grad(set_to_none=True))
            sums: dict[str, Tensor] = {}
            for first in range(0, len(indices), size):
                piece = indices[first : first + size]
                weight = len(piece) / len(indices)
                seed = step_seed(settings.seed, 0, self._step, first)
                seed_everything(seed)
                with self._autocast():
                    figures = self._step_function(Batch(self._step, share, piece, seed))
                if isinstance(figures, Tensor):
                    figures = {"loss": figures}
                (figures["loss"] * weight).backward()  # type: ignore[no-untyped-call]
                for name, value in figures.items():
                    sums[name] = sums.get(name, 0.0) + value.detach().float() * weight
            return {name: float(value) for name, value in sums.items()}

        wanted = min(self._micro, len(indices))
        figures, fitting = with_less_memory(attempt, wanted, self._title, self._report.say)
        if fitting < wanted:
            self._micro = fitting
        gradients = [p.grad for p in self._trained if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        figures["norm"] = float(norm)
        if math.isfinite(figures["norm"]) and math.isfinite(figures["loss"]):
            if settings.clip_norm > 0:
                torch.nn.utils.clip_grads_with_norm_(self._trained, settings.clip_norm, norm)
            with explaining_memory(self._title):
                self._each_optimiser(lambda optimiser: self._take(optimiser, rate))
            if self._average is not None:
                self._average.update()
            self._unfit = 0
            self._add(figures)
        else:
            self._unfit += 1
            if self._unfit >= _DIVERGED:
                raise Problem(
                    f"{self._title} diverged (its loss is no number any more): "
                    "choose a lower learning rate or full precision."
                )
        self._step += 1
        if self._step % settings.log_steps == 0:
            self._log(rate)

    def _take(self, optimiser: Optimizer, rate: float) -> None:
        for group in optimiser.param_groups:
            group["lr"] = group["initial_lr"] * rate
        optimiser.step()

    def _each_optimiser(self, action: Callable[[Optimizer], None]) -> None:
        for optimiser in self._optimisers.values():
            action(optimiser)

    # Budgets

    def _spent(self) -> float:
        return self._spent_before + self._clock() - self._began

    def _seconds(self) -> float:
        """The time budget, less what the last validation will take (a tenth at most)."""
        budget = self._settings.minutes * 60.0
        return budget - min(self._validating, 0.1 * budget)

    def _share(self) -> float:
        """0..1 of the budget that is nearest its end."""
        share = self._step / max(self._settings.steps, 1)
        if self._settings.minutes > 0:
            share = max(share, self._spent() / self._seconds())
        return min(share, 1.0)

    def _budget_end(self) -> str:
        if self._step >= self._settings.steps:
            return "steps"
        return "time" if self._settings.minutes > 0 and self._spent() >= self._seconds() else ""

    def _patience_end(self) -> str:
        return "patience" if 0 < self._settings.patience <= self._stale else ""

    # Validation and what is kept

    def _validation_due(self, at_the_end: bool) -> bool:
        settings = self._settings
        if self._validate_function is None or self._validated == self._step:
            return False
        if at_the_end:
            return True
        if self._step == 0:
            return settings.validate_start
        by_steps = settings.validate_steps > 0 and self._step % settings.validate_steps == 0
        by_time = 0 < settings.validate_seconds <= self._clock() - self._checked
        return by_steps or by_time

    def _validate(self) -> None:
        assert self._validate_function is not None
        began = self._clock()
        with self._as_it_will_be(), explaining_memory(self._title):
            result = self._validate_function()
            figures = dict(result) if isinstance(result, Mapping) else {"loss": float(result)}
            figures = {name: float(value) for name, value in figures.items()}
            if self._is_better(figures["loss"]):
                state = {name: module.state_dict() for name, module in self._modules.items()}
                record = {"step": self._step, "figures": figures}
                save_state(self._folder / "best", {**record, "modules": state})
                self._best, self._stale = record, 0
            else:
                self._stale += 1
        self._validated = self._step
        self._validations.append([self._step, figures])
        self._report.metric(
            step=self._step, **{f"validation_{name}": value for name, value in figures.items()}
        )
        self._checked = self._clock()
        self._validating = self._checked - began

    def _is_better(self, loss: float) -> bool:
        if not math.isfinite(loss):
            return False
        if self._best is None:
            return True
        best = self._best["figures"]["loss"]
        return bool(loss < best - abs(best) * self._settings.least_gain)

    def _preview(self) -> None:
        if self._preview_function is None:
            return
        if self._clock() - self._shown < self._settings.preview_seconds:
            return
        with self._as_it_will_be(), explaining_memory(self._title):
            picture = self._preview_function()
        if picture is not None:
            self._report.picture(write_preview(self._folder, picture))
        self._shown = self._clock()

    @contextmanager
    def _as_it_will_be(self) -> Iterator[None]:
        """Averaged weights, evaluation mode, no gradients, random numbers by the step alone."""
        seed_everything(step_seed(self._settings.seed, 1, self._step))
        self._set_training(False)
        try:
            averaged = nullcontext() if self._average is None else self._average.applied()
            with torch.no_grad(), self._autocast(), averaged:
                yield
        finally:
            self._set_training(True)

    def _finish(self) -> TrainReport:
        best = self._best
        if best is not None:
            try:
                saved = load_state(self._folder / "best")
                for name, module in self._modules.items():
                    module.load_state_dict(saved["modules"][name])
                best = saved
            except Torn:
                best = None
                self._report.say("The best weights could not be read again: the last ones are used.")
        if best is None and self._average is not None:
            self._average.keep()
        self._set_training(False)
        return TrainReport(
            reason=self._reason,
            steps=self._step,
            seconds=self._spent_before,
            best_step=None if best is None else best["step"],
            best={} if best is None else dict(best["figures"]),
            losses=_curve(self._losses),
            validations=_curve(self._validations),
            micro_batch=self._micro,
        )

    # Telling

    def _add(self, figures: dict[str, float]) -> None:
        for name, value in figures.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._sums["steps"] = self._sums.get("steps", 0.0) + 1.0

    def _log(self, rate: float) -> None:
        count = self._sums.pop("steps", 0.0)
        if count:
            means = {name: total / count for name, total in self._sums.items()}
            self._losses.append([self._step, means])
            self._report.metric(
                step=self._step, rate=rate, steps_per_second=self._pace.per_second or 0.0, **means
            )
        self._sums = {}

    def _tell(self) -> None:
        settings = self._settings
        self._pace.note(self._step)
        pace = self._pace.per_second
        note = f"step {self._step}"
        # The first steps warm up caches and kernels; after a few the pace can be trusted.
        if pace is not None and self._step - self._first >= 3 and self._clock() - self._began >= 2.0:
            left = self._seconds() - self._spent() if settings.minutes > 0 else None
            to_come = forecast(self._step, settings.steps, left, pace, self._held)
            if not self._held:
                self._held = memory_held(self._device)
                to_come = replace(to_come, memory_gigabytes=self._held / 1e9)
                self._report.say(f"{self._title}: {to_come.sentence}")
                self._report.metric(
                    step=self._step,
                    forecast_minutes=to_come.minutes,
                    memory_gigabytes=to_come.memory_gigabytes,
                )
            note = f"step {self._step} of {to_come.steps}, {speed(pace)}"
        self._report.note(note)
        # With a time budget the steps to come are not known: thousandths of the budget are.
        if settings.minutes > 0:
            self._report(min(int(1000 * self._share()), 999), 1000, self._what)
        else:
            self._report(self._step, settings.steps, self._what)

    # Checkpoints

    def _checkpoint_due(self) -> bool:
        settings = self._settings
        every = settings.checkpoint_steps
        if every > 0 and self._step > self._first and self._step % every == 0:
            return True
        interval = max(settings.checkpoint_seconds, self._saving / _SAVING_SHARE)
        return settings.checkpoint_seconds > 0 and self._clock() - self._saved >= interval

    def _save(self) -> None:
        began = self._clock()
        state = {
            "shapes": self._shapes(),
            "step": self._step,
            "spent": self._spent(),
            "micro": self._micro,
            "validated": self._validated,
            "best": self._best,
            "stale": self._stale,
            "unfit": self._unfit,
            "sums": self._sums,
            "losses": self._losses,
            "validations": self._validations,
            "reason": self._reason,
            "modules": _states(self._modules),
            "optimisers": _states(self._optimisers),
            "average": None if self._average is None else self._average.state_dict(),
            "more": _states(self._more),
            "random": random_states(),
        }
        self._checkpoints.save(state)
        self._saved = self._clock()
        self._saving = self._saved - began
        if self._reason:
            self._spent_before = state["spent"]

    def _resume(self) -> None:
        state, damaged = self._checkpoints.load()
        if state is not None and state["shapes"] != self._shapes():
            # The stage's key covers settings and version; this is for whoever changes a network and neither.
            self._report.say("The checkpoint is of another network: the training begins again.")
            self._checkpoints.clear()
            return
        if damaged:
            again = "begins again" if state is None else "continues from the one before it"
            self._report.say(f"The newest checkpoint was damaged: the training {again}.")
        if state is None:
            return
        _restore(self._modules, state["modules"])
        _restore(self._optimisers, state["optimisers"])
        _restore(self._more, state["more"])
        if self._average is not None:
            self._average.load_state_dict(state["average"])
        self._step, self._spent_before, self._micro = state["step"], state["spent"], state["micro"]
        self._validated, self._best, self._stale = state["validated"], state["best"], state["stale"]
        self._unfit, self._sums, self._reason = state["unfit"], state["sums"], state["reason"]
        self._losses, self._validations = state["losses"], state["validations"]
        set_random_states(state["random"])

    def _shapes(self) -> dict[str, Any]:
        average = None if self._average is None else self._average.state_dict()
        return shapes({"modules": _states(self._modules), "average": average})

    # The machine

    def _set_training(self, on: bool) -> None:
        for module in self._modules.values():
            module.train(on)

    def _autocast(self) -> AbstractContextManager[Any]:
        wanted = self._settings.precision
        if wanted == "auto":
            fits = self._device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
            wanted = "bfloat16" if fits else "float32"
        if wanted == "float32":
            return nullcontext()
        return torch.autocast(self._device.type, torch.bfloat16)

    @contextmanager
    def _memory_limited(self) -> Iterator[None]:
        """Let the card's allocator say no at the wanted size: the loop then takes smaller pieces."""
        wanted = self._settings.memory_gigabytes * 1e9
        if self._device.type != "cuda" or wanted <= 0:
            yield
            return
        total = torch.cuda.get_device_properties(self._device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, wanted / total), self._device)
        try:
            yield
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0, self._device)


def _states(things: Mapping[str, Any]) -> dict[str, Any]:
    return {name: thing.state_dict() for name, thing in things.items()}


def _restore(things: Mapping[str, Any], states: Mapping[str, Any]) -> None:
    for name, thing in things.items():
        thing.load_state_dict(states[name])


def _curve(points: Sequence[Any]) -> Curve:
    return tuple((int(step), dict(figures)) for step, figures in points)
