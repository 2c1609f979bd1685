"""Avatar and control track to MP4, through the same renderer that a viewport uses."""

from __future__ import annotations

import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from studio.domain.camera import View
from studio.domain.controls import ControlTrack
from studio.domain.problem import Problem
from studio.domain.progress import Progress, silent
from studio.domain.rendering import RenderRequest
from studio.engines.engine import Engine
from studio.media import VideoWriter
from studio.media.codecs import Quality

SIZES = (16, 4096)
"""Smallest and largest side of a picture: what H.264 decoders take everywhere."""


@dataclass(frozen=True)
class ExportSettings:
    """How a video is written."""

    size: int = 512
    """Side of the picture in pixels."""
    quality: Quality = "good"
    """Size of the file against fidelity."""
    sound: bool = True
    """Lay the driving clip's sound under the picture, where it has any."""


@dataclass(frozen=True)
class Exported:
    """What was written."""

    frames: int
    """Pictures in the file."""
    rate: Fraction
    """Frames per second, exact."""
    seconds: float
    """Time that rendering and writing took."""
    warnings: tuple[str, ...]
    """One sentence for each thing the user should know about the file."""


def stage_view(stage: View, size: int) -> View:
    """The avatar's stage at another size, pixels square."""
    return View(stage.placement.scaled(size / stage.width), size, size)


def export_video(
    engine: Engine,
    track: ControlTrack,
    stage: View,
    out: Path,
    settings: ExportSettings,
    sound_from: Path | None = None,
    progress: Progress = silent,
) -> Exported:
    """Render every state of a track and write the video; memory does not grow with its length.

    Args:
        engine: the loaded avatar.
        track: what it does.
        stage: the avatar's stage.
        out: file to write; it appears whole or not at all.
        settings: see :class:`ExportSettings`.
        sound_from: the driving clip.
        progress: told after every frame.

    Raises:
        Problem: the file cannot be written there, or the size makes no picture.
    """
    if not SIZES[0] <= settings.size <= SIZES[1]:
        raise Problem(
            f"A video of {settings.size} pixels cannot be made: choose from {SIZES[0]} to {SIZES[1]}."
        )
    began = time.perf_counter()
    view = stage_view(stage, settings.size)
    sound = sound_from if settings.sound else None
    with VideoWriter(
        out, view.width, view.height, track.rate, sound_from=sound, quality=settings.quality
    ) as writer:
        for frame in range(len(track)):
            writer.write(engine.render(RenderRequest(track.state(frame), view)).image)
            progress(frame + 1, len(track), "Rendering")
    return Exported(writer.frames, track.rate, time.perf_counter() - began, tuple(writer.warnings))
