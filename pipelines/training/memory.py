"""Running out of memory in a step: smaller pieces and one sentence instead of a crash."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from pipelines.training.elsewhere import StoppedElsewhere
from studio.devices import memory_problem

if TYPE_CHECKING:
    import torch

T = TypeVar("T")


def with_less_memory(
    attempt: Callable[[int], T],
    size: int,
    what: str,
    say: Callable[[str], None],
    anywhere: Callable[[bool], bool] = bool,
) -> tuple[T, int]:
    """Do a step in pieces of ``size`` examples, in halves of that while memory runs out.

    Args:
        attempt: does the whole step, accumulating over pieces of the size it is given; it may be called
            again from the start, so it must change nothing that lasts before it is through.
        size: examples in a piece to begin with.
        what: the work, as the start of a sentence.
        say: told once, when it worked with smaller pieces.
        anywhere: whether memory ran out in any of several processes, given whether it did in this one; all of
            them halve together.

    Returns:
        What ``attempt`` returned, and the size that it worked with.

    Raises:
        Problem: memory runs out with single examples, too.
    """
    wanted = size
    while True:
        problem = None
        try:
            result = attempt(size)
        except (MemoryError, RuntimeError) as error:
            problem = memory_problem(error, what)
            if problem is None:
                raise
        # Outside the except block: the traceback has let go of the tensors of the failed attempt.
        if not anywhere(problem is not None):
            break
        if size <= 1:
            raise problem or StoppedElsewhere
        size = -(-size // 2)
        _tidy()
    if size < wanted:
        pieces = "single examples" if size == 1 else f"pieces of {size} examples"
        say(f"Memory ran out, so each step is now done in {pieces} instead of {wanted}: slower, same result.")
    return result, size


@contextmanager
def memory_limited(device: torch.device, gigabytes: float) -> Iterator[None]:
    """Let a graphics card's allocator say no at the wanted size (0: when the card is full), so that a
    training takes smaller pieces. On other devices this is nothing."""
    import torch

    wanted = gigabytes * 1e9
    if device.type != "cuda" or wanted <= 0:
        yield
        return
    total = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, wanted / total), device)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)


def _tidy() -> None:
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()
