"""Settings of a training that takes seconds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pipelines.frame_settings import FrameSettings
from pipelines.semantic_training_settings import SemanticTrainingSettings
from pipelines.training.schedule import Schedule
from pipelines.training.settings import LoopSettings
from studio.engines.semantic.settings import semantic_settings

NETWORK = replace(
    semantic_settings("tiny", 64),
    volume_side=16,
    motion_side=8,
    first_channels=8,
    most_channels=16,
    volume_channels=8,
    volume_depth=2,
    volume_blocks=1,
    hourglass_first=8,
    hourglass_most=16,
    hourglass_levels=2,
    label_channels=16,
    decoder_channels=16,
    decoder_blocks=1,
    decoder_last=8,
    spade_hidden=8,
    critic_first=8,
    critic_most=16,
    critic_layers=2,
    critic_scales=1,
)
"""A network of a few thousand numbers."""


def little(steps: int = 30, **changes: Any) -> SemanticTrainingSettings:
    """A training of so many steps."""
    loop = LoopSettings(
        steps=steps,
        batch=4,
        schedule=Schedule("constant", warmup=0.0),
        validate_start=True,
        validate_steps=steps,
        checkpoint_seconds=0.0,
        preview_seconds=1e9,
        log_steps=5,
    )
    settings = SemanticTrainingSettings(
        network=NETWORK,
        learning_rate=3e-3,
        critic_from=1.0,
        validation_identities=2,
        validation_pairs=8,
        frames=FrameSettings(workers=0),
        loop=loop,
    )
    return replace(settings, **changes)
