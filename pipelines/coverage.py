"""What a clip shows of its person, and what to record to fill the gaps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.expression_reach import ExpressionReach, expression_reach
from studio.domain.camera import Floats
from studio.domain.sequence import TrackedSequence

STEP = 10
"""Degrees of a pose bin."""
SIDEWAYS = 20.0
"""Degrees of yaw to each side that an avatar is usually asked for, at least."""
NODDING = 20.0
"""Degrees between the lowest and the highest pitch that an avatar is usually asked for, at least."""


@dataclass(frozen=True)
class Gap:
    """Something a clip does not show."""

    what: str
    """What is missing, e.g. ``turning to the viewer's left beyond -8°``, after “The clip does not show”."""
    advice: str
    """One sentence: what to record to fill it."""


@dataclass(frozen=True)
class Coverage:
    """Which poses and expressions a clip covers."""

    yaw_edges: Floats
    """Bin edges, degrees."""
    pitch_edges: Floats
    """Bin edges, degrees."""
    frames: npt.NDArray[np.int32]
    """``[yaw bins, pitch bins]`` good frames in each; poses beyond the edges count in the outermost bins."""
    expressions: tuple[ExpressionReach, ...]
    """How far each expression goes, in the order they are shown."""
    gaps: tuple[Gap, ...]
    """What to record next, most useful first."""


def coverage(sequence: TrackedSequence) -> Coverage:
    """Count poses on a 10° grid, measure expressions and name what is missing for a lively avatar."""
    angles = sequence.motion.angles[sequence.good]
    yaw_edges = np.arange(-65, 66, STEP, dtype=np.float32)
    pitch_edges = np.arange(-45, 46, STEP, dtype=np.float32)
    # A pose beyond the map is shown at its edge rather than nowhere.
    yaw = np.clip(angles[:, 0], yaw_edges[0], yaw_edges[-1])
    pitch = np.clip(angles[:, 1], pitch_edges[0], pitch_edges[-1])
    frames, _, _ = np.histogram2d(yaw, pitch, bins=[yaw_edges.tolist(), pitch_edges.tolist()])
    expressions = expression_reach(sequence)
    gaps: list[Gap] = []
    if sequence.still:
        pass  # a photo shows one moment, and nothing can be recorded to go with it
    elif not len(angles):
        gaps.append(Gap("one good frame", "Record again in even light, with the whole face in view."))
    else:
        gaps += _pose_gaps(angles)
        gaps += [Gap(one.kind.missing, one.kind.advice) for one in expressions if not one.enough]
    return Coverage(yaw_edges, pitch_edges, frames.astype(np.int32), expressions, tuple(gaps))


def _pose_gaps(angles: Floats) -> list[Gap]:
    low, high = np.percentile(angles, [2, 98], axis=0)
    wanted = (
        (
            low[0] > -SIDEWAYS,
            f"turning to the viewer's left beyond {low[0]:+.0f}°",
            "Turn your head slowly towards your right shoulder and back.",
        ),
        (
            high[0] < SIDEWAYS,
            f"turning to the viewer's right beyond {high[0]:+.0f}°",
            "Turn your head slowly towards your left shoulder and back.",
        ),
        (
            high[1] - low[1] < NODDING,
            f"nodding ({low[1]:+.0f}° to {high[1]:+.0f}°)",
            "Lift your chin slowly, then lower it.",
        ),
    )
    return [Gap(what, advice) for missing, what, advice in wanted if missing]
