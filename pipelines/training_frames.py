"""Which frames of a clip are learnt from, and by which of them training is judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from studio.domain.pivots import PivotSet
from studio.domain.problem import Problem
from studio.domain.sequence import TrackedSequence

FEWEST = 20
"""Training frames without which no later stage can learn anything."""


@dataclass(frozen=True, eq=False)
class TrainingFrames:
    """T good frames of the part that may be learnt from."""

    frames: npt.NDArray[np.int64]
    """``[T]`` frame numbers in the clip, ascending."""
    train: npt.NDArray[np.int64]
    """Places (0..T-1) to learn from."""
    validation: npt.NDArray[np.int64]
    """Places to judge by: blocks that are never learnt from."""


def training_frames(sequence: TrackedSequence, pivots: PivotSet, share: float, blocks: int) -> TrainingFrames:
    """The good frames of ``pivots.learnt_from``; see :func:`validation_blocks` for ``share`` and ``blocks``.

    Raises:
        Problem: too few good frames are left to learn from.
    """
    first, past = pivots.learnt_from
    frames = np.arange(first, past)[sequence.good[first:past]]
    validation = validation_blocks(len(frames), share, blocks)
    train = np.setdiff1d(np.arange(len(frames)), validation)
    if len(train) < FEWEST:
        raise Problem(
            f"Only {len(train)} good frames are left to train on; record a longer clip with the face lit "
            "and in view."
        )
    return TrainingFrames(frames, train, validation)


def validation_blocks(count: int, share: float, blocks: int) -> npt.NDArray[np.int64]:
    """Places of evenly spread runs that together are ``share`` of ``count``: ``blocks`` of them, fewer where
    frames are few, because a run has two frames at least and most frames must be left to learn from."""
    blocks = max(1, min(blocks, count // 8))
    length = max(2, round(count * share / blocks))
    starts = (np.arange(blocks) + 0.5) * count / blocks - length / 2
    return np.unique(np.concatenate([np.arange(int(s), int(s) + length) for s in starts])).clip(0, count - 1)
