"""Choose the frames that stand for a clip: K-means over pose and expression, the sharpest near each.

A person may lock frames, which are then always taken, and forbid frames, which are then never taken. The
clusters stay what they are, so that a wish changes the choice in its own cluster and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from annotated_types import Ge

from studio.domain.camera import Floats
from studio.domain.motion import HeadMotion
from studio.domain.pivots import PivotSet
from studio.domain.problem import Problem
from studio.domain.progress import Progress, silent
from studio.domain.sequence import FLAG_SENTENCES, TrackedSequence

FEATURES = ("pitch", "yaw", "jaw", "expression", "eyelids")
"""What is clustered. PVP names pitch, yaw, jaw and expression; this head model keeps eyelids apart from
expression, so they are named too."""
TREMBLE = np.array([2.0, 2.0, *(0.03,) * 3, *(0.2,) * 50, *(0.1,) * 2])
"""``[57]`` deviation, in each feature's own unit, below which it counts as standing still: whitening must not
blow a tracker's tremble up to a movement."""


Whitened = npt.NDArray[np.float64]
"""Features in deviations, weighted."""


@dataclass(frozen=True)
class PivotSettings:
    """How pivots are chosen."""

    count: Annotated[int, Ge(2)] = 200
    """How many pivots at most; PVP's 200. Short clips get one for every two frames."""
    sharpest_of: Annotated[int, Ge(1)] = 5
    """The sharpest of this many frames nearest to a cluster's centre is taken."""
    seed: Annotated[int, Ge(0)] = 0
    """The random seed; the same clip and settings give the same pivots."""
    choice: Literal["kmeans", "random"] = "kmeans"
    """kmeans: a frame from each cluster. random: as many good frames, whatever they show; only to measure
    what clustering is worth."""
    locked: tuple[Annotated[int, Ge(0)], ...] = field(default=(), metadata={"absent": ()})
    """Numbers of frames that are always pivots, the clip's first being 0. Several that are alike come on top
    of the count."""
    forbidden: tuple[Annotated[int, Ge(0)], ...] = field(default=(), metadata={"absent": ()})
    """Numbers of frames that are never pivots; the next best frame of the same kind is taken instead."""


def pivot_features(motion: HeadMotion) -> Floats:
    """``[T, D]`` what is clustered, unwhitened: degrees, degrees, radians, coefficients, closure."""
    columns = [motion.angles[:, 1:2], motion.angles[:, :1], motion.jaw, motion.expression, motion.eyelids]
    return np.concatenate(columns, 1).astype(np.float32)


def whitened(motion: HeadMotion) -> tuple[Whitened, Whitened, Whitened]:
    """Features ``[T, D]`` in deviations of these frames, weighted so that near means alike; and the mean and
    deviation ``[D]`` of each. The 50 expression coefficients together weigh as much as pitch, yaw, jaw and
    eyelids do, because the basis has many small ones that are mostly noise."""
    features = pivot_features(motion).astype(np.float64)
    mean = features.mean(0)
    deviation = np.maximum(features.std(0), TREMBLE)
    weight = np.ones(features.shape[1])
    weight[5:55] = np.sqrt(7.0 / 50.0)
    return (features - mean) / deviation * weight, mean, deviation


