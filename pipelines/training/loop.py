"""The training loop: resumable at any moment, by steps or by the clock, with the best weights kept.

Devices, precision and several processes are Lightning Fabric's (see :mod:`pipelines.training.launch` and
:mod:`pipelines.training.optimising`). Resuming at any step, budgets, memory, the average of the weights and
checkpoints without pickles are ours, because Fabric leaves them to its users or pickles.

Every process runs this same loop and comes to the same decisions (see :mod:`pipelines.training.ranks`). The
first one writes and tells.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.optim import Optimizer

from pipelines.job import Cancelled
from pipelines.training.average import WeightAverage
from pipelines.training.batch import Batch, Figures, Preview, Stateful, StepFunction, Validate
from pipelines.training.checkpoint import Checkpoints, Torn, load_state, save_state
from pipelines.training.contents import Contents, LoopState
from pipelines.training.launch import one_process, slow_arithmetic
from pipelines.training.memory import memory_limited
from pipelines.training.optimising import Optimising
from pipelines.training.order import Order
from pipelines.training.randomness import randomness_kept, seed_everything, step_seed
from pipelines.training.ranks import Ranks, missing_others
from pipelines.training.report import Curve, TrainReport, curve
from pipelines.training.settings import LoopSettings
from pipelines.training.telling import Telling
from studio.devices import explaining_memory
from studio.domain.problem import Problem
from studio.domain.progress import Interrupted, Progress, silent

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = [
    "Batch",
    "Curve",
    "Figures",
    "Preview",
    "Stateful",
    "StepFunction",
    "TrainReport",
    "TrainingLoop",
    "Validate",
    "train",
]

_DIVERGED = 20
"""Steps in a row without a finite gradient that end the training."""
_SAVING_SHARE = 0.05
"""Share of the time that writing checkpoints may take."""


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
            With several machines, on a disk that they share.
        what: what a person reads, e.g. ``tuning the generator``.
        progress: told at every step; figures, notes and pictures go to it if it takes them. In processes
            other than the first it is only called so that it can raise Interrupted.
        validate: called in evaluation mode without gradients, with the averaged weights inside.
        preview: likewise.
        more: other things with a state.
        clock: seconds that only grow.
        fabric: from :func:`pipelines.training.launch.launch`: this process is one of its ranks, and the
            modules move to its device. Its precision counts. All ranks call this alike. None: one process, on
            the device that the modules are on.

    Raises:
        Interrupted: asked to stop; the checkpoint is written.
        Problem: memory or disk used up, the training diverged, or another process has died.
    """
    world = 1 if fabric is None else fabric.world_size
    with missing_others(world, what[:1].upper() + what[1:]):
        loop = TrainingLoop(
            modules,
            optimisers,
            step,
            order,
            settings,
            folder,
            what,
            progress,
            validate,
            preview,
            more,
            clock,
            fabric,
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
        fabric: Fabric | None = None,
    ) -> None:
        self._modules, self._order, self._settings, self._folder = dict(modules), order, settings, folder
        self._validate_function, self._preview_function = validate, preview
        optimisers = {"optimiser": optimisers} if isinstance(optimisers, Optimizer) else dict(optimisers)
        groups = [group for optimiser in optimisers.values() for group in optimiser.param_groups]
        for group in groups:
            group.setdefault("initial_lr", group["lr"])
        if fabric is None:
            fabric = one_process(groups[0]["params"][0].device, settings.precision)
        self._device = fabric.device
        self._ranks = Ranks(fabric, clock)
        self._telling = Telling(progress, self._ranks.first, settings, what, self._device, clock)
        self._title = self._telling.title
        self._optimising = Optimising(
            fabric, self._ranks, self._modules, optimisers, step, settings, self._title, self._telling.say
        )
        # After the networks have moved to the device and got the first process's weights.
        self._average = (
            WeightAverage(self._modules, settings.average_decay) if settings.average_decay else None
        )
        self._contents = Contents(self._modules, optimisers, self._average, dict(more or {}))
        self._checkpoints = Checkpoints(folder)
        self._state = LoopState(micro=settings.micro_batch or settings.batch)
        # Moments of this run, by the clock that all processes share:
        self._began = self._saved = self._checked = self._shown = self._ranks.now
        self._saving = self._validating = 0.0
        self._first = 0

    def run(self) -> TrainReport:
        """Train to the end."""
        with randomness_kept(), memory_limited(self._device, self._settings.memory_gigabytes):
            seed_everything(step_seed(self._settings.seed))
            self._resume()
            self._began = self._saved = self._checked = self._ranks.now
            self._shown = -math.inf
            self._first = self._state.step
            if not self._state.reason:
                self._telling.begin(self._first)
                slow = slow_arithmetic(self._settings.precision, self._device.type)
                if slow is not None:
                    self._telling.say(slow)
                try:
                    self._go()
                except Cancelled:
                    raise
                except Interrupted:
                    self._save()
                    raise
                finally:
                    self._telling.end()
            return self._finish()

    # One step after the other

    def _go(self) -> None:
        self._set_training(True)
        while True:
            self._ranks.all_do(self._tell)
            indices = self._order(self._state.step)
            reason = self._budget_end() or ("" if len(indices) else "done")
            if self._validation_due(bool(reason)):
                self._validate()
                reason = reason or self._patience_end()
            if reason:
                self._state.reason = reason
                self._save()
                return
            if self._checkpoint_due():
                self._save()
            self._preview()
            share = self._share()
            rate = self._settings.schedule.factor(share)
            figures, self._state.micro = self._optimising(
                self._state.step, share, rate, indices, self._state.micro
            )
            self._telling.saw(len(indices))
            self._take(figures, rate)

    def _take(self, figures: dict[str, float] | None, rate: float) -> None:
        """A step is done (None: without a finite gradient)."""
        state = self._state
        if figures is not None:
            if self._average is not None:
                self._average.update()
            state.unfit = 0
            for name, value in figures.items():
                state.sums[name] = state.sums.get(name, 0.0) + value
            state.sums["steps"] = state.sums.get("steps", 0.0) + 1.0
        else:
            state.unfit += 1
            if state.unfit >= _DIVERGED:
                raise Problem(
                    f"{self._title} diverged (its loss is no number any more): "
                    "choose a lower learning rate or full precision."
                )
        state.step += 1
        if state.step % self._settings.log_steps == 0:
            count = state.sums.pop("steps", 0.0)
            if count:
                means = {name: total / count for name, total in state.sums.items()}
                state.losses.append([state.step, means])
                self._telling.losses(state.step, rate, means)
            state.sums = {}

    def _tell(self) -> None:
        left = self._seconds() - self._spent() if self._settings.minutes > 0 else None
        self._telling.progress(self._state.step, self._share(), left)

    # Budgets

    def _spent(self) -> float:
        return self._state.spent + self._ranks.now - self._began

    def _seconds(self) -> float:
        """The time budget, less what the last validation will take (a tenth at most)."""
        budget = self._settings.minutes * 60.0
        return budget - min(self._validating, 0.1 * budget)

    def _share(self) -> float:
        """0..1 of the budget that is nearest its end."""
        share = self._state.step / max(self._settings.steps, 1)
        if self._settings.minutes > 0:
            share = max(share, self._spent() / self._seconds())
        return min(share, 1.0)

    def _budget_end(self) -> str:
        if self._state.step >= self._settings.steps:
            return "steps"
        return "time" if self._settings.minutes > 0 and self._spent() >= self._seconds() else ""

    def _patience_end(self) -> str:
        return "patience" if 0 < self._settings.patience <= self._state.stale else ""

    # Validation and what is kept

    def _validation_due(self, at_the_end: bool) -> bool:
        settings, step = self._settings, self._state.step
        if self._validate_function is None or self._state.validated == step:
            return False
        if at_the_end:
            return True
        if step == 0:
            return settings.validate_start
        by_steps = settings.validate_steps > 0 and step % settings.validate_steps == 0
        by_time = 0 < settings.validate_seconds <= self._ranks.now - self._checked
        return by_steps or by_time

    def _validate(self) -> None:
        state, began = self._state, self._ranks.now
        with self._as_it_will_be(), explaining_memory(self._title):
            figures = self._ranks.mean(self._ranks.all_do(self._validated))
            if self._is_better(figures["loss"]):
                record = {"step": state.step, "figures": figures}
                weights = {name: module.state_dict() for name, module in self._modules.items()}
                self._ranks.first_does(
                    lambda: save_state(self._folder / "best", {**record, "modules": weights})
                )
                state.best, state.stale = record, 0
            else:
                state.stale += 1
        state.validated = state.step
        state.validations.append([state.step, figures])
        self._telling.validation(state.step, figures)
        self._checked = self._ranks.now
        self._validating = self._checked - began

    def _validated(self) -> dict[str, float]:
        assert self._validate_function is not None
        result = self._validate_function()
        figures = dict(result) if isinstance(result, Mapping) else {"loss": float(result)}
        return {name: float(value) for name, value in figures.items()}

    def _is_better(self, loss: float) -> bool:
        if not math.isfinite(loss):
            return False
        if self._state.best is None:
            return True
        best = self._state.best["figures"]["loss"]
        return bool(loss < best - abs(best) * self._settings.least_gain)

    def _preview(self) -> None:
        if self._preview_function is None:
            return
        if self._ranks.now - self._shown < self._settings.preview_seconds:
            return
        self._ranks.first_does(self._show)
        self._shown = self._ranks.now

    def _show(self) -> None:
        assert self._preview_function is not None
        with self._as_it_will_be(), explaining_memory(self._title):
            picture = self._preview_function()
        if picture is not None:
            self._telling.picture(self._state.step, self._folder, picture)

    @contextmanager
    def _as_it_will_be(self) -> Iterator[None]:
        """Averaged weights, evaluation mode, no gradients, random numbers by the step alone."""
        seed_everything(step_seed(self._settings.seed, 1, self._state.step))
        self._set_training(False)
        try:
            averaged = nullcontext() if self._average is None else self._average.applied()
            with torch.no_grad(), self._optimising.autocast(), averaged:
                yield
        finally:
            self._set_training(True)

    def _finish(self) -> TrainReport:
        state, best = self._state, self._state.best
        if best is not None:
            try:
                saved = load_state(self._folder / "best")
                for name, module in self._modules.items():
                    module.load_state_dict(saved["modules"][name])
                best = saved
            except Torn:
                best = None
                self._telling.say("The best weights could not be read again: the last ones are used.")
        if best is None and self._average is not None:
            self._average.keep()
        self._set_training(False)
        return TrainReport(
            reason=state.reason,
            steps=state.step,
            seconds=state.spent,
            best_step=None if best is None else best["step"],
            best={} if best is None else dict(best["figures"]),
            losses=curve(state.losses),
            validations=curve(state.validations),
            micro_batch=state.micro,
        )

    # Checkpoints

    def _checkpoint_due(self) -> bool:
        every, step = self._settings.checkpoint_steps, self._state.step
        if every > 0 and step > self._first and step % every == 0:
            return True
        interval = max(self._settings.checkpoint_seconds, self._saving / _SAVING_SHARE)
        return self._settings.checkpoint_seconds > 0 and self._ranks.now - self._saved >= interval

    def _save(self) -> None:
        began, spent = self._ranks.now, self._spent()
        self._ranks.first_does(lambda: self._checkpoints.save(self._contents.tree(self._state, spent)))
        self._saved = self._ranks.now
        self._saving = self._saved - began
        if self._state.reason:
            self._state.spent = spent

    def _resume(self) -> None:
        # The first process removes what is damaged before the others look.
        found: list[Any] = []
        self._ranks.first_does(lambda: found.extend(self._checkpoints.load()))
        tree, damaged = found if self._ranks.first else self._checkpoints.load()
        if not self._ranks.same(-1 if tree is None else tree["step"]):
            raise Problem(
                f"{self._title} found different checkpoints in {self._folder}: all machines must see one "
                "folder there, on a disk that they share."
            )
        if tree is not None and not self._contents.fits(tree):
            # The stage's key covers settings and version; this is for whoever changes a network and neither.
            self._telling.say("The checkpoint is of another network: the training begins again.")
            self._ranks.first_does(self._checkpoints.clear)
            return
        if damaged:
            again = "begins again" if tree is None else "continues from the one before it"
            self._telling.say(f"The newest checkpoint was damaged: the training {again}.")
        if tree is not None:
            self._state = self._contents.restore(tree)

    def _set_training(self, on: bool) -> None:
        for module in self._modules.values():
            module.train(on)
