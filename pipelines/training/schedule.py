"""The learning rate along the way."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Descent = Literal["constant", "linear", "cosine"]


@dataclass(frozen=True)
class Schedule:
    """A factor for the learning rate as a function of the share of the budget that is used up.

    A share and not a step, because a time budget may end before the steps do.
    """

    descent: Descent = "cosine"
    """How it falls after `hold`: not at all, on a line, or along half a cosine."""
    warmup: float = 0.02
    """Share of the budget during which it rises linearly from nothing."""
    hold: float = 0.0
    """Share of the budget until which it stays at its height, warm-up included."""
    final: float = 0.05
    """Factor at the very end."""

    def factor(self, share: float) -> float:
        """The factor, 0..1, when ``share`` (0..1) of the budget is used up."""
        share = min(max(share, 0.0), 1.0)
        if share < self.warmup:
            return share / self.warmup
        begin = max(self.warmup, self.hold)
        if self.descent == "constant" or share <= begin:
            return 1.0
        way = (share - begin) / (1.0 - begin)
        fallen = way if self.descent == "linear" else 0.5 - 0.5 * math.cos(math.pi * way)
        return 1.0 + (self.final - 1.0) * fallen
