"""How a video is written: settings, and what is wrong with them said before any work."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from pipelines.motion_cut import MOST, parse_range, parse_rate
from studio.domain.problem import Problem
from studio.media.codecs import CODECS, Alpha, Codec, CodecId, Quality

SIZES = (16, 4096)
"""Smallest and largest side of a picture: what decoders take everywhere."""


@dataclass(frozen=True)
class ExportSettings:
    """How a video is written."""

    codec: CodecId = "h264"
    """h264 plays everywhere (.mp4); hevc makes smaller files (.mp4); prores is for editing programs (.mov);
    vp9 is for web pages (.webm); png writes a folder with every frame exactly as rendered."""
    size: int = 512
    """Side of the picture in pixels."""
    quality: Quality = "good"
    """Size of the file against fidelity."""
    range: str = "all"
    """Part of the motion to write, FIRST:LAST. Frames count from 0 and both are shown (25:99); seconds end
    with an s (1.5s:4s). Either side may be left out (2s:)."""
    rate: str = "own"
    """Frames a second, such as 25 or 30000/1001. The motion keeps its time whatever the rate; own is the
    motion's own rate."""
    sound: bool = True
    """Lay the driving clip's sound, or that of the sound file, under the picture."""
    sound_file: Path | None = None
    """A sound or video file whose sound is used instead of the driving clip's."""
    sound_offset: float = 0.0
    """Seconds by which the sound comes later than the motion; less than 0 for earlier."""
    alpha: Alpha = "none"
    """straight writes the person alone, without background, where the codec can (prores, vp9, png);
    premultiplied does so with colours multiplied by coverage (prores); none keeps the background."""
    watermark: bool = False
    """Draw a small "made with an avatar" into the lower right corner. The file's metadata says so in any
    case."""


def check_settings(settings: ExportSettings) -> Codec:
    """The codec of settings that make sense by themselves.

    Raises:
        Problem: a setting is out of its range or does not suit the codec.
    """
    codec = CODECS.get(settings.codec)
    if codec is None:
        raise Problem(f"There is no codec {settings.codec!r}: choose from {', '.join(CODECS)}.")
    if not SIZES[0] <= settings.size <= SIZES[1]:
        raise Problem(
            f"A video of {settings.size} pixels cannot be made: choose from {SIZES[0]} to {SIZES[1]}."
        )
    if codec.even and settings.size % 2:
        raise Problem(
            f"A video of {settings.size} pixels cannot be made, because {codec.title} needs even sides: "
            f"choose {settings.size - 1} or {settings.size + 1}."
        )
    if settings.alpha not in codec.alphas:
        able = [each.id for each in CODECS.values() if settings.alpha in each.alphas]
        what = "premultiplied colours" if settings.alpha == "premultiplied" else "a person without background"
        raise Problem(f"{codec.title} cannot hold {what}: choose {' or '.join(able)}.")
    parse_range(settings.range)
    parse_rate(settings.rate)
    if not abs(settings.sound_offset) <= MOST:
        raise Problem(f"The sound cannot be moved by {settings.sound_offset:g} seconds: choose less.")
    if settings.sound and settings.sound_file is not None:
        from studio.media.sound import find_sound

        if find_sound(settings.sound_file) is None:
            raise Problem(f"“{settings.sound_file.name}” has no sound: choose another file.")
    return codec


def sound_of(
    settings: ExportSettings, driver: Path | None, cut_start: Fraction
) -> tuple[Path | None, Fraction]:
    """The file whose sound is used, and where in it the first picture lies, in seconds.

    Args:
        settings: the settings.
        driver: the driving clip.
        cut_start: when, in the motion, the first picture is shown.
    """
    chosen = settings.sound_file or driver
    return (chosen if settings.sound else None), cut_start - Fraction(settings.sound_offset)
