"""Small pictures of the face shown, with edits that it has or could have.

A live worker of their own draws them one by one, and gives way to everything else.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import psutil
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QImage

from studio.domain.avatar import Avatar
from studio.domain.camera import Similarity, View
from studio.domain.controls import ControlState
from studio.domain.edits import Edit, EditStack
from studio.domain.rendering import RenderRequest
from studio.live import LiveWorker
from ui.bridge.live import same_work, stage_at

LARGEST = 256
"""Most pixels of a side."""
REACH = 0.115
"""Metres from the middle of a face to the edges of its picture."""


@dataclass(frozen=True)
class FaceWish:
    """A picture that somebody waits for."""

    key: str
    """What it is called when it comes."""
    state: ControlState
    """What is asked of the avatar; what is not named is at rest."""
    side: int
    """Pixels of the picture, which is a square."""


class EditFaces(QObject):
    """Everything here returns at once; the newest wishes win.

    Attributes:
        drawn: the wish's key and its picture.
    """

    drawn = Signal(str, QImage)
    _news = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._wanted: Avatar | None = None
        self._avatar: Avatar | None = None
        self._open: Avatar | None = None
        self._waiting: deque[FaceWish] = deque()
        self._asked: FaceWish | None = None
        self._ticket = 0
        self._news.connect(self._hear, Qt.ConnectionType.QueuedConnection)
        self._worker = LiveWorker(self._news.emit, LARGEST * LARGEST)

    @property
    def busy(self) -> bool:
        """Whether a picture is still to come."""
        return self._asked is not None or bool(self._waiting)

    def show(self, avatar: Avatar | None, offers: Iterable[Edit]) -> None:
        """Of whom pictures are drawn.

        Args:
            avatar: with its edits.
            offers: edits that it could have, too, under names of their own; they are off.
        """
        if avatar is None:
            self._avatar = self._wanted = None
            self.rest()
            return
        wanted = replace(avatar, edits=EditStack((*avatar.edits.edits, *offers)))
        if self._wanted is None or not same_work(wanted, self._wanted):
            self._avatar = self._wanted = wanted
            self._waiting.clear()

    def draw(self, wishes: Iterable[FaceWish]) -> None:
        """These next, and nothing of what was wished before and has not been begun."""
        self._waiting = deque(wishes)
        self._go_on()

    def rest(self) -> None:
        """Draw nothing more; the worker ends, and starts again when something is wished."""
        self._waiting.clear()
        self._asked = self._open = None
        self._worker.rest()

    def close(self) -> None:
        """End the worker and wait for it."""
        self._waiting.clear()
        self._asked = None
        self._worker.close()

    def _go_on(self) -> None:
        avatar = self._avatar
        if avatar is None or not self._waiting:
            return
        if self._open is not avatar:
            self._open, self._asked = avatar, self._waiting.popleft()
            self._worker.open(avatar, self._request(self._asked))
            self._ticket = 0
            _give_way(self._worker.pid)
        elif self._asked is None and self._worker.alive:
            self._asked = self._waiting.popleft()
            self._ticket = self._worker.ask(self._request(self._asked))
            self._hear()  # the same picture as before is no new work

    def _request(self, wish: FaceWish) -> RenderRequest:
        assert self._avatar is not None
        return RenderRequest(wish.state, face_view(self._avatar, wish.state, wish.side))

    def _hear(self) -> None:
        worker, asked = self._worker, self._asked
        if asked is None:
            return
        if worker.problem:
            # Why an avatar cannot be drawn is said where it is shown large; here it has no pictures then.
            self._avatar = None
            self.rest()
            return
        frame = worker.newest()
        if frame is None or worker.coming is not None or frame.ticket < self._ticket:
            return
        height, width = frame.image.shape[:2]
        picture = QImage(frame.image.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
        self._asked = None
        self.drawn.emit(asked.key, picture)
        self._go_on()


def face_view(avatar: Avatar, state: ControlState, side: int) -> View:
    """A square around the face where a state puts it, within the stage where it fits; the whole stage of an
    avatar that does not say where its face is."""
    camera = avatar.lineage.get("rest_camera")
    stage = avatar.stage
    if not camera:
        return stage_at(avatar, side)
    values = dict(zip(state.names, state.values.tolist()))
    scale, cx, cy = (float(value) for value in camera)
    centre = np.array([cx + scale * values.get("move_x", 0.0), cy - scale * values.get("move_y", 0.0)])
    x, y = (float(value) for value in stage.placement.apply(centre[None])[0])
    half = REACH * scale * values.get("zoom", 1.0) * stage.placement.scale
    half = min(half, stage.width / 2, stage.height / 2)
    left = min(max(x - half, 0.0), stage.width - 2 * half)
    top = min(max(y - half, 0.0), stage.height - 2 * half)
    factor = side / (2 * half)
    return View(stage.placement.then(Similarity(factor, 0.0, -factor * left, -factor * top)), side, side)


def with_values(state: ControlState, values: dict[str, float]) -> ControlState:
    """A state with other values, and with controls that it does not have."""
    known = dict(zip(state.names, state.values.tolist())) | values
    return ControlState(tuple(known), np.array(list(known.values()), np.float32))


def _give_way(process: int | None) -> None:
    """Let a worker that has just begun wait for whatever else wants the processor."""
    if process is None:
        return
    with contextlib.suppress(psutil.Error, OSError):
        low = psutil.BELOW_NORMAL_PRIORITY_CLASS if os.name == "nt" else 10
        if os.name == "nt" or psutil.Process(process).nice() < low:
            psutil.Process(process).nice(low)
