"""How long, how large and how often: settings of the training loop."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pipelines.training.schedule import Schedule
from studio.devices import DeviceChoice

Precision = Literal["auto", "float32", "bfloat16"]


@dataclass(frozen=True)
class LoopSettings:
    """Settings of one training; a stage fills them from its own."""

    steps: int = 1000
    """Optimiser steps at most."""
    minutes: float = 0.0
    """Minutes at most, those before an interruption included; 0: no limit."""
    batch: int = 4
    """Examples that one optimiser step learns from, those of all processes together."""
    micro_batch: int = 0
    """Examples in memory at once, the gradients being accumulated; 0: all. Halved when memory runs out. With
    several processes it is that of each."""
    schedule: Schedule = field(default_factory=Schedule)
    """The learning rate along the way."""
    clip_norm: float = 0.0
    """Longest gradient of an optimiser's parameters that is not shortened; 0: none is."""
    precision: Precision = "auto"
    """Arithmetic of the networks; auto: bfloat16 where a CUDA card does it natively, float32 elsewhere."""
    recompute: bool = field(default=False, metadata={"invalidates": False})
    """Calculate what lies between layers once more on the way back instead of keeping it: less memory, about
    a third more time, same result. For networks that can (gradient checkpointing)."""
    memory_gigabytes: float = 0.0
    """Memory of the graphics card it may take; 0: all that is free."""
    average_decay: float = 0.0
    """How much of the average of the weights stays at each step; 0: no average. The average is what is
    validated, previewed and kept."""
    validate_steps: int = 0
    """Steps between validations; 0: by time alone."""
    validate_seconds: float = 0.0
    """Seconds between validations; 0: by steps alone."""
    validate_start: bool = True
    """Validate before the first step, so that what is kept is never worse than what there was."""
    patience: int = 0
    """Validations without a better one after which it stops early; 0: never."""
    least_gain: float = 0.0
    """Share by which a validation must be lower than the best to count as better."""
    checkpoint_seconds: float = 20.0
    """Seconds between checkpoints; 0: by steps alone. Longer when writing takes long."""
    checkpoint_steps: int = 0
    """Steps between checkpoints; 0: by time alone."""
    preview_seconds: float = 30.0
    """Seconds between preview pictures."""
    log_steps: int = 20
    """Steps whose mean losses make one point of the curve."""
    seed: int = 0
    """Seed of the order and of everything random in the steps."""
    tensorboard: str = field(default="", metadata={"invalidates": False})
    """Folder for TensorBoard: all figures and previews go there as well. Empty: nothing is written."""


@dataclass(frozen=True)
class MachineSettings:
    """What a training runs on. Under torchrun and SLURM these say how many processes there are."""

    device: DeviceChoice = "auto"
    """Kind of device; auto: the fastest there is."""
    processes: int = 0
    """Processes on this machine, each with a graphics card of its own; 0: as many as there are cards, and one
    without any. Under torchrun and srun: leave it."""
