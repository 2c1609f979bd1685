"""A part of a control track, at the rate that is wanted: motion stays where it was in time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from studio.domain.controls import ControlTrack
from studio.domain.problem import Problem

RATES = (Fraction(1), Fraction(240))
"""Lowest and highest rate that is written."""
MOST = 24 * 3600
"""Longest video, in seconds."""
_END = re.compile(r"(?P<number>\d+(\.\d+)?)(?P<seconds>s?)")

End = int | Fraction
"""Frame number, or time in seconds."""


@dataclass(frozen=True)
class Cut:
    """What is shown of a motion."""

    track: ControlTrack
    """The states to show, at the rate of the video."""
    start: Fraction
    """When, in the motion, its first state is; seconds."""


def parse_range(text: str) -> tuple[End | None, End | None]:
    """``FIRST:LAST`` as frame numbers (int) or seconds (Fraction), None where left out; ``all`` is both.

    Raises:
        Problem: it is no range.
    """
    if text.strip().lower() in ("", "all"):
        return None, None
    first, colon, last = (part.strip() for part in text.partition(":"))
    try:
        if not colon:
            raise ValueError
        return _end(first), _end(last)
    except ValueError:
        raise Problem(
            f"{text!r} is no range: write frames as 25:99, seconds as 1.5s:4s, or leave one side out (2s:)."
        ) from None


def _end(text: str) -> End | None:
    if not text:
        return None
    found = _END.fullmatch(text)
    if found is None or len(text) > 20:
        raise ValueError
    return Fraction(found["number"]) if found["seconds"] else int(found["number"])


def parse_rate(text: str) -> Fraction | None:
    """Frames per second, exact; None for ``own``, the motion's.

    Raises:
        Problem: it is no rate, or one that cannot be written.
    """
    if text.strip().lower() in ("", "own"):
        return None
    try:
        rate = Fraction(text) if len(text) <= 40 else None
    except (ValueError, ZeroDivisionError):
        rate = None
    if rate is None:
        raise Problem(f"{text!r} is no frame rate: write a number such as 25, or 30000/1001.")
    if not RATES[0] <= rate <= RATES[1]:
        raise Problem(f"A rate of {text} frames a second cannot be written: choose from 1 to 240.")
    return rate.limit_denominator(100_000)


def cut_motion(track: ControlTrack, range_text: str = "all", rate_text: str = "own") -> Cut:
    """The part of a track that a range names, at a rate.

    A frame of the track is shown from its own time until the next one's. At another rate, states between two
    frames lie on a curve through all of them that never leaves the values of its neighbours (a closed eye
    stays closed, not more); the first state is exactly that of the range's beginning.

    Raises:
        Problem: the range or rate makes no sense, or nothing of the track is in it.
    """
    first, last = parse_range(range_text)
    rate = parse_rate(rate_text) or track.rate
    length = len(track) / track.rate
    start = _time(first, track.rate)
    # A last frame is shown, so the range ends where the next one would begin; seconds end where they say.
    end = length if last is None else min(_time(last, track.rate) + _one(last, track.rate), length)
    if start >= end:
        raise Problem(
            f"The range {range_text} shows nothing of this motion, which has {len(track)} frames, "
            f"{float(length):.2f} seconds."
        )
    count = -(-(end - start) * rate // 1)
    times = [start + n / rate for n in range(int(count))]
    places = [time * track.rate for time in times]
    if all(place.denominator == 1 for place in places):
        # Exactly what was asked for, not what a curve makes of it.
        values = track.values[[int(place) for place in places]]
    else:
        values = _between(track.values, np.array([float(place) for place in places]))
    return Cut(ControlTrack(track.names, np.ascontiguousarray(values, np.float32), rate), start)


def _time(end: End | None, rate: Fraction) -> Fraction:
    if end is None:
        return Fraction(0)
    return end / rate if isinstance(end, int) else end


def _one(end: End, rate: Fraction) -> Fraction:
    return 1 / rate if isinstance(end, int) else Fraction(0)


def _between(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Values ``[T, C]`` at fractional frame numbers ``[N]``; the last frame holds."""
    from scipy.interpolate import PchipInterpolator

    if len(values) == 1:
        return np.repeat(values, len(places), 0)
    curve = PchipInterpolator(np.arange(len(values)), values, axis=0)
    return np.asarray(curve(np.clip(places, 0, len(values) - 1)))
