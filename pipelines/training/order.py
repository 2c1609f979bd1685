"""Which examples a step learns from, as a function of the step, so that a resumed run sees the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]


class Order(Protocol):
    """The examples of step ``step``: indices ``[B]``. None (B = 0) ends the training. With several processes
    these are the examples of all: the loop shares them out, and the order does not know how many there are.

    An order that depends on more than the step keeps that in a module's buffer or in ``more``, which
    checkpoints hold.
    """

    def __call__(self, step: int) -> Indices: ...


def part_of(indices: Indices, rank: int, world: int) -> tuple[Indices, int, float]:
    """What one of several processes does of a step's batch; all parts together are the batch.

    Args:
        indices: ``[B]`` examples of the step.
        rank, world: which process, of how many.

    Returns:
        Its examples, which follow one another in the batch, where in it they begin, and 1. If there are fewer
        examples than processes, those without one are given the first example with 0: it does not count.
    """
    bounds = [len(indices) * number // world for number in (rank, rank + 1)]
    if bounds[0] == bounds[1]:
        return indices[:1], 0, 0.0
    return indices[bounds[0] : bounds[1]], bounds[0], 1.0


@dataclass(frozen=True)
class ShuffledOrder:
    """All examples once in a random order, then once more in another, and so on."""

    examples: int | Indices
    """How many there are, or their numbers."""
    batch: int
    """Examples a step."""
    seed: int = 0
    """Another seed, another order."""
    _rounds: dict[int, Indices] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __call__(self, step: int) -> Indices:
        numbers = np.arange(self.examples) if isinstance(self.examples, int) else np.asarray(self.examples)
        count = len(numbers)
        if count == 0:
            return np.zeros(0, np.int64)
        places = np.arange(step * self.batch, (step + 1) * self.batch)
        chosen = [self._round(place // count, count)[place % count] for place in places.tolist()]
        return numbers[chosen].astype(np.int64)

    def _round(self, number: int, count: int) -> Indices:
        if number not in self._rounds:
            for old in [n for n in self._rounds if n < number - 1]:
                del self._rounds[old]
            self._rounds[number] = np.random.default_rng([self.seed, number]).permutation(count)
        return self._rounds[number]
