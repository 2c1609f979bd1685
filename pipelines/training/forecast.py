"""What a training will take, from its first moments."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


class Pace:
    """Steps a second over the last half minute."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, window: float = 30.0) -> None:
        self._clock, self._window = clock, window
        self._seen: deque[tuple[float, int]] = deque()

    def note(self, step: int) -> None:
        """``step`` steps are done now."""
        now = self._clock()
        if not self._seen or now - self._seen[-1][0] >= 0.1:
            self._seen.append((now, step))
        while len(self._seen) > 2 and now - self._seen[1][0] >= self._window:
            self._seen.popleft()

    @property
    def per_second(self) -> float | None:
        """Steps a second, None while unknown."""
        if len(self._seen) < 2:
            return None
        (since, before), (now, step) = self._seen[0], self._seen[-1]
        return (step - before) / (now - since) if step > before and now > since else None


@dataclass(frozen=True)
class Forecast:
    """What is to come."""

    minutes: float
    """Minutes left."""
    steps: int
    """Steps that will be done in the end."""
    per_second: float
    """Steps a second."""
    memory_gigabytes: float
    """Most memory held so far, on the graphics card if there is one."""

    @property
    def sentence(self) -> str:
        """For a person."""
        minutes = "less than a minute" if self.minutes < 1.0 else f"about {round(self.minutes)} min"
        return (
            f"{self.steps} steps at {speed(self.per_second)}: {minutes}, "
            f"{self.memory_gigabytes:.1f} GB of memory."
        )


def forecast(
    step: int, steps: int, seconds_left: float | None, per_second: float, memory_bytes: int
) -> Forecast:
    """Minutes and memory from a short calibration.

    Args:
        step: steps done.
        steps: steps at most.
        seconds_left: what is left of the time budget; None without one.
        per_second: measured steps a second.
        memory_bytes: most memory held so far; the first steps already hold what all others do.
    """
    seconds = (steps - step) / per_second
    if seconds_left is not None:
        seconds = min(seconds, max(seconds_left, 0.0))
    total = min(steps, step + round(seconds * per_second))
    return Forecast(seconds / 60.0, total, per_second, memory_bytes / 1e9)


def speed(per_second: float) -> str:
    """Steps a second in words, seconds a step when it is slow."""
    return f"{per_second:.3g} steps/s" if per_second >= 1.0 else f"{1.0 / per_second:.3g} s a step"


def memory_held(device: torch.device) -> int:
    """Most bytes held so far by this process on ``device`` (on the processor: held now)."""
    import psutil
    import torch

    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    if device.type == "mps":
        return torch.mps.driver_allocated_memory()
    return int(psutil.Process().memory_info().rss)
