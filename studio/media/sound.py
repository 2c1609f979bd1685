"""The sound of a clip or of a sound file, and how it is laid under a new picture."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from studio.media.container import open_sound
from studio.media.timeline import read_timeline

SAME_START = Fraction(1, 1000)
"""Sound and picture that start closer than this, in seconds, start together."""


@dataclass(frozen=True)
class Sound:
    """A sound track and where in it the picture begins. Times in seconds on the file's own clock."""

    path: Path
    """File it is in."""
    stream: int
    """Index of the stream in the file."""
    start: Fraction
    """When the picture's first frame is shown."""
    copy: bool
    """Already in a wanted format and beginning with the picture: its packets can be taken as they are."""

    def input_arguments(self) -> list[str]:
        """Options that open the file as an input of ffmpeg."""
        # -copyts: the file's own clock, on which `start` was measured.
        return [*([] if self.copy else ["-copyts"]), "-i", f"file:{self.path}"]

    def output_arguments(self, seconds: Fraction, encoder: Sequence[str], input_number: int = 1) -> list[str]:
        """Options that lay the sound under ``seconds`` of picture.

        Args:
            seconds: length of the picture.
            encoder: options that choose the sound's format.
            input_number: which of ffmpeg's inputs the file is.
        """
        chosen = ["-map", f"{input_number}:{self.stream}"]
        if self.copy:
            return [*chosen, "-c:a", "copy", "-t", f"{float(seconds):.6f}"]
        start, end = float(self.start), float(self.start + seconds)
        filters = [
            f"atrim=start={start:.6f}:end={end:.6f}",
            f"asetpts=PTS-({start:.6f})/TB",
            # Silence where the sound starts later than the picture or has holes.
            "aresample=async=1:first_pts=0",
            "aformat=channel_layouts=mono|stereo",
        ]
        return [*chosen, "-af", ",".join(filters), *encoder]


def find_sound(path: Path, start: Fraction = Fraction(0), taken: Collection[str] = ("aac",)) -> Sound | None:
    """The sound of a clip or sound file; None for a silent clip.

    Args:
        path: the file.
        start: where the picture begins, in seconds after the clip's first frame, or after the first sound of
            a file without pictures; less than 0 where the sound comes later.
        taken: formats whose packets can be taken over as they are.

    Raises:
        Problem: the file is neither video nor sound, see `open_sound`.
    """
    container, has_film = open_sound(path)
    with container:
        # Phones may put a second track with spatial sound beside the plain one.
        tracks = [track for track in container.streams.audio if track.codec_context is not None]
        if not tracks:
            return None
        track = next((track for track in tracks if track.codec_context.name == "aac"), tracks[0])
        first = (track.start_time or 0) * (track.time_base or Fraction(0))
        begins = (read_timeline(path).start if has_film else first) + start
        copy = (
            track.codec_context.name in taken
            and "mp4" in container.format.name
            and abs(first - begins) < SAME_START
        )
        return Sound(path, track.index, begins, copy)
