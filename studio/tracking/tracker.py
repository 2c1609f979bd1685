"""What a tracker is: pictures in, every face's raw landmarks out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats
from studio.domain.sequence import LANDMARKS

Picture = npt.NDArray[np.uint8]
"""``[H, W, 3]`` sRGB, RGB order, upright."""


@dataclass(frozen=True, eq=False)
class Face:
    """One face in one picture, as the network said it."""

    landmarks: Floats
    """``[478, 3]`` x, y in picture pixels (continuous coordinates); z in pixels, larger is nearer."""
    scores: Floats | None = None
    """``[52]`` ARKit-like blendshape scores 0..1 in the order of ``Tracker.score_names``, where known."""

    def __post_init__(self) -> None:
        if self.landmarks.shape != (LANDMARKS, 3):
            raise ValueError(f"Face.landmarks is {self.landmarks.shape}, expected ({LANDMARKS}, 3)")

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of the landmarks in picture pixels."""
        left, top = self.landmarks[:, :2].min(0)
        right, bottom = self.landmarks[:, :2].max(0)
        return float(left), float(top), float(right), float(bottom)


class Tracker(Protocol):
    """Finds faces in consecutive pictures of one clip. Not thread-safe; make one for each clip."""

    @property
    def name(self) -> str:
        """Which tracker and version, e.g. ``mediapipe-0.10.21-mesh``; stored with the sequence."""

    @property
    def score_names(self) -> tuple[str, ...]:
        """Names of the blendshape scores it gives; empty where it gives none."""

    def faces(self, picture: Picture) -> list[Face]:
        """Every face seen in the next picture, in no order. May use what it saw in earlier pictures."""

    def close(self) -> None:
        """Free the network."""


SETTLING = 6
"""Times that a picture with a new face is shown to a tracker. The first answer starts from a detector's rough
box and is 0.4 to 3.3 % of the face's height away from what tracking through a clip finds there (five people);
after five more looks, each from the landmarks of the one before, 0.25 to 0.65 %, and it moves no more."""
_STAYS = 0.7
"""Overlap with a face of the picture before from which a face is no new one."""


class Settled:
    """A tracker that looks at a picture in which a face is new until the landmarks stay.

    Without that, a clip's first three frames, and those after each cut, have heads up to 5 % too large and
    expressions half a deviation or more away from what is there.
    """

    def __init__(self, tracker: Tracker, forget: Callable[[], None] | None = None) -> None:
        """
        Args:
            tracker: what looks; it must follow faces from picture to picture. Closed by this.
            forget: for pictures that have nothing to do with each other: called before each of them; after
                it the tracker knows nothing of the ones before. None: pictures are those of a clip.
        """
        self._tracker, self._forget = tracker, forget
        self._before: list[Face] = []

    @property
    def name(self) -> str:
        """As the tracker's."""
        return self._tracker.name

    @property
    def score_names(self) -> tuple[str, ...]:
        """As the tracker's."""
        return self._tracker.score_names

    def faces(self, picture: Picture) -> list[Face]:
        """Every face; see :class:`Tracker`."""
        if self._forget is not None:
            self._forget()
            self._before = []
        found = self._tracker.faces(picture)
        for _ in range(0 if all(map(self._known, found)) else SETTLING - 1):
            again = self._tracker.faces(picture)
            if len(again) < len(found):
                break  # it lost somebody whom it had
            found = again
        self._before = found
        return found

    def _known(self, face: Face) -> bool:
        return any(overlap(face.box, other.box) >= _STAYS for other in self._before)

    def close(self) -> None:
        """Free the network."""
        self._tracker.close()


def overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """Intersection over union of two boxes (left, top, right, bottom), 0..1."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def without_doubles(faces: list[Face], before: list[Face], most: float = 0.5) -> list[Face]:
    """The faces, of which no two cover the same place.

    A network that both follows faces and looks for new ones may find a followed face a second time, from a
    coarser guess: of two in one place the one nearer to a face of the picture before is kept.

    Args:
        faces: of this picture.
        before: those kept of the picture before.
        most: overlap from which two are one.
    """

    def followed(face: Face) -> float:
        return max((overlap(face.box, other.box) for other in before), default=0.0)

    kept: list[Face] = []
    for face in sorted(faces, key=followed, reverse=True):
        if all(overlap(face.box, other.box) < most for other in kept):
            kept.append(face)
    return kept
