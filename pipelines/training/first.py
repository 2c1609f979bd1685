"""Which of several processes this is, before anything heavy is imported."""

from __future__ import annotations

import os

_NUMBERS = ("RANK", "SLURM_PROCID", "LOCAL_RANK")
"""Variables that torchrun, srun and Fabric set, in this order of weight."""


def is_first() -> bool:
    """Whether this process is alone or the first of those that train together, the one that people hear."""
    return next((os.environ[name] for name in _NUMBERS if name in os.environ), "0") == "0"
