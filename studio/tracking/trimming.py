"""Using only a part of a clip: which frames that is, and what was found there as frames of the whole clip."""

from __future__ import annotations

from dataclasses import fields, replace
from fractions import Fraction
from math import floor

import numpy as np
import numpy.typing as npt

from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem
from studio.domain.sequence import Flag, TrackedSequence
from studio.tracking.settings import TrackSettings


def chosen_frames(settings: TrackSettings, rate: Fraction, frames: int) -> slice:
    """The frames that lie between the settings' first and last second.

    A border belongs to the nearest frame's beginning, so that ``n / rate`` seconds mean frame ``n`` exactly.

    Args:
        settings: how the clip is tracked.
        rate: its frames per second.
        frames: how many it has.

    Raises:
        Problem: the part is empty or begins after the clip's end.
    """
    if settings.start * rate >= frames:
        seconds = float(frames / rate)
        raise Problem(
            f"The clip lasts {seconds:.1f} seconds and cannot be used from second {settings.start:g} on: "
            "choose an earlier start."
        )
    if settings.end is not None and settings.end <= settings.start:
        raise Problem(
            f"Nothing lies between second {settings.start:g} and second {settings.end:g}: "
            "choose an end after the start."
        )
    first = _nearest(settings.start, rate)
    last = frames if settings.end is None or settings.end * rate >= frames else _nearest(settings.end, rate)
    if last <= first:
        raise Problem(
            f"No frame lies between second {settings.start:g} and second {settings.end:g}: "
            "choose a longer part."
        )
    return slice(first, last)


def _nearest(seconds: float, rate: Fraction) -> int:
    return floor(Fraction(seconds) * rate + Fraction(1, 2))


def in_whole_clip(sequence: TrackedSequence, before: int, after: int) -> TrackedSequence:
    """A sequence of a part of a clip with the frames around it, which are flagged as trimmed.

    Args:
        sequence: T frames.
        before, after: how many frames of the clip lie before and after it.

    Returns:
        ``before + T + after`` frames; those around repeat the nearest one of the part, with no sharpness.
    """
    if not before and not after:
        return sequence
    flags = np.full(before + len(sequence) + after, int(Flag.TRIMMED), np.int32)
    flags[before : before + len(sequence)] = sequence.flags
    sharpness = np.zeros(len(flags), np.float32)
    sharpness[before : before + len(sequence)] = sequence.sharpness
    motion = HeadMotion(
        **{f.name: with_edges(getattr(sequence.motion, f.name), before, after) for f in fields(HeadMotion)}
    )
    return replace(
        sequence,
        landmarks=with_edges(sequence.landmarks, before, after),
        crops=with_edges(sequence.crops, before, after),
        mask_boxes=with_edges(sequence.mask_boxes, before, after),
        fit_error=with_edges(sequence.fit_error, before, after),
        flags=flags,
        sharpness=sharpness,
        motion=motion,
    )


def with_edges(values: npt.NDArray[np.float32], before: int, after: int) -> npt.NDArray[np.float32]:
    """``[T, ...]`` with its first row repeated ``before`` times ahead and its last ``after`` times behind."""
    return np.pad(values, [(before, after), *[(0, 0)] * (values.ndim - 1)], mode="edge")
