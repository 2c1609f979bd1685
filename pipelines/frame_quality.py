"""One word and one number for each frame of a tracked clip: what a strip under the player shows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats
from studio.domain.sequence import FLAG_SENTENCES, Flag, TrackedSequence


class Verdict(IntEnum):
    """What a frame is, from best to worst; one for each frame though it may have several faults."""

    GOOD = 0
    BLURRED = 1
    COVERED = 2
    EDGE = 3
    SMALL = 4
    JUMPED = 5
    LOST = 6
    TRIMMED = 7


_OF_FLAG = {
    Flag.BLURRED: Verdict.BLURRED,
    Flag.OCCLUDED: Verdict.COVERED,
    Flag.EDGE: Verdict.EDGE,
    Flag.SMALL: Verdict.SMALL,
    Flag.JUMPED: Verdict.JUMPED,
    Flag.NO_FACE: Verdict.LOST,
    Flag.TRIMMED: Verdict.TRIMMED,
}
_FAULTY = 0.5
"""Most that a frame with a fault is worth."""


@dataclass(frozen=True, eq=False)
class FrameQuality:
    """T frames of a clip."""

    verdicts: npt.NDArray[np.int8]
    """``[T]`` values of :class:`Verdict`."""
    quality: Floats
    """``[T]`` 0..1: a good frame's is from 0.5 (soft) to 1 (as sharp as the clip's usual frame), a faulty
    one's at most 0.5, and a frame without the face is worth 0."""
    flags: npt.NDArray[np.int32]
    """``[T]`` the sequence's own flags."""

    def reasons(self, frame: int) -> tuple[str, ...]:
        """One clause for each of a frame's faults; none for a good one."""
        return tuple(clause for flag, clause in FLAG_SENTENCES.items() if int(self.flags[frame]) & int(flag))


def frame_quality(sequence: TrackedSequence) -> FrameQuality:
    """Judge every frame by its flags and sharpness."""
    verdicts = np.zeros(len(sequence), np.int8)
    for flag, verdict in sorted(_OF_FLAG.items(), key=lambda pair: pair[1]):
        verdicts[(sequence.flags & int(flag)) != 0] = verdict
    good = sequence.good
    usual = float(np.median(sequence.sharpness[good])) if good.any() else 1.0
    sharp = np.clip(sequence.sharpness / max(usual, 1e-6), 0.0, 1.0)
    quality = _FAULTY * sharp + np.where(good, 1.0 - _FAULTY, 0.0)
    unseen = (sequence.flags & int(Flag.NO_FACE | Flag.TRIMMED)) != 0
    return FrameQuality(verdicts, np.where(unseen, 0.0, quality).astype(np.float32), sequence.flags)
