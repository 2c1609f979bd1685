"""A curve's values: what lies between keyframes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import ArrayLike, NDArray

from studio.domain.timeline import Curve, Ease, Keyframe

Values = NDArray[np.float64]
Frames = NDArray[np.int64]

_SHAPES: dict[Ease, Callable[[Values], Values]] = {
    "hold": np.zeros_like,
    "linear": lambda share: share,
    "ease-in": np.square,
    "ease-out": lambda share: share * (2.0 - share),
    "ease-in-out": lambda share: share * share * (3.0 - 2.0 * share),
}
"""Share of the way in time, 0 to 1, to the share of the way in value."""
ROUGHEST = {"angle": 0.75, "coefficient": 0.3, "amount": 0.03, "length": 0.0015}
"""How far, by kind of control and in its unit, few keyframes may miss a recorded motion: what tracking
trembles by, and hardly to be seen."""


def curve_values(curve: Curve, at: ArrayLike, period: int | None = None) -> Values:
    """What a curve says.

    Args:
        curve: its keyframes. ``smooth`` is a monotone cubic (Fritsch and Carlson 1980) through each run of
            smooth keyframes, which never overshoots; one between two keyframes alone is a straight line.
        at: ``[T]`` moments in frames, whole or not.
        period: frames after which everything begins again, None for a curve that stays where it ends.

    Returns:
        ``[T]`` values. Before its first keyframe a curve rests, so a smooth one leaves that gently. With a
        period the last keyframe leads to the first one of the next round; keyframes
        beyond the period do not count.
    """
    moments = np.asarray(at, np.float64)
    keys: Sequence[Keyframe] = curve.keyframes
    frames, values = curve.points
    if period is not None:
        count = max(1, int(np.searchsorted(frames, period)))  # without any within, the first one counts
        keys = list(keys[:count]) * 5
        frames = np.concatenate([frames[:count] + turn * period for turn in (-2, -1, 0, 1, 2)])
        values = np.tile(values[:count], 5)
        moments = np.mod(moments, period)
    elif frames[0] > 0:  # as control files have it, where every curve begins at 0
        keys = [Keyframe(0, keys[0].value, "smooth"), *keys]
        frames, values = np.insert(frames, 0, 0.0), np.insert(values, 0, values[0])
    if len(keys) == 1 or not len(moments):
        return np.full(moments.shape, values[0])
    moments = np.clip(moments, frames[0], frames[-1])
    # What lies farther than three keyframes away has no say: a moment of a long recording costs little.
    near = slice(
        max(0, int(np.searchsorted(frames, moments.min())) - 3),
        int(np.searchsorted(frames, moments.max(), side="right")) + 3,
    )
    keys, frames, values = keys[near], frames[near], values[near]
    if (values == values[0]).all():
        return np.full(moments.shape, values[0])
    segment = np.clip(np.searchsorted(frames, moments, side="right") - 1, 0, len(keys) - 2)
    return _between(keys, frames, values, moments, segment)


def _between(
    keys: Sequence[Keyframe], frames: Values, values: Values, moments: Values, segment: Frames
) -> Values:
    result = np.empty(moments.shape)
    eases = [key.ease for key in keys[:-1]]
    for ease, run in groupby(range(len(eases)), key=lambda i: eases[i]):
        first, *more = run
        last = more[-1] if more else first
        inside = (segment >= first) & (segment <= last)
        if not inside.any():
            continue
        if ease == "smooth":
            nodes = slice(first, last + 2)
            of = segment[inside] - first
            result[inside] = _monotone(frames[nodes], values[nodes], moments[inside], of)
            continue
        of = segment[inside]
        share = (moments[inside] - frames[of]) / (frames[of + 1] - frames[of])
        result[inside] = values[of] + _SHAPES[ease](share) * (values[of + 1] - values[of])
    # The end of the last segment is the last keyframe itself, which a hold never reaches.
    result[moments >= frames[-1]] = values[-1]
    return result


def _monotone(frames: Values, values: Values, moments: Values, segment: Frames) -> Values:
    """What scipy's PchipInterpolator gives (a test holds that): ours because scipy takes long to load, and a
    curve is drawn anew for every step of a dragged keyframe."""
    if len(frames) == 2:
        return values[0] + (moments - frames[0]) / (frames[1] - frames[0]) * (values[1] - values[0])
    wide = np.diff(frames)
    slope = np.diff(values) / wide
    steep = np.zeros(len(frames))
    along = slope[:-1] * slope[1:] > 0
    before, after = 2 * wide[1:] + wide[:-1], wide[1:] + 2 * wide[:-1]
    mean = (before / np.where(along, slope[:-1], 1.0) + after / np.where(along, slope[1:], 1.0)) / (
        before + after
    )
    steep[1:-1] = np.where(along, 1.0 / mean, 0.0)
    steep[0] = _end_steepness(wide[0], wide[1], slope[0], slope[1])
    steep[-1] = _end_steepness(wide[-1], wide[-2], slope[-1], slope[-2])
    width = wide[segment]
    s = (moments - frames[segment]) / width
    low, rise = values[segment], values[segment + 1] - values[segment]
    leave, arrive = steep[segment] * width, steep[segment + 1] * width
    return low + s * (leave + s * (3 * rise - 2 * leave - arrive + s * (leave + arrive - 2 * rise)))


def _end_steepness(near: float, far: float, slope: float, next_slope: float) -> float:
    """Three-point estimate at an end, kept from overshooting (Moler, Numerical Computing with MATLAB)."""
    steep = ((2 * near + far) * slope - near * next_slope) / (near + far)
    if steep * slope <= 0:
        return 0.0
    if slope * next_slope <= 0 and abs(steep) > 3 * abs(slope):
        return 3 * slope
    return steep


def fewest_keyframes(values: ArrayLike, tolerance: float, start: int = 0, ease: Ease = "smooth") -> Curve:
    """A curve with few keyframes through a value per frame.

    In the manner of Ramer, Douglas and Peucker, with the curve's own interpolation: wherever a stretch
    between two keyframes misses by more than the tolerance, its worst frame becomes a keyframe.

    Args:
        values: ``[T]`` one value a frame, T ≥ 1.
        tolerance: most that any frame may be missed by, in the values' unit, ≥ 0.
        start: frame of the first value.
        ease: ``smooth`` or ``linear``.
    """
    wanted = np.asarray(values, np.float64)
    if wanted.ndim != 1 or not len(wanted) or tolerance < 0 or ease not in ("smooth", "linear"):
        raise ValueError(f"no keyframes through {wanted.shape} within {tolerance} by {ease}")
    if np.ptp(wanted) <= 2 * tolerance:
        middle = float(wanted.max() + wanted.min()) / 2
        return Curve((Keyframe(start, middle, ease),))
    nodes = np.array([0, len(wanted) - 1])
    frames = np.arange(len(wanted))
    while True:
        curve = Curve(tuple(Keyframe(start + int(n), float(wanted[n]), ease) for n in nodes))
        error = np.abs(curve_values(curve, start + frames) - wanted)
        error[nodes] = 0.0
        stretches = zip(nodes, nodes[1:])
        worst = [a + int(error[a:b].argmax()) for a, b in stretches if error[a:b].max() > tolerance]
        if not worst:
            return curve
        nodes = np.union1d(nodes, worst)
