"""What can be chosen about a NOFA avatar, and how it is fitted to its picture. No torch: the command line
reads it for its help."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from annotated_types import Ge, Gt, Interval

from pipelines.one_picture_settings import OnePictureSettings
from pipelines.training.schedule import Schedule
from pipelines.training.settings import LoopSettings
from studio.engines.nofa.own_weights import Optimised

LOOP = LoopSettings(
    steps=20_000,
    minutes=1.0,
    batch=4,
    schedule=Schedule("cosine", warmup=0.05, final=0.05),
    clip_norm=1.0,
    validate_seconds=15.0,
    preview_seconds=10.0,
    log_steps=10,
)
"""Ends by the clock."""


@dataclass(frozen=True)
class FineTuneSettings:
    """How a network is fine-tuned for one picture."""

    optimise: Optimised = "compensation"
    """What is optimised: the compensation network, which adds to the volume what the base model forgot of the
    picture (paper), or the generator that draws the volume (slower, larger, for comparing)."""
    learning_rate: Annotated[float, Gt(0)] = 1e-3
    """Adam's, at its height."""
    looks_weight: Annotated[float, Ge(0)] = 0.8
    """Weight of how different pictures look."""
    held: Annotated[float, Ge(0)] = 3.0
    """Weight of moments that the picture does not show, heads turned and faces with other expressions: they
    stay as the base model draws them, but for what the picture corrects. 0 leaves them out."""
    moments: Annotated[int, Ge(1)] = 48
    """How many of them there are."""
    flip: bool = True
    """Whether half of the examples are seen in a mirror."""
    jitter: Annotated[float, Interval(ge=0, lt=1)] = 0.05
    """Largest change of brightness, contrast and saturation."""
    zoom: Annotated[float, Interval(ge=0, lt=1)] = 0.1
    """Largest share by which an example is enlarged and shifted."""
    loop: LoopSettings = LOOP
    """Minutes, batch and memory."""


@dataclass(frozen=True)
class NofaAvatarSettings(OnePictureSettings):
    """How a picture becomes a NOFA avatar."""

    fine_tune: bool = True
    """Whether the network is fine-tuned for this picture. Off: the base model draws it as it is, in
    seconds."""
    tune: FineTuneSettings = field(default_factory=FineTuneSettings)
    """How it is."""
