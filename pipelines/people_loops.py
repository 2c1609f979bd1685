"""How long trainings on people last, and what they do on the way, whatever they train."""

from __future__ import annotations

from pipelines.training.schedule import Schedule
from pipelines.training.settings import LoopSettings

BY_THE_CLOCK = LoopSettings(
    steps=1_000_000,
    minutes=40.0,
    batch=8,
    schedule=Schedule("cosine", warmup=0.02, hold=0.3, final=0.01),
    clip_norm=1.0,
    average_decay=0.998,
    validate_seconds=150.0,
    validate_start=False,
    checkpoint_seconds=60.0,
    preview_seconds=60.0,
    log_steps=50,
)
"""For processors. A slow machine gets a coarser network and not a longer wait."""
BY_STEPS = LoopSettings(
    steps=300_000,
    batch=32,
    schedule=Schedule("constant", warmup=0.005),
    average_decay=0.999,
    validate_steps=5_000,
    checkpoint_seconds=300.0,
    preview_seconds=300.0,
    log_steps=100,
)
"""For graphics cards."""
