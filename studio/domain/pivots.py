"""PivotSet: the few frames that stand for a whole clip."""

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
