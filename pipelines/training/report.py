"""How a training went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Curve = tuple[tuple[int, dict[str, float]], ...]
"""Points of a curve: steps done, figures by name."""


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
    """Examples held in memory at once in the end, by each process."""


def curve(points: Sequence[Any]) -> Curve:
    """Points as a checkpoint holds them, as a curve."""
    return tuple((int(step), dict(figures)) for step, figures in points)
