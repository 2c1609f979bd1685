"""What a video file or a photo is, before anything is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from studio.media.container import open_video
from studio.media.photo import still_gif
from studio.media.reader import open_film
from studio.media.timeline import read_timeline


@dataclass(frozen=True)
class ClipInfo:
    """A readable clip, as `read_frames` gives it."""

    width: int
    """Upright width in pixels, square pixels."""
    height: int
    """Upright height in pixels, square pixels."""
    rate: Fraction
    """Constant frames per second, exact."""
    frames: int
    """How many frames `read_frames` yields."""
    seconds: float
    """``frames / rate``."""
    start: Fraction
    """Time of the first frame on the file's own clock in seconds; its sound is on that clock too."""
    rotation: int
    """Clockwise degrees by which stored pictures are turned: 0, 90, 180 or 270."""
    mirrored: bool
    """Stored pictures are also flipped."""
    has_sound: bool
    """There is a sound track that can be decoded."""
    bit_depth: int
    """Bits per colour component in the file."""
    hdr: bool
    """HLG or PQ, tone-mapped to SDR when read."""
    variable_rate: bool
    """Frames are repeated or skipped to reach the constant rate."""
    truncated: bool
    """The file is cut short; what is there is read."""
    warnings: tuple[str, ...] = ()
    """One sentence for each thing the user should know."""
    photo: bool = False
    """It is a photo: one frame, and its rate means nothing."""


def probe(path: Path) -> ClipInfo:
    """Look at a video file, its whole index and its first picture, or at a photo.

    Raises:
        Problem: missing, a folder, unreadable, neither video nor photo, sound only, or without one decodable
        frame.
    """
    path = Path(path)
    timeline = read_timeline(path)
    if (problem := still_gif(path, len(timeline))) is not None:
        raise problem
    film = open_film(path, timeline)
    try:
        developer = film.developer
        bits = film.bit_depth
    finally:
        film.close()
    sound = not timeline.photo and _has_sound(path)
    warnings = []
    if timeline.truncated:
        warnings.append(f"“{path.name}” is cut short; the part that is there is used.")
    return ClipInfo(
        width=developer.width,
        height=developer.height,
        rate=timeline.rate,
        frames=len(timeline),
        seconds=float(len(timeline) / timeline.rate),
        start=timeline.start,
        rotation=developer.orientation.rotation,
        mirrored=developer.orientation.mirrored,
        has_sound=sound,
        bit_depth=bits,
        hdr=developer.colour is not None and developer.colour.hdr,
        variable_rate=not np.array_equal(timeline.shown, np.arange(len(timeline.stamps))),
        truncated=timeline.truncated,
        warnings=tuple(warnings),
        photo=timeline.photo,
    )


def _has_sound(path: Path) -> bool:
    container, _ = open_video(path)
    with container:
        return any(stream.codec_context is not None for stream in container.streams.audio)
