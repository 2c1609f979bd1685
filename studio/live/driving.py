"""LiveDriver: what the window holds of somebody in front of a camera, or in a clip, who moves the avatar."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats
from studio.live.process import LiveProcess, live_command

GONE = "The tracker of the driving picture ended unexpectedly: start it again."


@dataclass(frozen=True)
class Drive:
    """What to watch; the first thing said to a driver."""

    camera: int = 0
    """Number of the camera."""
    clip: Path | None = None
    """A clip instead of a camera; it plays again and again at its own pace."""


@dataclass(frozen=True)
class Calibrate:
    """The person is at rest now."""


@dataclass(frozen=True, eq=False)
class Seen:
    """One picture of the driver."""

    offsets: Floats | None
    """``[63]`` movement from rest (see :func:`studio.live.driven.moved_from`); None without a face, or until
    rest is known."""
    face: bool
    """Whether a face was found."""
    picture: npt.NDArray[np.uint8]
    """``[h, w, 3]`` what was seen, small; a camera's as in a mirror."""


@dataclass(frozen=True)
class Ended:
    """The driver has nothing more to watch."""

    sentence: str
    """Why."""


class LiveDriver:
    """Watches a camera or a clip in a process of its own. All methods return at once but ``close``.

    Args:
        order: what to watch.
        notify: called from a thread of this object when there is something new; it must return quickly.
    """

    def __init__(self, order: Drive, notify: Callable[[], None] = lambda: None) -> None:
        self._notify, self._lock = notify, threading.Lock()
        self._newest: Seen | None = None
        self._problem, self._closed = "", False
        self._process = LiveProcess(self._heard, live_command("driver"))
        self._process.say(order)

    def newest(self) -> Seen | None:
        """The last picture seen, None before the first."""
        with self._lock:
            return self._newest

    @property
    def problem(self) -> str:
        """Why it watches no more, one sentence; empty while it does."""
        with self._lock:
            return self._problem

    def calibrate(self) -> None:
        """The person is at rest now."""
        self._process.say(Calibrate())

    def close(self) -> None:
        """End it and wait for it."""
        self._closed = True
        self._process.end()

    def _heard(self, process: LiveProcess, message: object | None) -> None:
        with self._lock:
            if isinstance(message, Seen):
                self._newest = message
            elif isinstance(message, Ended):
                self._problem = message.sentence
            elif message is None and not self._problem:
                self._problem = GONE
        if not self._closed:
            self._notify()
