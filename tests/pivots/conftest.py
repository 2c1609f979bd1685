"""Tracked sequences that are made up, for what only looks at poses, expressions and flags."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from studio.domain.motion import HeadMotion
from studio.domain.sequence import TrackedSequence


def clip_of(
    motion: HeadMotion,
    flags: np.ndarray | None = None,
    sharpness: np.ndarray | None = None,
    head_model: str = "builtin-1",
) -> TrackedSequence:
    """A clip in which the head does this."""
    count = len(motion)
    square = np.tile(np.array([1 / 512, 0, 0, 0], np.float32), (count, 1))
    return TrackedSequence(
        width=512,
        height=512,
        rate=Fraction(30),
        landmarks=np.zeros((count, 478, 3), np.float32),
        crops=square,
        mask_boxes=square,
        flags=np.zeros(count, np.int32) if flags is None else flags.astype(np.int32),
        sharpness=np.full(count, 0.8, np.float32) if sharpness is None else sharpness.astype(np.float32),
        head_model=head_model,
        identity=np.zeros(4, np.float32),
        offset=np.zeros((478, 3), np.float32),
        motion=motion,
        fit_error=np.zeros(count, np.float32),
        tracker="test",
    )


@pytest.fixture
def made_clip() -> Callable[..., TrackedSequence]:
    """See :func:`clip_of`."""
    return clip_of


@pytest.fixture
def still() -> Callable[[int], HeadMotion]:
    """A neutral head for so many frames, looking straight ahead."""
    return lambda frames: HeadMotion.neutral(frames, np.array([1000.0, 256.0, 256.0]))
