"""Reading drawn pictures back: a tracker looks at each a few times, shifted by parts of a pixel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack

import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats, Similarity, View
from studio.domain.sequence import LANDMARKS
from studio.tracking.tracker import Settled, Tracker

Picture = npt.NDArray[np.uint8]


def opened_tracker(make: Callable[[], Tracker] | None, stack: ExitStack) -> Tracker:
    """A tracker until the stack ends; MediaPipe's mesh for one face when nothing else is made."""
    if make is None:
        from studio.tracking.mediapipe_tracker import MediapipeTracker

        tracker: Tracker = Settled(MediapipeTracker(max_faces=1))
    else:
        tracker = make()
    stack.callback(tracker.close)
    return tracker


def shifted(stage: View, number: int) -> View:
    """The stage moved by a part of a pixel; number 0 is the stage itself. Shifts fill the pixel evenly
    (Roberts' R2 sequence, 2018)."""
    x, y = (number * 0.7548776662466927) % 1.0, (number * 0.5698402909980532) % 1.0
    p = stage.placement
    return View(Similarity(p.scale, p.angle, p.x + x, p.y + y), stage.width, stage.height)


def landmarks_in(picture: Picture, view: View, tracker: Tracker) -> Floats | None:
    """``[478, 3]`` of the largest face in what a view shows, in source pixels; None without a face."""
    faces = tracker.faces(picture)
    if not faces:
        return None
    largest = max(faces, key=lambda face: np.ptp(face.landmarks[:, 1]))
    return view.placement.inverse().apply(largest.landmarks)


def mean_landmarks(found: Sequence[Floats | None]) -> Floats:
    """``[478, 3]`` mean over the looks that found a face; NaN where none did."""
    seen = [marks for marks in found if marks is not None]
    if not seen:
        return np.full((LANDMARKS, 3), np.nan, np.float32)
    return np.asarray(np.mean(seen, 0), np.float32)
