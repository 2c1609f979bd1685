"""The same movement at another frame rate."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from studio.domain.camera import Floats
from studio.domain.timeline import Curve, Timeline


def at_rate(timeline: Timeline, rate: Fraction) -> Timeline:
    """A timeline at another rate: everything keeps its moment, to the nearest frame. Keyframes that meet on a
    frame become one, the later of them."""
    if rate == timeline.rate:
        return timeline
    factor = rate / timeline.rate

    def moved(curve: Curve) -> Curve:
        keys = (replace(key, frame=round(key.frame * factor)) for key in curve.keyframes)
        made = curve.through(keys)
        assert made is not None
        return made

    base = timeline.base
    if base is not None:
        values = resampled(base.values, timeline.rate, rate)
        base = replace(base, start=round(base.start * factor), values=values)
    return replace(
        timeline,
        rate=rate,
        length=max(1, round(timeline.length * factor)),
        curves={name: moved(curve) for name, curve in timeline.curves.items()},
        base=base,
    )


def resampled(values: Floats, rate: Fraction, wanted: Fraction) -> Floats:
    """``[T, C]`` values a frame at another rate, straight lines between frames; at least one."""
    if rate == wanted:
        return values.copy()
    count = max(1, round(len(values) / rate * wanted))
    where = np.arange(count) * float(rate / wanted)
    below = np.clip(np.floor(where).astype(int), 0, len(values) - 1)
    above = np.minimum(below + 1, len(values) - 1)
    share = (where - np.floor(where))[:, None]
    return ((1.0 - share) * values[below] + share * values[above]).astype(np.float32)
