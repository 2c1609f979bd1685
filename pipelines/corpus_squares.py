"""Where a clip of many people's corpus is cut: stretches without a cut, each in front of one fixed square.

VoxCeleb as it was prepared for FOMM (Siarohin et al. 2019) is cut likewise: a square that does not move, so
that a head's movement stays in the picture, and a new one where the face has gone too far from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.prepare_settings import PrepareSettings
from studio.domain.camera import Floats, Similarity
from studio.domain.sequence import Flag, TrackedSequence
from studio.tracking.smoothing import segments

Bools = npt.NDArray[np.bool_]


LONGEST_GAP = 0.4
"""Seconds without the face that a stretch may hold."""


@dataclass(frozen=True)
class Stretch:
    """Frames of a clip in front of one square."""

    first: int
    """Its first frame, a good one."""
    stop: int
    """One past its last, which is a good one too."""
    square: Similarity
    """Source pixels to the unit square."""
    face: float
    """Height of the face in source pixels, in its median frame."""
    new_scene: bool
    """Whether it begins at a cut (or at the clip's beginning) and not where the face went too far."""


def stretches(sequence: TrackedSequence, settings: PrepareSettings) -> list[Stretch]:
    """Every stretch of a clip that shows the person, in order, however short.

    Args:
        sequence: the tracked clip.
        settings: its margin and how far a face may roam.
    """
    low, high = sequence.landmarks[..., :2].min(1), sequence.landmarks[..., :2].max(1)
    found = []
    for first, stop in shown(sequence):
        for number, part in enumerate(_near(low, high, sequence.good, first, stop, settings.roam)):
            good = part[sequence.good[part]]
            square = _square(low[good].min(0), high[good].max(0), settings.margin, sequence)
            face = float(np.median(high[good, 1] - low[good, 1]))
            found.append(Stretch(int(part[0]), int(part[-1]) + 1, square, face, number == 0))
    return found


def shown(sequence: TrackedSequence) -> list[tuple[int, int]]:
    """``(first, one past the last)`` of each run without a cut and without a long gap; both ends are good."""
    inside = (sequence.flags & int(Flag.JUMPED | Flag.TRIMMED)) == 0
    absent = (sequence.flags & int(Flag.NO_FACE)) != 0
    for first, stop in segments(absent):
        if stop - first > LONGEST_GAP * float(sequence.rate):
            inside[first:stop] = False
    runs = []
    for first, stop in segments(inside):
        good = first + np.flatnonzero(sequence.good[first:stop])
        if len(good):
            runs.append((int(good[0]), int(good[-1]) + 1))
    return runs


def _near(
    low: Floats, high: Floats, good: Bools, first: int, stop: int, roam: float
) -> Iterator[npt.NDArray[np.int64]]:
    """The frames ``first`` to ``stop`` in runs whose faces stay near each other; ends of runs are good."""
    start = last = first
    least, most = low[first], high[first]
    sizes = count = 0.0
    for frame in range(first, stop):
        if not good[frame]:
            continue
        wider = np.minimum(least, low[frame]), np.maximum(most, high[frame])
        size = float((high[frame] - low[frame]).max())
        if count and float((wider[1] - wider[0]).max()) > roam * (sizes + size) / (count + 1):
            yield np.arange(start, last + 1)
            start, sizes, count, wider = frame, 0.0, 0.0, (low[frame], high[frame])
        (least, most), last = wider, frame
        sizes, count = sizes + size, count + 1
    yield np.arange(start, last + 1)


def _square(low: Floats, high: Floats, margin: float, sequence: TrackedSequence) -> Similarity:
    """The square around a box, inside the picture as far as the picture can hold it and the face it."""
    picture = np.array([sequence.width, sequence.height], np.float64)
    box = float((high - low).max())
    # A picture that was cut tightly has no more around the face: the square shrinks, but not into the face.
    # A picture that is smaller than the face lies in the square's middle.
    side = max(box, min(margin * box, float(picture.min())))
    corner = (low + high) / 2 - side / 2
    room = picture - side
    corner = np.where(room >= 0, np.clip(corner, 0, np.maximum(room, 0)), room / 2)
    return Similarity(1 / side, 0.0, float(-corner[0] / side), float(-corner[1] / side))
