"""The processes of one training and what they must agree on, on top of Fabric and torch.distributed.

Every process runs the same loop. Whatever one of them alone can know (that somebody asked to stop, what the
clock says, that the disk is full, that memory ran out) is made known to all before anybody acts on it: a
process that went its own way would leave the others waiting for it. With one process all of this is nothing.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import torch
import torch.distributed as distributed

from pipelines.job import Cancelled
from pipelines.training.elsewhere import StoppedElsewhere
from studio.domain.problem import Problem
from studio.domain.progress import Interrupted

if TYPE_CHECKING:
    from lightning_fabric import Fabric

T = TypeVar("T")
_WELL, _INTERRUPTED, _CANCELLED, _PROBLEM = 0, 1, 2, 3
_LOST = re.compile(
    r"closed by peer|reset by peer|connection (was )?(closed|refused|reset)|broken pipe|timed? ?out",
    re.IGNORECASE,
)
"""How gloo's and NCCL's errors say that another process has gone."""


class Ranks:
    """This process among those that train together."""

    def __init__(self, fabric: Fabric, clock: Callable[[], float] = time.monotonic) -> None:
        """
        Args:
            fabric: launched; all its processes make their Ranks at the same place.
            clock: seconds that only grow; the first process's counts for all.
        """
        self.world, self.rank, self.first = fabric.world_size, fabric.global_rank, fabric.is_global_zero
        self._clock, self._now = clock, 0.0
        self._group: Any = None
        if self.world > 1 and distributed.get_backend() != "gloo":
            # Words between processors: they neither wait for the cards nor make them wait.
            self._group = distributed.new_group(backend="gloo")
        self._agreed(_WELL)

    @property
    def now(self) -> float:
        """Seconds; with several processes what the first one's clock said when they last agreed."""
        return self._clock() if self.world == 1 else self._now

    def all_do(self, action: Callable[[], T]) -> T:
        """Every process does something; when one is interrupted, all are.

        Raises:
            Interrupted: also Cancelled, in all processes alike.
        """
        if self.world == 1:
            return action()
        outcome = _WELL
        try:
            result = action()
        except Cancelled:
            outcome = _CANCELLED
        except Interrupted:
            outcome = _INTERRUPTED
        self._obey(self._agreed(outcome))
        return result

    def first_does(self, action: Callable[[], None]) -> None:
        """The first process does something while the others wait; what goes wrong there ends all.

        Raises:
            Problem: the first process's; StoppedElsewhere in the others.
            Interrupted: also Cancelled, in all processes alike.
        """
        if self.world == 1:
            action()
            return
        outcome, problem = _WELL, None
        if self.first:
            try:
                action()
            except Cancelled:
                outcome = _CANCELLED
            except Interrupted:
                outcome = _INTERRUPTED
            except Problem as raised:
                outcome, problem = _PROBLEM, raised
        outcome = self._agreed(outcome)
        if problem is not None:
            raise problem
        if outcome == _PROBLEM:
            raise StoppedElsewhere
        self._obey(outcome)

    def any(self, yes: bool) -> bool:
        """Whether any process says yes."""
        return bool(self._agreed(int(yes))) if self.world > 1 else yes

    def same(self, number: int) -> bool:
        """Whether all processes have the same number."""
        if self.world == 1:
            return True
        told = torch.tensor([number, -number], dtype=torch.int64)
        distributed.all_reduce(told, distributed.ReduceOp.MAX, self._group)
        return int(told[0]) == -int(told[1])

    def sum(self, figures: Mapping[str, float]) -> dict[str, float]:
        """Figures added up over the processes, which all have figures of the same names."""
        if self.world == 1:
            return dict(figures)
        names = sorted(figures)
        told = torch.tensor([figures[name] for name in names], dtype=torch.float64)
        distributed.all_reduce(told, distributed.ReduceOp.SUM, self._group)
        return dict(zip(names, told.tolist(), strict=True))

    def mean(self, figures: Mapping[str, float]) -> dict[str, float]:
        """Figures averaged over the processes."""
        return {name: value / self.world for name, value in self.sum(figures).items()}

    def _agreed(self, outcome: int) -> int:
        """The gravest outcome of all; takes the first process's clock along."""
        if self.world == 1:
            return outcome
        clock = self._clock() if self.first else -math.inf
        told = torch.tensor([float(outcome), clock], dtype=torch.float64)
        distributed.all_reduce(told, distributed.ReduceOp.MAX, self._group)
        self._now = float(told[1])
        return int(told[0])

    @staticmethod
    def _obey(outcome: int) -> None:
        if outcome == _CANCELLED:
            raise Cancelled
        if outcome == _INTERRUPTED:
            raise Interrupted


@contextmanager
def missing_others(world: int, title: str) -> Iterator[None]:
    """Turn what the libraries say when another process has died into one sentence.

    Args:
        world: processes in all.
        title: the work, as the start of a sentence.

    Raises:
        Problem: another process has gone.
    """
    try:
        yield
    except RuntimeError as error:
        if world == 1 or not (isinstance(error, distributed.DistError) or _LOST.search(str(error))):
            raise
        raise Problem(
            f"{title} ended because another of its {world} processes did: see what that one said. The same "
            "command continues from the last checkpoint."
        ) from error
