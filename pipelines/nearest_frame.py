"""The baseline that every engine must beat: show the training frame that is nearest to what is asked."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats
from studio.domain.problem import Problem
from studio.domain.sequence import TrackedSequence

Nearness = Literal["landmarks", "parameters"]
"""``landmarks``: mean 2D distance of the 478 landmarks in each frame's own aligned crop. ``parameters``:
Euclidean distance of yaw, pitch, roll, jaw, expression and eyelids, each divided by its standard deviation
over the training frames."""


def nearest_training_frames(
    sequence: TrackedSequence, frames: npt.NDArray[np.integer], train: slice, by: Nearness
) -> npt.NDArray[np.int64]:
    """For each of the given frames the good training frame nearest to it.

    Args:
        sequence: the tracked clip.
        frames: ``[K]`` frames to stand in for.
        train: frames that may be shown.
        by: what near means.

    Returns:
        ``[K]`` frame numbers inside ``train``.

    Raises:
        Problem: no training frame is good.
    """
    allowed = np.arange(len(sequence))[train]
    allowed = allowed[sequence.good[train]]
    if not len(allowed):
        raise Problem("No frame of the training part is good enough to compare with: record the clip again.")
    features = _landmarks(sequence) if by == "landmarks" else _parameters(sequence, allowed)
    pool = features[allowed]
    chosen = [_distance(pool, features[frame], by).argmin() for frame in frames]
    return allowed[np.array(chosen, np.int64)].astype(np.int64)


def _parameters(sequence: TrackedSequence, allowed: npt.NDArray[np.integer]) -> Floats:
    motion = sequence.motion
    columns = np.concatenate([motion.angles, motion.jaw, motion.expression, motion.eyelids], 1)
    deviation = columns[allowed].std(0)
    # What never changed in training (to rounding) cannot be scaled by its change.
    return np.asarray(columns / np.where(deviation > 1e-6, deviation, 1.0), np.float32)


def _landmarks(sequence: TrackedSequence) -> Floats:
    return np.stack(
        [sequence.crop_view(t, 1).placement.apply(p[:, :2]) for t, p in enumerate(sequence.landmarks)]
    )


def _distance(pool: Floats, wanted: Floats, by: Nearness) -> Floats:
    difference = pool - wanted
    if by == "landmarks":
        return np.asarray(np.hypot(difference[..., 0], difference[..., 1]).mean(-1))
    return np.asarray(np.linalg.norm(difference, axis=-1))
