"""Settings of Tri²-plane's training. They import no torch: the command line reads them for its help."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Interval

from pipelines.training.schedule import Schedule
from pipelines.training.settings import LoopSettings
from studio.domain.problem import Problem
from studio.engines.tri2plane.shape import Tri2Shape

LOOP = LoopSettings(
    steps=60_000,
    minutes=20.0,
    batch=2,
    schedule=Schedule("cosine", warmup=0.02, final=0.02),
    clip_norm=1.0,
    average_decay=0.995,
    validate_seconds=60.0,
    validate_start=False,
)
"""Ends by the clock, so that a slow machine gets a coarser volume and not a longer wait."""


@dataclass(frozen=True)
class Tri2PlaneSettings:
    """How a Tri²-plane avatar is trained."""

    shape: Tri2Shape = field(default_factory=Tri2Shape)
    """How large the network is."""
    learning_rate: Annotated[float, Gt(0)] = 2e-3
    """Adam's, at its height, for the networks."""
    standing_rate: Annotated[float, Gt(0)] = 2e-2
    """The same for the tri-planes' standing parts: each of their numbers is seen by few rays only."""
    window_share: Annotated[float, Interval(ge=0, le=1)] = 112 / 512
    """How far the window that is learnt from slides over the wider picture, its camera with it, as a share of
    its side (section 3.3); 0: it is always the middle."""
    window_follows: Literal["crop", "head"] = "crop"
    """What the camera of a window is: crop, the one that sees exactly what was cut out; head, the paper's, in
    which the head moves instead. For parallel rays, as tracked, they are one."""
    coarse_weight: Annotated[float, Ge(0)] = 1.0
    """Weight of the pass that sees the whole window."""
    middle_weight: Annotated[float, Ge(0)] = 1.0
    """Weight of the passes that see a quarter, a sixteenth…"""
    mask_weight: Annotated[float, Ge(0)] = 0.1
    """Weight of the squared difference of coverage and person mask."""
    picture_weight: Annotated[float, Ge(0)] = 1.0
    """Weight of the upsampled picture's absolute and squared difference."""
    perceptual_weight: Annotated[float, Ge(0)] = 0.1
    """Weight of LPIPS on the upsampled picture, where its trunk is present."""
    edges: Annotated[float, Ge(0)] = 0.3
    """Weight of gradient differences of the upsampled picture at three scales."""
    movement: Annotated[float, Ge(0)] = 1e-3
    """Weight of the size of what tri-planes have beyond their standing parts."""
    code_weight: Annotated[float, Ge(0)] = 1e-3
    """Weight of the size of the frames' latent codes."""
    code_dropped: Annotated[float, Interval(ge=0, le=1)] = 0.5
    """Share of examples that are shown with the mean code, as every new moment is."""
    upsampler_from: Annotated[float, Interval(ge=0, lt=1)] = 0.4
    """Share of the budget after which the upsampler is trained too."""
    upsampler_tiles: Annotated[int, Ge(1)] = 4
    """Tiles, along each side, of the part of the window that the upsampler is trained on."""
    validation_frames: Annotated[int, Ge(1)] = 8
    """Validation frames looked at each time."""
    loop: LoopSettings = LOOP
    """Minutes, batch, average and memory."""


def agree(settings: Mapping[str, Any]) -> None:
    """Look whether the network's pictures are as large as those that it learns from.

    Args:
        settings: stage id to settings, of a whole build.

    Raises:
        Problem: they are not.
    """
    shape: Tri2Shape = settings["tri2plane"].shape
    rays, pictures = shape.resolution * shape.upscale, settings["volume_material"].resolution
    if rays == pictures:
        return
    raise Problem(
        f"The volume would be {rays} pixels wide, but what it learns from is {pictures} pixels wide: choose "
        f"tri2plane.shape.plane and volume_material.resolution so that both are the same."
    )
