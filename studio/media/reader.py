"""Reading frames: upright RGB at a constant rate, in order, with memory that does not grow with the clip.

Decoding is PyAV's (FFmpeg's libraries inside this process), not a pipe from the ffmpeg program, because
exact frame numbers need the timestamps of every packet, selected frames need seeking, and a pipe would
copy every picture twice.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from studio.domain.problem import Problem
from studio.media.container import open_video
from studio.media.photo import PhotoFilm
from studio.media.pictures import Developer, Picture
from studio.media.timeline import Timeline, read_timeline

if TYPE_CHECKING:
    from av.video.frame import VideoFrame


def read_frames(path: Path, start: int = 0, stop: int | None = None) -> Iterator[Picture]:
    """The frames ``start`` to ``stop`` (excluded; the clip's end when None or beyond), in order.

    Yields:
        ``[H, W, 3]`` uint8 RGB, upright, square pixels; each array is the caller's own.

    Raises:
        Problem: the file is no video, see `open_video`.
        ValueError: ``start`` is negative.
    """
    if start < 0:
        raise ValueError(f"start is {start}, expected 0 or more")
    timeline = read_timeline(Path(path))
    end = len(timeline) if stop is None else min(stop, len(timeline))
    for _, picture in _pictures(Path(path), timeline, range(start, end)):
        yield picture


def read_selected(path: Path, frames: Iterable[int]) -> Iterator[tuple[int, Picture]]:
    """The frames with the given numbers; equal to those of `read_frames`, without decoding what lies between
    where the file allows it.

    Args:
        frames: Ascending frame numbers; repeats are allowed.

    Yields:
        ``(frame number, [H, W, 3] uint8 RGB)``.

    Raises:
        Problem: the file is no video, see `open_video`.
        ValueError: not ascending, or outside the clip.
    """
    numbers = [int(frame) for frame in frames]
    timeline = read_timeline(Path(path))
    if numbers != sorted(numbers):
        raise ValueError("frame numbers must be ascending")
    if numbers and not 0 <= numbers[0] <= numbers[-1] < len(timeline):
        raise ValueError(f"frames {numbers[0]}..{numbers[-1]} asked of a clip of {len(timeline)}")
    yield from _pictures(Path(path), timeline, numbers)


def _pictures(path: Path, timeline: Timeline, numbers: Iterable[int]) -> Iterator[tuple[int, Picture]]:
    film = open_film(path, timeline)
    try:
        for number in numbers:
            yield number, film.picture(int(timeline.shown[number]))
    finally:
        film.close()


def open_film(path: Path, timeline: Timeline) -> Film | PhotoFilm:
    """A clip or a photo, opened; the caller closes it. Raises Problem where it cannot be decoded."""
    return PhotoFilm(path) if timeline.photo else Film(path, timeline)


class Film:
    """An open clip that is asked for its stored frames in ascending order."""

    def __init__(self, path: Path, timeline: Timeline) -> None:
        self._path, self._timeline = path, timeline
        self._may_seek = not timeline.counted
        self._developer: Developer | None = None
        self._open()

    def _open(self) -> None:
        self._container, self._stream = open_video(self._path)
        self._stream.thread_type = "AUTO"
        self._frames = self._decode()
        self._current: VideoFrame | None = None
        self._next: tuple[int, VideoFrame] | None = None
        self._position: int | None = None
        self._counter = 0

    def close(self) -> None:
        """Free the decoder and the file."""
        self._frames.close()
        self._container.close()

    @property
    def developer(self) -> Developer:
        """How frames become pictures; known once a frame was decoded."""
        if self._developer is None:
            self.picture(0)
        assert self._developer is not None
        return self._developer

    @property
    def bit_depth(self) -> int:
        """Bits per colour component of the stored pictures."""
        return int(max(part.bits for part in self._stream.format.components))

    def picture(self, stored: int) -> Picture:
        """The stored frame of that number, or the last one before it that can be decoded."""
        frame = self._frame_at(int(self._timeline.stamps[stored]))
        if self._developer is None:
            self._developer = Developer(frame, self._stream.sample_aspect_ratio)
        return self._developer.develop(frame)

    def _frame_at(self, stamp: int) -> VideoFrame:
        sought = self._seek(stamp)
        self._advance(stamp)
        if sought and self._position != stamp:
            # Some files lie about where decoding can start. From the beginning it always can.
            self._restart()
            self._advance(stamp)
        if self._current is None:
            raise Problem(f"No picture in “{self._path.name}” can be decoded; copy it from the phone again.")
        return self._current

    def _seek(self, stamp: int) -> bool:
        """Jump to the last keyframe at or before ``stamp`` if that saves decoding."""
        from av.error import FFmpegError

        if not self._may_seek:
            return False
        keys = self._timeline.keyframes
        before = int(np.searchsorted(keys, stamp, side="right")) - 1
        reached = keys[0] if self._position is None and len(keys) else self._position
        if before < 1 or reached is None or keys[before] <= max(reached, self._reached()):
            return False
        try:
            self._container.seek(int(keys[before]), stream=self._stream)
        except FFmpegError:
            self._restart()
            return False
        self._frames.close()
        self._frames = self._decode()
        self._current, self._next, self._position = None, None, None
        return True

    def _reached(self) -> int:
        return self._next[0] if self._next else np.iinfo(np.int64).min

    def _restart(self) -> None:
        self.close()
        self._open()
        self._may_seek = False

    def _advance(self, stamp: int) -> None:
        """Decode until the current frame is the last one not after ``stamp``."""
        while self._position is None or self._position < stamp:
            if self._next is None:
                self._next = next(self._frames, None)
            if self._next is None or (self._next[0] > stamp and self._current is not None):
                return
            self._position, self._current = self._next
            self._next = None

    def _decode(self) -> Generator[tuple[int, VideoFrame], None, None]:
        from av.error import FFmpegError

        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except (FFmpegError, OSError):
                # Cut short, without the empty packets that end a whole file: ask for what is left.
                yield from self._stamped(self._drain())
                return
            if packet is None:
                return
            if packet.is_corrupt:
                continue
            try:
                frames = packet.decode()
            except FFmpegError:
                continue  # the frame before stays on screen for this one
            yield from self._stamped(frames)

    def _drain(self) -> list[VideoFrame]:
        from av.error import FFmpegError

        try:
            return list(self._stream.decode(None))
        except FFmpegError:
            return []

    def _stamped(self, frames: list[VideoFrame]) -> Iterator[tuple[int, VideoFrame]]:
        for frame in frames:
            if self._timeline.counted:
                yield self._counter, frame
                self._counter += 1
            elif frame.pts is not None:
                yield frame.pts, frame
