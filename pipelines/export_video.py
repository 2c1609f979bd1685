"""Avatar and control track to a video, through the same renderer that a viewport uses."""

from __future__ import annotations

import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from pipelines.export_settings import SIZES, ExportSettings, check_settings, sound_of
from pipelines.motion_cut import cut_motion
from studio.domain.camera import View
from studio.domain.controls import ControlState, ControlTrack
from studio.domain.problem import Problem
from studio.domain.progress import Progress, silent
from studio.domain.rendering import Frame, RenderRequest
from studio.engines.engine import Engine
from studio.media import open_output
from studio.media.coverage import Picture, premultiplied, straight
from studio.media.provenance import provenance
from studio.media.watermark import Watermark

__all__ = [
    "SIZES",
    "ExportSettings",
    "Exported",
    "Finish",
    "export_request",
    "export_video",
    "stage_view",
]


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


def export_request(state: ControlState, stage: View, size: int) -> RenderRequest:
    """What a viewport and an export both ask an engine for: what was seen is what is written."""
    return RenderRequest(state, stage_view(stage, size), "full")


class Finish:
    """From a rendered frame to the picture that is written."""

    def __init__(self, settings: ExportSettings) -> None:
        """Without coverage and mark, the picture is the frame's own."""
        self._alpha = settings.alpha
        self._mark = Watermark(settings.size, settings.size) if settings.watermark else None

    def __call__(self, frame: Frame) -> Picture:
        """``[H, W, 3]`` RGB or, with coverage, ``[H, W, 4]`` RGBA.

        Raises:
            Problem: coverage is wanted, and the engine does not know it.
        """
        picture = frame.image
        if self._alpha != "none":
            if frame.alpha is None:
                raise Problem(
                    "The camera of this avatar's clip moved, so the person cannot be told from the "
                    "background: export with the background."
                )
            picture = straight(picture, frame.alpha)
        if self._mark is not None:
            picture = self._mark.over(picture)
        return premultiplied(picture) if self._alpha == "premultiplied" else picture


def export_video(
    engine: Engine,
    track: ControlTrack,
    stage: View,
    out: Path,
    settings: ExportSettings,
    sound_from: Path | None = None,
    progress: Progress = silent,
    mark: str = "",
) -> Exported:
    """Render the states of a track and write the video; memory does not grow with its length.

    Args:
        engine: the loaded avatar.
        track: what it does.
        stage: the avatar's stage.
        out: file, or folder of pictures, to write; it appears whole or not at all.
        settings: see :class:`ExportSettings`.
        sound_from: the driving clip.
        progress: told after every frame.
        mark: tells this export from others in the file's comment, see `studio.media.provenance`.

    Raises:
        Problem: the file cannot be written there, or the settings make no sense for this avatar and track.
    """
    check_settings(settings)
    cut = cut_motion(track, settings.range, settings.rate)
    began = time.perf_counter()
    finish, states = Finish(settings), cut.track
    sound, sound_start = sound_of(settings, sound_from, cut.start)
    with open_output(
        out,
        settings.size,
        settings.size,
        states.rate,
        settings.codec,
        settings.quality,
        sound_from=sound,
        sound_start=sound_start,
        alpha=settings.alpha != "none",
        comment=provenance(mark),
    ) as output:
        view = stage_view(stage, settings.size)
        for number in range(len(states)):
            output.write(finish(engine.render(RenderRequest(states.state(number), view))))
            progress(number + 1, len(states), "Rendering")
    return Exported(output.frames, states.rate, time.perf_counter() - began, tuple(output.warnings))
