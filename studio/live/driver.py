"""The driver: ``python -m studio.live.driver``, started by :class:`studio.live.LiveDriver`.

It watches a camera or plays a clip, tracks the face, and says how it moves relative to rest, until its input
ends or the window says so.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats
from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem
from studio.live.driven import Rest, moved_from, rest_of
from studio.live.driving import Calibrate, Drive, Ended, Seen
from studio.live.messages import channels, receive, send

RESTING, LEARNING = 12, 40
"""Frames whose middle is rest, and frames from which a face's shape is learnt."""
ENOUGH, LONG = 8, 2.0
"""On a slow machine so few frames will do, once somebody has held still for so many seconds."""
CALM = 0.05
"""Seconds over which movements are smoothed."""
THUMB = 176
"""Width of the small picture that the window shows."""
Picture = npt.NDArray[np.uint8]
_NOTHING: Any = None


class Watched:
    """One person in front of a camera: their shape, their rest, and where they are now."""

    def __init__(self) -> None:
        from studio.head import builtin_head
        from studio.head.fitting import PersonFitter

        self._head = builtin_head()
        nobody = np.zeros(self._head.identities, np.float32), np.zeros_like(self._head.template)
        self._fitter = PersonFitter(self._head, *nobody)
        self._landmarks: deque[Floats] = deque(maxlen=LEARNING)
        self._smooth: tuple[float, Floats] | None = None
        self._since: float | None = None
        self.rest: Rest | None = None

    def calibrate(self) -> None:
        """The last frames show this person at rest."""
        from studio.head.fitting import FitSettings, PersonFitter, fit_person

        if self._landmarks:
            seen = np.stack(self._landmarks)
            self._fitter = PersonFitter(self._head, *fit_person(self._head, seen, FitSettings()))
            self.rest, self._smooth = rest_of(self._fitter.fit(seen[-RESTING:])), None

    def see(self, landmarks: Floats, now: float) -> Floats | None:
        """How far the person has moved from rest; None until rest is known."""
        self._landmarks.append(landmarks)
        self._since = now if self._since is None else self._since
        if self.rest is None:
            count = len(self._landmarks)
            if count < ENOUGH or (count < LEARNING and now - self._since < LONG):
                return None
            self.calibrate()
        assert self.rest is not None
        motion: HeadMotion = self._fitter.fit(landmarks[None])
        offsets = moved_from(self.rest, motion)
        if self._smooth is not None:
            keep = float(np.exp(-(now - self._smooth[0]) / CALM))
            offsets = keep * self._smooth[1] + (1.0 - keep) * offsets
        self._smooth = now, offsets
        return offsets


def from_camera(number: int) -> Iterator[Picture]:
    """Pictures of a camera, as a mirror shows them. Raises Problem when there is none."""
    import cv2

    camera = cv2.VideoCapture(number)
    try:
        camera.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        got, picture = camera.read() if camera.isOpened() else (False, _NOTHING)
        if not got:
            raise Problem(
                "No camera answered: connect one, close other programs that use it, or drive by clip."
            )
        while got:
            yield np.ascontiguousarray(picture[:, ::-1, ::-1])
            got, picture = camera.read()
        raise Problem("The camera stopped: connect it again.")
    finally:
        camera.release()


def from_clip(clip: Path) -> Iterator[Picture]:
    """A clip's pictures at its own pace, again and again; those that come too late are left out."""
    from studio.media import probe, read_frames

    step = 1.0 / float(probe(clip).rate)
    while True:
        due = time.monotonic()
        shown = 0
        for picture in read_frames(clip):
            due += step
            wait = due - time.monotonic()
            if wait < -2 * step and shown:
                continue
            time.sleep(max(0.0, wait))
            shown += 1
            yield picture


def drive(order: Drive, asked: threading.Event, answers: IO[bytes]) -> None:
    """Watch and tell until somebody ends the process. Raises Problem when there is nothing to watch."""
    import cv2

    from studio.tracking.mediapipe_tracker import MediapipeTracker
    from studio.tracking.tracker import Settled

    pictures = from_camera(order.camera) if order.clip is None else from_clip(order.clip)
    first = next(pictures)
    tracker, person = Settled(MediapipeTracker(max_faces=1)), Watched()
    for picture in chain((first,), pictures):
        faces = tracker.faces(picture)
        offsets = None
        if faces:
            if asked.is_set():
                asked.clear()
                person.calibrate()
            offsets = person.see(faces[0].landmarks, time.monotonic())
        height = max(1, round(THUMB * picture.shape[0] / picture.shape[1]))
        small = np.asarray(cv2.resize(picture, (THUMB, height), interpolation=cv2.INTER_AREA), np.uint8)
        send(answers, Seen(offsets, bool(faces), small))


def _listen(orders: IO[bytes], asked: threading.Event) -> None:
    while (message := receive(orders)) is not None:
        if isinstance(message, Calibrate):
            asked.set()
    os._exit(0)


def main() -> int:
    """Command line of a driver."""
    orders, answers = channels()
    order = receive(orders)
    if not isinstance(order, Drive):
        return 0
    asked = threading.Event()
    threading.Thread(target=_listen, args=(orders, asked), daemon=True).start()
    try:
        drive(order, asked, answers)
    except Problem as problem:
        send(answers, Ended(str(problem)))
    except OSError:  # nobody listens any more
        pass
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
