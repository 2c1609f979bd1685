"""Choose the frames that stand for a clip: K-means over pose and expression, the sharpest near each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
from annotated_types import Ge

from studio.domain.camera import Floats
from studio.domain.motion import HeadMotion
from studio.domain.pivots import PivotSet
from studio.domain.problem import Problem
from studio.domain.progress import Progress, silent
from studio.domain.sequence import TrackedSequence

FEATURES = ("pitch", "yaw", "jaw", "expression", "eyelids")
"""What is clustered. PVP names pitch, yaw, jaw and expression; this head model keeps eyelids apart from
expression, so they are named too."""
TREMBLE = np.array([2.0, 2.0, *(0.03,) * 3, *(0.2,) * 50, *(0.1,) * 2])
"""``[57]`` deviation, in each feature's own unit, below which it counts as standing still: whitening must not
blow a tracker's tremble up to a movement."""


@dataclass(frozen=True)
class PivotSettings:
    """How pivots are chosen."""

    count: Annotated[int, Ge(2)] = 200
    """How many pivots at most; PVP's 200. Short clips get one for every two frames."""
    sharpest_of: Annotated[int, Ge(1)] = 5
    """The sharpest of this many frames nearest to a cluster's centre is taken."""
    seed: Annotated[int, Ge(0)] = 0
    """K-means' random seed; the same clip and settings give the same pivots."""


def pivot_features(motion: HeadMotion) -> Floats:
    """``[T, D]`` what is clustered, unwhitened: degrees, degrees, radians, coefficients, closure."""
    columns = [motion.angles[:, 1:2], motion.angles[:, :1], motion.jaw, motion.expression, motion.eyelids]
    return np.concatenate(columns, 1).astype(np.float32)


def pick_pivots(
    sequence: TrackedSequence,
    settings: PivotSettings,
    train: slice,
    progress: Progress = silent,
) -> PivotSet:
    """Cluster the good frames of ``train`` and take one frame from each cluster (PVP, section 4.1).

    Features are divided by their standard deviation (scipy's "whitening", as PVP does); the 50 expression
    coefficients together weigh as much as pitch, yaw, jaw and eyelids do, because the basis has many small
    ones that are mostly noise.

    Raises:
        Problem: fewer than two good frames to choose from.
    """
    from sklearn.cluster import (
        KMeans,
    )  # heavy, and the command line reads this module's settings for its help

    candidates = np.arange(len(sequence))[train]
    candidates = candidates[sequence.good[candidates]]
    if len(candidates) < 2:
        raise Problem(
            "Too few good frames to build from; record a longer clip with the face lit and in view."
        )
    features = pivot_features(sequence.motion)[candidates].astype(np.float64)
    mean = features.mean(0)
    deviation = np.maximum(features.std(0), TREMBLE)
    weight = np.ones(features.shape[1])
    weight[5:55] = np.sqrt(7.0 / 50.0)
    white = (features - mean) / deviation * weight
    count = int(min(settings.count, max(2, len(candidates) // 2)))
    progress(0, count, "Choosing pivots")
    means = KMeans(count, n_init=1, max_iter=50, random_state=settings.seed).fit(white)
    chosen, members, distances, reasons = [], [], [], []
    for cluster in range(count):
        inside = np.flatnonzero(means.labels_ == cluster)
        if not len(inside):
            continue
        distance = np.linalg.norm(white[inside] - means.cluster_centers_[cluster], axis=1)
        near = inside[np.argsort(distance)[: settings.sharpest_of]]
        best = near[np.argmax(sequence.sharpness[candidates[near]])]
        chosen.append(int(candidates[best]))
        members.append(len(inside))
        distances.append(float(np.linalg.norm(white[best] - means.cluster_centers_[cluster])))
        pitch, yaw = sequence.motion.angles[chosen[-1], 1], sequence.motion.angles[chosen[-1], 0]
        reasons.append(
            f"sharpest of {len(near)} near the middle of {len(inside)} alike frames "
            f"(yaw {yaw:+.0f}°, pitch {pitch:+.0f}°)"
        )
    order = np.argsort(chosen)
    progress(count, count, "Choosing pivots")
    return PivotSet(
        frames=np.array(chosen, np.int32)[order],
        members=np.array(members, np.int32)[order],
        distance=np.array(distances, np.float32)[order],
        reasons=tuple(reasons[i] for i in order),
        features=FEATURES,
        mean=mean.astype(np.float32),
        deviation=deviation.astype(np.float32),
        learnt_from=(int(train.start or 0), int(len(sequence) if train.stop is None else train.stop)),
    )


@dataclass(frozen=True)
class Gap:
    """Something a clip does not show."""

    what: str
    """What is missing, e.g. ``looking left beyond -8°``."""
    advice: str
    """What to record to fill it."""


@dataclass(frozen=True)
class Coverage:
    """Which poses and expressions a clip covers."""

    yaw_edges: Floats
    """Bin edges, degrees."""
    pitch_edges: Floats
    """Bin edges, degrees."""
    frames: npt.NDArray[np.int32]
    """``[yaw bins, pitch bins]`` good frames in each."""
    gaps: tuple[Gap, ...]
    """What to record next, most useful first."""


def coverage(sequence: TrackedSequence) -> Coverage:
    """Count poses on a 10° grid and name what is missing for a lively avatar.

    What an avatar is usually asked for: ±30° of yaw, ±15° of pitch, an open mouth, closed eyes.
    """
    good = sequence.good
    angles = sequence.motion.angles[good]
    yaw_edges = np.arange(-65, 66, 10, dtype=np.float32)
    pitch_edges = np.arange(-45, 46, 10, dtype=np.float32)
    frames, _, _ = np.histogram2d(angles[:, 0], angles[:, 1], bins=[yaw_edges.tolist(), pitch_edges.tolist()])
    gaps = []
    if not len(angles):
        gaps.append(Gap("no good frame at all", "Record again in even light, with the whole face in view."))
    else:
        low, high = np.percentile(angles, [2, 98], axis=0)
        wanted = (
            (
                low[0] > -20,
                f"turning to the viewer's left beyond {low[0]:+.0f}°",
                "Turn slowly to one side and back.",
            ),
            (
                high[0] < 20,
                f"turning to the viewer's right beyond {high[0]:+.0f}°",
                "Turn slowly to the other side.",
            ),
            (
                high[1] - low[1] < 20,
                f"nodding ({low[1]:+.0f}° to {high[1]:+.0f}°)",
                "Lift and lower the chin slowly.",
            ),
            (_reach(sequence.motion.jaw[good][:, 0]) < 0.12, "a wide open mouth", "Say a long “aah”."),
            (_reach(sequence.motion.eyelids[good].mean(1)) < 0.4, "closed eyes", "Blink slowly a few times."),
            (
                _reach(sequence.motion.gaze[good][:, 0]) < 12,
                "eyes looking aside",
                "Look left and right, head still.",
            ),
        )
        gaps += [Gap(what, advice) for missing, what, advice in wanted if missing]
    return Coverage(yaw_edges, pitch_edges, frames.astype(np.int32), tuple(gaps))


def _reach(values: Floats) -> float:
    """How far a value goes beyond its usual: 99th percentile minus 20th."""
    high, low = np.percentile(values, [99, 20])
    return float(high - low)
