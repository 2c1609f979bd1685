"""What a training hands to its callers' functions, and what it takes from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from pipelines.training.order import Indices

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Figures = Mapping[str, float]


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
    place: int = 0
    """Where the first of the examples stands in the step's whole batch, that of all processes. What must not
    depend on how a batch is cut into pieces and shared out is drawn by step and place."""

    def random(self) -> np.random.Generator:
        """A numpy generator that gives this batch the same numbers in every run."""
        return np.random.default_rng(self.seed)

    def generator(self, device: torch.device | str) -> torch.Generator:
        """A torch generator on ``device`` that gives this batch the same numbers in every run."""
        import torch

        return torch.Generator(device).manual_seed(self.seed)


StepFunction = Callable[[Batch], "Tensor | Mapping[str, Tensor]"]
"""The loss of a batch as a mean over its examples (so that pieces add up), or several figures of which
``loss`` is minimised; ``norm``, ``step``, ``steps``, ``rate`` and ``what``, names that begin with ``norm_``
and those that end with ``_per_second`` are taken. The loop does the rest.
Buffers that it changes, e.g. counters, may see the pieces of a step twice after it ran out of memory or was
interrupted half-way; whatever is saved otherwise does not.
With several processes each gets a part of the step's batch, and the names of the figures must be the same in
all; it must not raise Interrupted, because the others would wait for its gradients."""
Validate = Callable[[], "float | Figures"]
"""How good the networks are, lower is better: one figure, or several of which ``loss`` decides. With several
processes all are asked and their figures averaged, so each may look at a part of equal size; it must not wait
for the others."""
Preview = Callable[[], "npt.NDArray[np.uint8] | None"]
"""A picture ``[H, W, 3]`` RGB of what the networks can do now; None: nothing to show. With several processes
the first alone is asked."""


class Stateful(Protocol):
    """Something else that a resumed run needs, e.g. a scheduler. Its state is tensors and plain data."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> Any: ...
