"""Faces in drawn pictures, for those methods of editing that measure them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import numpy.typing as npt

from pipelines.reading_back import opened_tracker
from studio.domain.camera import Floats
from studio.domain.sequence import LANDMARKS
from studio.editing.method import FaceReader
from studio.tracking.tracker import Tracker


@contextmanager
def face_reader() -> Iterator[FaceReader]:
    """A reader of faces by MediaPipe's mesh, whose networks are loaded with the first picture."""
    with ExitStack() as stack:
        opened: list[Tracker] = []

        def alone() -> Tracker:
            from studio.tracking.mediapipe_tracker import MediapipeTracker

            return MediapipeTracker(max_faces=1, follows=False)

        def read(pictures: npt.NDArray[np.uint8]) -> Floats:
            if not opened:
                opened.append(opened_tracker(alone, stack))
            marks = np.full((len(pictures), LANDMARKS, 3), np.nan, np.float32)
            for k, picture in enumerate(pictures):
                faces = opened[0].faces(picture)
                if faces:
                    marks[k] = max(faces, key=lambda face: np.ptp(face.landmarks[:, 1])).landmarks
            return marks

        yield read
