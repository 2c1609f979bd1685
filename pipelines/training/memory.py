"""Running out of memory in a step: smaller pieces and one sentence instead of a crash."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import TypeVar

from studio.devices import memory_problem

T = TypeVar("T")


def with_less_memory(
    attempt: Callable[[int], T], size: int, what: str, say: Callable[[str], None]
) -> tuple[T, int]:
    """Do a step in pieces of ``size`` examples, in halves of that while memory runs out.

    Args:
        attempt: does the whole step, accumulating over pieces of the size it is given; it may be called
            again from the start, so it must change nothing that lasts before it is through.
        size: examples in a piece to begin with.
        what: the work, as the start of a sentence.
        say: told once, when it worked with smaller pieces.

    Returns:
        What ``attempt`` returned, and the size that it worked with.

    Raises:
        Problem: memory runs out with single examples, too.
    """
    wanted = size
    while True:
        try:
            result = attempt(size)
            break
        except (MemoryError, RuntimeError) as error:
            problem = memory_problem(error, what)
            if problem is None:
                raise
            if size <= 1:
                raise problem from error
        # Outside the except block: the traceback has let go of the tensors of the failed attempt.
        size = -(-size // 2)
        _tidy()
    if size < wanted:
        pieces = "single examples" if size == 1 else f"pieces of {size} examples"
        say(f"Memory ran out, so each step is now done in {pieces} instead of {wanted}: slower, same result.")
    return result, size


def _tidy() -> None:
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()
