"""What a checkpoint holds: the loop's own state, and everything with a state that it trains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from torch import nn
from torch.optim import Optimizer

from pipelines.training.average import WeightAverage
from pipelines.training.batch import Stateful
from pipelines.training.randomness import random_states, set_random_states
from pipelines.training.tree import Tree, shapes


@dataclass
class LoopState:
    """How far a training is; changes with every step."""

    step: int = 0
    """Optimiser steps done."""
    spent: float = 0.0
    """Seconds taken by runs before this one, or by all when it is finished."""
    micro: int = 0
    """Examples of a piece at most."""
    validated: int | None = None
    """Steps done at the last validation."""
    best: dict[str, Any] | None = None
    """``step`` and ``figures`` of the best validation."""
    stale: int = 0
    """Validations since then."""
    unfit: int = 0
    """Steps in a row without a finite gradient."""
    sums: dict[str, float] = field(default_factory=dict)
    """Figures added up since the last point of the curve."""
    losses: list[Any] = field(default_factory=list)
    """Points of the curve: ``[step, figures]``."""
    validations: list[Any] = field(default_factory=list)
    """Validations: ``[step, figures]``."""
    reason: str = ""
    """Why it ended."""


class Contents:
    """What is trained, and what goes along: networks, optimisers, the weights' average, others."""

    def __init__(
        self,
        modules: Mapping[str, nn.Module],
        optimisers: Mapping[str, Optimizer],
        average: WeightAverage | None,
        more: Mapping[str, Stateful],
    ) -> None:
        self._modules, self._optimisers, self._average, self._more = modules, optimisers, average, more

    def tree(self, state: LoopState, spent: float) -> Tree:
        """Everything that a checkpoint holds.

        Args:
            state: of the loop.
            spent: seconds taken by all runs.
        """
        plain = {entry.name: getattr(state, entry.name) for entry in fields(state)}
        return {
            "shapes": self._shapes(),
            **plain,
            "spent": spent,
            "modules": _states(self._modules),
            "optimisers": _states(self._optimisers),
            "average": None if self._average is None else self._average.state_dict(),
            "more": _states(self._more),
            "random": random_states(),
        }

    def fits(self, tree: Tree) -> bool:
        """Whether a checkpoint is of networks of the same shapes."""
        return bool(tree["shapes"] == self._shapes())

    def restore(self, tree: Tree) -> LoopState:
        """Put a fitting checkpoint back. Returns the loop's state."""
        _restore(self._modules, tree["modules"])
        _restore(self._optimisers, tree["optimisers"])
        _restore(self._more, tree["more"])
        if self._average is not None:
            self._average.load_state_dict(tree["average"])
        set_random_states(tree["random"])
        return LoopState(**{entry.name: tree[entry.name] for entry in fields(LoopState)})

    def _shapes(self) -> dict[str, Any]:
        average = None if self._average is None else self._average.state_dict()
        return shapes({"modules": _states(self._modules), "average": average})


def _states(things: Mapping[str, Any]) -> dict[str, Any]:
    return {name: thing.state_dict() for name, thing in things.items()}


def _restore(things: Mapping[str, Any], states: Mapping[str, Any]) -> None:
    for name, thing in things.items():
        thing.load_state_dict(states[name])
