"""One optimiser step: its batch cut into pieces and shared out, backward, gradients' length, the step itself.

Fabric does what depends on devices and their number: autocast, DistributedDataParallel, backward, clipping.
What it wraps is the caller's whole step function, so that networks are called in there as ever, however many.

With several processes, gradients are added up while backward goes on, and a process that runs out of memory
there leaves the others waiting. So the first steps of a run are rehearsed without adding up: if memory runs
out anywhere, all take smaller pieces together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from pipelines.training.batch import Batch, StepFunction
from pipelines.training.memory import with_less_memory
from pipelines.training.order import Indices, part_of
from pipelines.training.randomness import seed_everything, step_seed
from pipelines.training.ranks import Ranks
from pipelines.training.settings import LoopSettings
from studio.devices import explaining_memory
from studio.domain.progress import Interrupted

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_REHEARSALS = 2
"""Steps of a run that several processes rehearse: the second one has the optimisers' moments in memory."""


class Optimising:
    """Does optimiser steps, one after the other."""

    def __init__(
        self,
        fabric: Fabric,
        ranks: Ranks,
        modules: Mapping[str, nn.Module],
        optimisers: Mapping[str, Optimizer],
        step: StepFunction,
        settings: LoopSettings,
        title: str,
        say: Callable[[str], None],
    ) -> None:
        """
        Args:
            fabric, ranks: launched; modules move to its device and get the first process's weights.
            modules, optimisers, step, settings: as for :func:`~pipelines.training.loop.train`.
            title: the work, as the start of a sentence.
            say: told what a person should read once.
        """
        self._fabric, self._ranks, self._settings = fabric, ranks, settings
        self._modules, self._title, self._say = modules, title, say
        self._plain = dict(optimisers)
        self._optimisers: dict[str, Any] = {}
        if ranks.world > 1:
            _check_parameters(modules, optimisers)
            _share_batch_statistics(modules, fabric.device, say)
        self._step = fabric.setup_module(_Step(modules, step))
        for name, optimiser in optimisers.items():
            self._optimisers[name] = fabric.setup_optimizers(optimiser)
        self._rehearsals = _REHEARSALS if ranks.world > 1 else 0

    def __call__(
        self, step: int, share: float, rate: float, indices: Indices, micro: int
    ) -> tuple[dict[str, float] | None, int]:
        """Do a step.

        Args:
            step: steps done before.
            share: 0..1 of the budget used up.
            rate: factor of the optimisers' learning rates.
            indices: ``[B]`` examples of all processes.
            micro: examples of a piece at most.

        Returns:
            Figures of the step, the same in all processes, with the gradient's length as ``norm`` (and for
            each optimiser, where there are several); None if they were no numbers, and nothing was changed.
            And the size of the pieces that fits.

        Raises:
            Problem: memory ran out.
        """

        def attempt(size: int, added_up: bool = True) -> dict[str, float]:
            return self._gradients(step, share, indices, size, added_up)

        wanted = min(micro, -(-len(indices) // self._ranks.world))
        if self._ranks.world == 1:
            figures, fitting = with_less_memory(attempt, wanted, self._title, self._say)
        else:
            with _uninterrupted():
                fitting = self._rehearsed(attempt, wanted) if self._rehearsals else wanted
                self._rehearsals = max(self._rehearsals - 1, 0)
                with explaining_memory(self._title, _LATE.format(-(-fitting // 2))):
                    figures = attempt(fitting)
        micro = fitting if fitting < wanted else micro
        norms = self._norms()
        finite = all(math.isfinite(value) for value in (figures["loss"], *norms.values()))
        figures = self._ranks.sum({**figures, _UNFIT: 0.0 if finite else 1.0})
        if figures.pop(_UNFIT):
            return None, micro
        with explaining_memory(self._title):
            for optimiser in self._optimisers.values():
                for group in optimiser.param_groups:
                    group["lr"] = group["initial_lr"] * rate
                optimiser.step()
        return {**figures, **norms}, micro

    def autocast(self) -> Any:
        """Context in which networks calculate as in training."""
        return self._fabric.autocast()

    def _gradients(
        self, step: int, share: float, indices: Indices, size: int, added_up: bool
    ) -> dict[str, float]:
        """Gradients of this process's part of a batch (of the whole batch, if they are added up).

        Returns:
            This part's contribution to the figures of the whole batch.
        """
        for optimiser in self._plain.values():
            optimiser.zero_grad(set_to_none=True)
        part, start, weight = part_of(indices, self._ranks.rank, self._ranks.world)
        sums: dict[str, Tensor] = {}
        for first in range(0, len(part), size):
            piece = part[first : first + size]
            counts = weight * len(piece) / len(indices)
            seed = step_seed(self._settings.seed, 0, step, start + first)
            seed_everything(seed)
            last = first + size >= len(part)
            with self._fabric.no_backward_sync(self._step, enabled=not (added_up and last)):
                figures = self._step(_Sealed(Batch(step, share, piece, seed, start + first)))
                # Gradients are averaged over the processes, and each brings a part of the average.
                self._fabric.backward(figures["loss"] * (counts * self._ranks.world))
            for name, value in figures.items():
                sums[name] = sums.get(name, 0.0) + value.detach().float() * counts
        return {name: float(value) for name, value in sums.items()}

    def _rehearsed(self, attempt: Callable[[int, bool], dict[str, float]], wanted: int) -> int:
        """The size of pieces that fits in all processes; nothing lasting is changed."""

        def rehearse(size: int) -> None:
            with _buffers_kept(self._modules):
                attempt(size, False)

        _, fitting = with_less_memory(rehearse, wanted, self._title, self._say, self._ranks.any)
        return fitting

    def _norms(self) -> dict[str, float]:
        """Lengths of the gradients, which are shortened where they are too long."""
        found: dict[str, float] = {}
        for name, optimiser in self._optimisers.items():
            if self._settings.clip_norm > 0:
                longest = self._settings.clip_norm
                norm = self._fabric.clip_gradients(
                    self._step, optimiser, max_norm=longest, error_if_nonfinite=False
                )
                assert norm is not None
            else:
                parameters = [p for group in optimiser.param_groups for p in group["params"]]
                norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
            found[f"norm_{name}"] = float(norm)
        whole = math.sqrt(sum(norm * norm for norm in found.values()))
        if len(found) == 1:
            return {"norm": next(iter(found.values()))}
        return {"norm": whole, **found}


_UNFIT = "\0unfit"
"""Name of a figure that no step function gives: processes without a finite gradient."""


_LATE = "start again with a micro_batch of {}, which continues from the checkpoint"
"""What to do when memory runs out while processes add up gradients, where they cannot halve any more."""


@contextmanager
def _uninterrupted() -> Iterator[None]:
    try:
        yield
    except Interrupted as error:
        raise RuntimeError("a step function must not be interrupted: other processes wait for it") from error


class _Sealed:
    """A batch that Fabric and DistributedDataParallel hand on as it is."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch


class _Step(nn.Module):
    """A step function as a module that has everything that is trained inside."""

    def __init__(self, modules: Mapping[str, nn.Module], step: StepFunction) -> None:
        super().__init__()
        self.trained = nn.ModuleList(modules.values())
        # Networks may stay out of some steps, so gradients of all are not waited for; torch would tell every
        # process that nothing is left out, if nothing was.
        self.left_out = nn.Parameter(torch.zeros(1))
        self._function = step

    def forward(self, sealed: _Sealed) -> dict[str, Tensor]:
        figures = self._function(sealed.batch)
        if isinstance(figures, Tensor):
            return {"loss": figures}
        # Only the loss goes back: a gradient expected of another figure would be waited for.
        return {name: value if name == "loss" else value.detach() for name, value in figures.items()}


@contextmanager
def _buffers_kept(modules: Mapping[str, nn.Module]) -> Iterator[None]:
    """What networks count while they calculate is as before afterwards."""
    buffers = [buffer for module in modules.values() for buffer in module.buffers()]
    before = [buffer.detach().clone() for buffer in buffers]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in zip(buffers, before, strict=True):
                buffer.copy_(value)


def _check_parameters(modules: Mapping[str, nn.Module], optimisers: Mapping[str, Optimizer]) -> None:
    """Only parameters of the modules get gradients from all processes."""
    known = {id(p) for module in modules.values() for p in module.parameters() if p.requires_grad}
    groups = [group for optimiser in optimisers.values() for group in optimiser.param_groups]
    if any(id(p) not in known for group in groups for p in group["params"]):
        raise ValueError("several processes can only train parameters of the modules that were handed in")


def _share_batch_statistics(
    modules: Mapping[str, nn.Module], device: torch.device, say: Callable[[str], None]
) -> None:
    """Let batch normalisations look at all processes' examples, in place."""
    normed = [m for module in modules.values() for m in module.modules() if isinstance(m, _BATCH_NORMS)]
    if not normed:
        return
    if device.type != "cuda":
        say("Batch normalisation looks at each process's examples alone: only graphics cards share them.")
        return
    for name, module in modules.items():
        shared = nn.SyncBatchNorm.convert_sync_batchnorm(module)  # type: ignore[no-untyped-call]
        if shared is not module:
            raise ValueError(f"{name} is a batch normalisation by itself: put it into a network")


_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
