"""What is remembered of each face seen: where it is, what shape it has and what its skin looks like."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats
from studio.tracking.ahead import ahead
from studio.tracking.regions import SKIN
from studio.tracking.tracker import Face, Picture, Tracker

_THUMB = 48
_SCENE = (16, 16)


@dataclass(frozen=True, eq=False)
class Sighting:
    """One face in one frame."""

    landmarks: Floats
    """``[478, 3]`` raw; as in :class:`studio.tracking.tracker.Face`."""
    colours: npt.NDArray[np.uint8]
    """``[len(SKIN), 3]`` CIE Lab in OpenCV's 8-bit scaling, at the landmarks of SKIN, slightly blurred."""
    scores: Floats | None = None
    """``[52]`` blendshape scores where the tracker gives them."""

    @property
    def centre(self) -> Floats:
        """``[2]`` middle of the landmarks' box, pixels."""
        points = self.landmarks[:, :2]
        return np.asarray((points.min(0) + points.max(0)) / 2, np.float32)

    @property
    def size(self) -> float:
        """Diagonal of the landmarks' box over the square root of two, pixels: a face height, roughly."""
        return float(np.linalg.norm(np.ptp(self.landmarks[:, :2], axis=0)) / np.sqrt(2))


@dataclass
class Sightings:
    """Every face of a clip, frame by frame."""

    frames: list[list[Sighting]] = field(default_factory=list)
    """T lists."""
    scene_change: list[float] = field(default_factory=list)
    """T values 0..1: how much of the whole picture's brightness pattern is new since the frame before."""

    def __len__(self) -> int:
        return len(self.frames)


def sight_faces(pictures: Iterable[Picture], tracker: Tracker) -> Sightings:
    """Run a tracker over consecutive pictures; memory grows by some 10 kB a face, not by pictures."""
    seen = Sightings()
    for _ in each_sighting(pictures, tracker, seen):
        pass
    return seen


def each_sighting(
    pictures: Iterable[Picture], tracker: Tracker, into: Sightings
) -> Generator[int, None, None]:
    """As :func:`sight_faces`, filling ``into`` and yielding the number of frames done after each one.

    The tracker runs in a thread of its own meanwhile; close this generator before closing the tracker.
    """

    def tracked() -> Iterator[tuple[Picture, list[Face]]]:
        for picture in pictures:
            yield picture, tracker.faces(picture)

    scene: npt.NDArray[np.int16] | None = None
    with closing(ahead(tracked(), 2)) as results:
        for picture, faces in results:
            step = max(1, min(picture.shape[:2]) // 128)
            small = cv2.resize(picture[::step, ::step], _SCENE, interpolation=cv2.INTER_AREA)
            now = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.int16)
            into.scene_change.append(0.0 if scene is None else float(np.abs(now - scene).mean() / 255))
            scene = now
            into.frames.append([sighting(picture, face) for face in faces])
            yield len(into.frames)


def sighting(picture: Picture, face: Face) -> Sighting:
    """What is remembered of a face."""
    return Sighting(face.landmarks, skin_colours(picture, face.landmarks), face.scores)


def skin_colours(picture: Picture, landmarks: Floats) -> npt.NDArray[np.uint8]:
    """Colours at the landmarks of SKIN ``[len(SKIN), 3]``, CIE Lab in 8 bits, each averaged over about a
    thirtieth of the face. Points outside the picture take the border's colour."""
    height, width = picture.shape[:2]
    left, top = np.floor(landmarks[:, :2].min(0)).astype(int)
    right, bottom = np.ceil(landmarks[:, :2].max(0)).astype(int)
    left, top = int(np.clip(left, 0, width - 2)), int(np.clip(top, 0, height - 2))
    right, bottom = int(np.clip(right, left + 2, width)), int(np.clip(bottom, top + 2, height))
    # Every second or third pixel of a large face is plenty for an average.
    step = max(1, min(right - left, bottom - top) // (2 * _THUMB))
    part = picture[top:bottom:step, left:right:step]
    thumb = cv2.resize(part, (_THUMB, _THUMB), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(cv2.GaussianBlur(thumb, (3, 3), 0), cv2.COLOR_RGB2LAB)
    points = landmarks[list(SKIN), :2]
    columns = ((points[:, 0] - left) / (right - left) * _THUMB).astype(int).clip(0, _THUMB - 1)
    rows = ((points[:, 1] - top) / (bottom - top) * _THUMB).astype(int).clip(0, _THUMB - 1)
    return np.asarray(lab[rows, columns], np.uint8)