def pick_pivots(
    sequence: TrackedSequence,
    settings: PivotSettings,
    train: slice,
    progress: Progress = silent,
) -> PivotSet:
    """Cluster the good frames of ``train`` and take one frame from each cluster (PVP, section 4.1).

    With ``choice="random"`` every good frame is as likely as any other instead, and a pivot stands for the
    frames that it is the nearest pivot of.

    Features are divided by their standard deviation (scipy's "whitening", as PVP does), see :func:`whitened`.

    A photo's one frame is its one pivot.

    Raises:
        Problem: fewer than two good frames of a clip to choose from, or a locked frame cannot be a pivot.
    """
    candidates = np.arange(len(sequence))[train]
    candidates = candidates[sequence.good[candidates]]
    if len(candidates) < 2 and not (sequence.still and len(candidates)):
        raise Problem(
            "Too few good frames to build from; record a longer clip with the face lit and in view."
        )
    check_wishes(sequence, settings, train)
    if sequence.still:
        return _only(sequence.motion)
    wishes = _Wishes(np.isin(candidates, settings.locked), np.isin(candidates, settings.forbidden))
    white, mean, deviation = whitened(sequence.motion.take(candidates))
    count = int(min(settings.count, max(2, len(candidates) // 2)))
    progress(0, count, "Choosing pivots")
    if settings.choice == "random":
        picks = _drawn(white, count, settings.seed, wishes)
    else:
        picks = _clustered(white, count, settings, sequence.sharpness[candidates], wishes)
    if len(picks) < 2:
        raise Problem("Too few frames are left to build from: forbid fewer of them.")
    chosen = candidates[[pick.row for pick in picks]]
    order = np.argsort(chosen)
    progress(count, count, "Choosing pivots")
    return PivotSet(
        frames=chosen[order].astype(np.int32),
        members=np.array([pick.members for pick in picks], np.int32)[order],
        distance=np.array([pick.distance for pick in picks], np.float32)[order],
        reasons=tuple(f"{picks[i].reason} ({_pose(sequence.motion, int(chosen[i]))})" for i in order),
        features=FEATURES,
        mean=mean.astype(np.float32),
        deviation=deviation.astype(np.float32),
        learnt_from=(int(train.start or 0), int(len(sequence) if train.stop is None else train.stop)),
    )


def _only(motion: HeadMotion) -> PivotSet:
    """A photo's one frame."""
    _, mean, deviation = whitened(motion)
    return PivotSet(
        frames=np.zeros(1, np.int32),
        members=np.ones(1, np.int32),
        distance=np.zeros(1, np.float32),
        reasons=(f"the only picture ({_pose(motion, 0)})",),
        features=FEATURES,
        mean=mean.astype(np.float32),
        deviation=deviation.astype(np.float32),
        learnt_from=(0, 1),
    )


class _Pick(NamedTuple):
    """One candidate that becomes a pivot; the rest as in PivotSet."""

    row: int
    members: int
    distance: float
    reason: str


class _Wishes(NamedTuple):
    """Which of the C candidates are wanted and which are not, ``[C]`` each."""

    locked: npt.NDArray[np.bool_]
    forbidden: npt.NDArray[np.bool_]


def check_wishes(sequence: TrackedSequence, settings: PivotSettings, train: slice) -> None:
    """Whether every locked frame can be a pivot. Raises Problem, naming the first that cannot."""
    learnt = range(len(sequence))[train]
    for frame in settings.locked:
        if frame in settings.forbidden:
            raise Problem(f"Frame {frame} is both locked and forbidden as a pivot: choose one of the two.")
        why = None
        if frame >= len(sequence):
            why = f"the clip ends with frame {len(sequence) - 1}"
        elif frame not in learnt:
            why = "it lies in the part of the clip that is kept for judging"
        elif not sequence.good[frame]:
            why = next(words for flag, words in FLAG_SENTENCES.items() if int(sequence.flags[frame]) & flag)
        if why:
            raise Problem(f"Frame {frame} cannot be a pivot, because {why}: lock another one.")


def _clustered(
    white: Whitened, count: int, settings: PivotSettings, sharpness: Floats, wishes: _Wishes
) -> list[_Pick]:
    """Of each cluster what is locked, otherwise the sharpest of the candidates near its centre.

    ``white`` ``[C, D]``, ``sharpness`` ``[C]``.
    """
    # Heavy, and the command line reads this module's settings for its help.
    from sklearn.cluster import KMeans

    means = KMeans(count, n_init=1, max_iter=50, random_state=settings.seed).fit(white)
    picks = []
    for cluster in range(count):
        inside = np.flatnonzero(means.labels_ == cluster)
        centre = means.cluster_centers_[cluster]
        locked = inside[wishes.locked[inside]]
        if len(locked):
            picks += _locked(white, inside, locked, centre)
            continue
        free = inside[~wishes.forbidden[inside]]
        if not len(free):
            continue
        distance = np.linalg.norm(white[free] - centre, axis=1)
        near = free[np.argsort(distance)[: settings.sharpest_of]]
        best = int(near[np.argmax(sharpness[near])])
        reason = f"sharpest of {len(near)} near the middle of {len(inside)} alike frames"
        if len(free) < len(inside):
            reason += f", without the {len(inside) - len(free)} that you ruled out"
        picks.append(_Pick(best, len(inside), float(np.linalg.norm(white[best] - centre)), reason))
    return picks


def _locked(
    white: Whitened, inside: npt.NDArray[np.intp], locked: npt.NDArray[np.intp], centre: Whitened
) -> list[_Pick]:
    """A cluster's locked rows; each stands for the rows ``inside`` that it is nearest to."""
    shares = _nearest(white[inside], white[locked])
    return [
        _Pick(int(row), int(share), float(np.linalg.norm(white[row] - centre)), _LOCKED.format(share))
        for row, share in zip(locked, shares)
    ]


_LOCKED = "locked by you, one of {} alike frames"


def _drawn(white: Whitened, count: int, seed: int, wishes: _Wishes) -> list[_Pick]:
    """As many of the ``[C, D]`` candidates at random, what is locked among them."""
    locked = np.flatnonzero(wishes.locked)
    free = np.flatnonzero(~wishes.locked & ~wishes.forbidden)
    wanted = min(max(count - len(locked), 0), len(free))
    rows = np.concatenate([locked, np.random.default_rng(seed).choice(free, wanted, replace=False)])
    members = _nearest(white, white[rows])
    return [
        _Pick(
            int(row),
            int(alike),
            0.0,
            _LOCKED.format(alike) if wishes.locked[row] else f"drawn at random, nearest to {alike} frames",
        )
        for row, alike in zip(rows, members)
    ]


def _nearest(rows: Whitened, centres: Whitened) -> npt.NDArray[np.intp]:
    """``[N]`` of how many of the ``rows`` each of the N ``centres`` is the nearest."""
    nearest = [int(((centres - one) ** 2).sum(1).argmin()) for one in rows]
    return np.bincount(nearest, minlength=len(centres))


def _pose(motion: HeadMotion, frame: int) -> str:
    yaw, pitch, _ = motion.angles[frame]
    return f"yaw {yaw:+.0f}°, pitch {pitch:+.0f}°"
