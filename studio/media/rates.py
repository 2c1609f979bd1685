"""From timestamps to one exact constant rate, and which source frame each output frame shows.

Phones film at a variable rate and their containers state averages such as 519168/19667. Everything
behind this package works on a constant rational rate, so the rate is read off the timestamps themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np
import numpy.typing as npt

STANDARD_RATES = tuple(
    Fraction(numerator, denominator)
    for numerator, denominator in (
        *((5, 1), (8, 1), (10, 1), (12000, 1001), (12, 1), (25, 2), (15000, 1001), (15, 1), (20, 1)),
        *((24000, 1001), (24, 1), (25, 1), (30000, 1001), (30, 1), (48000, 1001), (48, 1), (50, 1)),
        *((60000, 1001), (60, 1), (90, 1), (100, 1), (120000, 1001), (120, 1), (240000, 1001), (240, 1)),
    )
)
"""Frames per second that cameras and editors mean."""

SNAP = Fraction(1, 400)
"""A measured rate this close to a standard one, relatively, is taken for it."""
FALLBACK = Fraction(30)
"""Rate of a video that does not say: a single picture."""
HIGHEST = Fraction(1000)
"""Faster than this is a broken time base, not a camera."""


def choose_rate(stamps: Sequence[int], time_base: Fraction, declared: Fraction | None = None) -> Fraction:
    """The constant rate that fits presentation times best.

    Where most gaps between frames agree (a steady camera, perhaps with dropped frames), it is the rate of
    those gaps, so that no picture is lost; otherwise the average. Near a standard rate it is that rate.

    Args:
        stamps: N ascending times in units of ``time_base``.
        time_base: Seconds per unit.
        declared: What the container claims; believed only to tell 30 from 30000/1001 in clips too short or
            too coarsely stamped to measure the difference.

    Returns:
        Frames per second, exact, greater than 0 and at most 1000.
    """
    gaps = sorted(after - before for before, after in pairwise(stamps) if after > before)
    if not gaps:
        return _standard(declared, SNAP, None) or declared or FALLBACK if _sane(declared) else FALLBACK
    # A tick and a half of slack: 240 frames/s on a 1/600 s base alternates between 2 and 3 ticks.
    middle = gaps[len(gaps) // 2]
    slack = max(Fraction(middle, 10), Fraction(3, 2))
    steady = [gap for gap in gaps if abs(gap - middle) <= slack]
    if 2 * len(steady) >= len(gaps):
        # Gaps left by dropped frames count as several: the longer the time, the finer the measure.
        pace = Fraction(sum(steady), len(steady))
        counts = [max(round(gap / pace), 1) for gap in gaps]
        fitting = [(gap, count) for gap, count in zip(gaps, counts) if abs(gap - count * pace) <= slack]
    else:
        fitting = [(gap, 1) for gap in gaps]
    span = sum(gap for gap, _ in fitting)
    rate = Fraction(sum(count for _, count in fitting)) / (span * time_base)
    if rate > HIGHEST:
        rate = min(Fraction(len(gaps)) / (sum(gaps) * time_base), HIGHEST)
    # Two ends, each rounded to a tick.
    doubt = min(max(SNAP, Fraction(2, span)), Fraction(1, 50))
    standard = _standard(rate, doubt, declared)
    if standard is not None:
        return standard
    return rate.limit_denominator(1001) or Fraction(1, 1001)


def _sane(rate: Fraction | None) -> bool:
    return rate is not None and 0 < rate <= HIGHEST


def _standard(rate: Fraction | None, within: Fraction, declared: Fraction | None) -> Fraction | None:
    if rate is None:
        return None
    near = [each for each in STANDARD_RATES if abs(each - rate) <= within * each]
    if declared in near:
        return declared
    return min(near, key=lambda each: abs(each - rate), default=None)


def shown_frames(stamps: Sequence[int], time_base: Fraction, rate: Fraction) -> npt.NDArray[np.int64]:
    """Which source frame is on screen at each output time.

    Output frame n is at ``n / rate`` after the first source frame. Each source frame goes to the nearest
    output time (half-way rounds up) and stays until the next one; of several that share one output time the
    last is shown. Times are therefore kept to half a frame, and a clip that already has this rate, with
    times rounded to its time base, maps one to one.

    Args:
        stamps: N >= 1 ascending times in units of ``time_base``.

    Returns:
        ``[T]`` indices into ``stamps``, ascending; the last source frame is shown once.
    """
    step = time_base * rate
    slots = [
        (2 * (stamp - stamps[0]) * step.numerator + step.denominator) // (2 * step.denominator)
        for stamp in stamps
    ]
    return np.searchsorted(np.array(slots, np.int64), np.arange(slots[-1] + 1), side="right") - 1
