"""The clip's timeline: every timestamp, read from the container without decoding.

Both `probe` and the readers take frame numbers from here, so a frame index means the same frame
everywhere, however it is reached.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from studio.domain.problem import Problem
from studio.media.container import open_video
from studio.media.photo import RATE as PHOTO_RATE
from studio.media.photo import photo_kind
from studio.media.rates import choose_rate, shown_frames

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream


MOST_REPEATS = 100
"""A clip that needs more output frames for each stored one, on average, has broken times, not pauses."""


@dataclass(frozen=True, eq=False)
class Timeline:
    """S stored frames of a clip and the T frames of constant rate made from them."""

    stamps: npt.NDArray[np.int64]
    """``[S]`` presentation times of the stored frames, ascending, in units of ``time_base``."""
    keyframes: npt.NDArray[np.int64]
    """``[K]`` presentation times from which decoding can start, ascending."""
    time_base: Fraction
    """Seconds per unit."""
    rate: Fraction
    """Constant frames per second."""
    shown: npt.NDArray[np.int64]
    """``[T]`` index into ``stamps`` of the frame on screen at each output frame."""
    counted: bool
    """The container has no times: ``stamps`` just count frames in decoding order, and seeking is unsafe."""
    truncated: bool
    """The file ends before its own index or stated duration says it should."""
    photo: bool = False
    """It is a photo: one frame that no time passes in."""

    def __len__(self) -> int:
        return len(self.shown)

    @property
    def start(self) -> Fraction:
        """Time of the first frame on the container's clock, seconds; sound is on the same clock."""
        return Fraction(0) if self.counted else int(self.stamps[0]) * self.time_base


def read_timeline(path: Path) -> Timeline:
    """The timeline of a video file or a photo; remembered for the last few files while they do not change.

    Raises:
        Problem: as `open_video`, or when there is not one frame.
    """
    try:
        state = path.stat()
    except (OSError, ValueError):
        return _read(path)  # says what is wrong
    return _remembered(path.absolute(), state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=8)
def _remembered(path: Path, modified: int, size: int) -> Timeline:
    return _read(path)


def _read(path: Path) -> Timeline:
    if photo_kind(path) is not None:
        only = np.zeros(1, np.int64)
        return Timeline(only, only, 1 / PHOTO_RATE, PHOTO_RATE, only, True, False, photo=True)
    container, stream = open_video(path)
    with container:
        packets, end = _packets(container, stream)
        cut = _cut(container, stream, end)
        base = stream.time_base or Fraction(1, 90000)
        declared = stream.average_rate
    pictures = [packet for packet in packets if not packet[3]]
    if not pictures:
        raise Problem(f"“{path.name}” has no pictures in it; choose another file.")
    counted = any(stamp is None for stamp, _, _, _ in pictures)
    if counted:
        rate = choose_rate((), base, declared)
        stamps = np.arange(len(pictures), dtype=np.int64)
        return Timeline(stamps, stamps[:1], 1 / rate, rate, stamps, True, cut)
    times = sorted({stamp for stamp, _, _, _ in pictures if stamp is not None})
    keys = sorted({stamp for stamp, key, _, _ in packets if key and stamp is not None})
    rate = choose_rate(times, base, declared)
    if (times[-1] - times[0]) * base * rate > MOST_REPEATS * len(times):
        raise Problem(f"The frame times in “{path.name}” are broken; convert it to a plain H.264 MP4 first.")
    return Timeline(
        stamps=np.array(times, np.int64),
        keyframes=np.array(keys, np.int64),
        time_base=base,
        rate=rate,
        shown=shown_frames(times, base, rate),
        counted=False,
        truncated=cut,
    )


_Entry = tuple[int | None, bool, int, bool]


def _packets(container: InputContainer, stream: VideoStream) -> tuple[list[_Entry], Fraction]:
    """``(time, is a keyframe, size, is not shown)`` of each packet of the film, and when the last of any
    stream ends, in seconds."""
    from av.error import FFmpegError

    entries: list[_Entry] = []
    end = Fraction(0)
    try:
        for packet in container.demux():
            if not packet.size:
                continue
            stamp = packet.pts if packet.pts is not None else packet.dts
            if stamp is not None and packet.time_base:
                end = max(end, (stamp + (packet.duration or 0)) * packet.time_base)
            if packet.stream_index == stream.index:
                entries.append(_entry(packet))
    except (FFmpegError, OSError):
        pass  # what was read before the damage is the clip
    return entries, end


def _entry(packet: Packet[VideoStream]) -> _Entry:
    return packet.pts, packet.is_keyframe, packet.size, packet.is_discard or packet.is_corrupt


def _cut(container: InputContainer, stream: VideoStream, end: Fraction) -> bool:
    """Whether the file is shorter than its index (MP4) or its stated duration (Matroska) needs."""
    import av

    if any(entry.pos + entry.size > container.size for entry in stream.index_entries):
        return True
    if container.duration is None or "matroska" not in container.format.name:
        return False
    start = container.start_time or 0
    return Fraction(container.duration + start, av.time_base) - end > 1
