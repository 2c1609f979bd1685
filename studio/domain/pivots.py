"""PivotSet: the few frames that stand for a whole clip, and what a person wishes of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats


@dataclass(frozen=True)
class PivotSet:
    """N chosen frames of a TrackedSequence, each standing for a cluster of poses and expressions."""

    frames: npt.NDArray[np.int32]
    """``[N]`` frame numbers, ascending."""
    members: npt.NDArray[np.int32]
    """``[N]`` how many frames each one stands for."""
    distance: Floats
    """``[N]`` whitened distance from the chosen frame to its cluster's centre."""
    reasons: tuple[str, ...]
    """N clauses saying why each frame was chosen, for the window."""
    features: tuple[str, ...]
    """Which parameters were clustered, e.g. ``("pitch", "yaw", "jaw", "expression")``."""
    mean: Floats
    """``[D]`` feature mean used to whiten."""
    deviation: Floats
    """``[D]`` feature standard deviation used to whiten."""
    learnt_from: tuple[int, int]
    """First frame and one past the last frame that the choice was allowed to see."""

    def __len__(self) -> int:
        return len(self.frames)


@dataclass(frozen=True)
class PivotWishes:
    """Frames that a person wants among the pivots, and frames that they do not."""

    locked: tuple[int, ...] = ()
    """Frame numbers that are always taken, ascending."""
    forbidden: tuple[int, ...] = ()
    """Frame numbers that are never taken, ascending."""

    def lock(self, frame: int) -> PivotWishes:
        """Always take ``frame``."""
        return PivotWishes(_with(self.locked, frame), _without(self.forbidden, frame))

    def unlock(self, frame: int) -> PivotWishes:
        """Take ``frame`` only if it is chosen like any other."""
        return PivotWishes(_without(self.locked, frame), self.forbidden)

    def swap(self, frame: int, other: int | None = None) -> PivotWishes:
        """Never take ``frame``: ``other`` instead, or without one the next best of its cluster."""
        if other == frame:
            return self
        without = PivotWishes(_without(self.locked, frame), _with(self.forbidden, frame))
        return without if other is None else without.lock(other)

    def allow(self, frame: int) -> PivotWishes:
        """Take a forbidden ``frame`` again if it is chosen."""
        return PivotWishes(self.locked, _without(self.forbidden, frame))


def _with(frames: tuple[int, ...], frame: int) -> tuple[int, ...]:
    return tuple(sorted({*frames, frame}))


def _without(frames: tuple[int, ...], frame: int) -> tuple[int, ...]:
    return tuple(one for one in frames if one != frame)
