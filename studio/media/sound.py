"""The sound of a clip, and how it is laid under a new picture."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from studio.media.container import open_video
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
    """Already AAC and beginning with the picture: its packets can be taken as they are."""

    def input_arguments(self) -> list[str]:
        """Options that open the file as ffmpeg's second input."""
        # -copyts: the file's own clock, on which `start` was measured.
        return [*([] if self.copy else ["-copyts"]), "-i", f"file:{self.path}"]

    def output_arguments(self, seconds: Fraction, kbit: int) -> list[str]:
        """Options that lay the sound under ``seconds`` of picture."""
        chosen = ["-map", f"1:{self.stream}"]
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
        return [*chosen, "-af", ",".join(filters), "-c:a", "aac", "-b:a", f"{kbit}k"]


def find_sound(path: Path, start: Fraction = Fraction(0)) -> Sound | None:
    """The clip's sound from ``start`` seconds after its first frame; None for a silent clip.

    Raises:
        Problem: the file is no video, see `open_video`.
    """
    begins = read_timeline(path).start + start
    container, _ = open_video(path)
    with container:
        # Phones may put a second track with spatial sound beside the plain one.
        tracks = [track for track in container.streams.audio if track.codec_context is not None]
        if not tracks:
            return None
        track = next((track for track in tracks if track.codec_context.name == "aac"), tracks[0])
        first = (track.start_time or 0) * (track.time_base or Fraction(0))
        copy = (
            track.codec_context.name == "aac"
            and "mp4" in container.format.name
            and abs(first - begins) < SAME_START
        )
        return Sound(path, track.index, begins, copy)
