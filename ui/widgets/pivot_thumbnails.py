"""Small pictures of frames of a clip, cut out on a thread and kept while the clip is open."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from studio.domain.progress import Progress
from studio.domain.sequence import TrackedSequence
from ui.bridge.background import Background, Ticket

SIDE = 160
"""Pixels; shown at half of that, so that they are sharp on fine screens."""
_AT_ONCE = 16
"""Frames of one piece of work: the next wish waits no longer."""


class Thumbnails(QObject):
    """Aligned crops of one clip's frames.

    Attributes:
        ready: (frame, QImage).
    """

    ready = Signal(int, QImage)

    def __init__(self, background: Background, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._background = background
        self._video: Path | None = None
        self._sequence: TrackedSequence | None = None
        self._pictures: dict[int, QImage] = {}
        self._wanted: list[int] = []
        self._ticket: Ticket | None = None

    def open(self, video: Path | None, sequence: TrackedSequence | None) -> None:
        """Show another clip; pictures of the same one are kept."""
        same = (
            video == self._video
            and sequence is not None
            and self._sequence is not None
            and np.array_equal(sequence.crops, self._sequence.crops)
        )
        self._video, self._sequence = video, sequence
        if not same:
            self._pictures.clear()
            self.forget_wishes()

    def picture(self, frame: int) -> QImage | None:
        """The picture of a frame if it is there."""
        return self._pictures.get(frame)

    def want(self, frames: Iterable[int], hurry: bool = False) -> None:
        """Cut these frames out, before all others if it is urgent."""
        asked = set(frames)
        new = sorted(f for f in asked if f not in self._pictures and (hurry or f not in self._wanted))
        if hurry:
            self._wanted = new + [frame for frame in self._wanted if frame not in asked]
        else:
            self._wanted += new
        self._go_on()

    def forget_wishes(self) -> None:
        """Cut nothing more out."""
        self._wanted.clear()
        if self._ticket is not None:
            self._ticket.cancel()
            self._ticket = None

    def _go_on(self) -> None:
        video, sequence = self._video, self._sequence
        if self._ticket is not None or not self._wanted or video is None or sequence is None:
            return
        frames = sorted(self._wanted[:_AT_ONCE])

        def work(progress: Progress) -> dict[int, QImage]:
            return cut_out(video, sequence, frames, progress)

        ticket = self._background.run(self, work, self._take, self._failed, progress=True)
        self._ticket = ticket

    def _take(self, found: dict[int, QImage]) -> None:
        self._ticket = None
        self._pictures |= found
        self._wanted = [frame for frame in self._wanted if frame not in found]
        for frame, picture in found.items():
            self.ready.emit(frame, picture)
        self._go_on()

    def _failed(self, error: Exception) -> None:
        # A clip that cannot be read is said where it is worked on; frames stay without a picture here.
        self._ticket = None
        self._wanted.clear()


def cut_out(
    video: Path, sequence: TrackedSequence, frames: list[int], progress: Progress
) -> dict[int, QImage]:
    """Aligned crops of ``frames`` (ascending), SIDE pixels square. Raises Problem for an unreadable video."""
    from pipelines.aligned_crop import cut_view
    from studio.media import read_selected

    found = {}
    for number, (frame, picture) in enumerate(read_selected(video, frames)):
        progress(number, len(frames), "reading frames")
        crop = np.ascontiguousarray(cut_view(picture, sequence.crop_view(frame, SIDE)))
        image = QImage(crop.data, SIDE, SIDE, 3 * SIDE, QImage.Format.Format_RGB888).copy()
        found[frame] = image
    return found
