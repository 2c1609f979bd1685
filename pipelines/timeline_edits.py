"""Edits of a timeline: each takes one and gives another, never changing the first."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from pipelines.timeline_curves import curve_values
from studio.domain.timeline import Curve, Ease, Keyframe, Mode, Timeline

Chosen = Mapping[str, Collection[int]]
"""Keyframes that an edit is about: control to frames. Frames without a keyframe are passed over."""

_Change = Callable[[Keyframe], Keyframe]
_REVERSED: dict[Ease, Ease] = {"ease-in": "ease-out", "ease-out": "ease-in"}


def keyframes_within(
    timeline: Timeline, names: Iterable[str], first: int, last: int, values: tuple[float, float] | None = None
) -> dict[str, frozenset[int]]:
    """Keyframes of these controls from frame ``first`` to ``last``, both included; within ``(low, high)``
    values, if given."""
    low, high = values or (-np.inf, np.inf)
    found = {
        name: frozenset(
            key.frame
            for key in timeline.curves[name].keyframes
            if first <= key.frame <= last and low <= key.value <= high
        )
        for name in names
        if name in timeline.curves
    }
    return {name: frames for name, frames in found.items() if frames}


def set_keyframe(
    timeline: Timeline, name: str, frame: int, value: float, ease: Ease | None = None, mode: Mode = "replace"
) -> Timeline:
    """Put a keyframe, replacing one that is there. Without an ease it keeps that one's, or continues that of
    the keyframe before it. ``mode`` counts for a control that had no curve."""
    curve = timeline.curves.get(name)
    if curve is None:
        return timeline.with_curve(name, Curve((Keyframe(frame, value, ease or "smooth"),), mode))
    if ease is None:
        before = [key for key in curve.keyframes if key.frame <= frame]
        ease = before[-1].ease if before else curve.keyframes[0].ease
    return timeline.with_curve(name, curve.through([*curve.keyframes, Keyframe(frame, value, ease)]))


def delete_keyframes(timeline: Timeline, chosen: Chosen) -> Timeline:
    """Without these keyframes; a curve that has none left is gone, and its control neutral again."""
    for name, curve, _, others in _each(timeline, chosen):
        timeline = timeline.with_curve(name, curve.through(others))
    return timeline


def set_ease(timeline: Timeline, chosen: Chosen, ease: Ease) -> Timeline:
    """Another way on from these keyframes."""
    return _mapped(timeline, chosen, lambda key: replace(key, ease=ease))


def set_mode(timeline: Timeline, name: str, mode: Mode) -> Timeline:
    """Let a curve replace imported motion or add to it."""
    return timeline.with_curve(name, replace(timeline.curves[name], mode=mode))


def move_keyframes(timeline: Timeline, chosen: Chosen, frames: int = 0, value: float = 0.0) -> Timeline:
    """Later (or earlier) by whole frames, all alike and not beyond the start, and higher by a value. What is
    moved onto another keyframe takes its place."""
    earliest = min((key.frame for _, _, keys, _ in _each(timeline, chosen) for key in keys), default=0)
    frames = max(frames, -earliest)
    return _mapped(
        timeline, chosen, lambda key: replace(key, frame=key.frame + frames, value=key.value + value)
    )


def offset_values(timeline: Timeline, chosen: Chosen, by: float) -> Timeline:
    """Higher (or lower) by a value."""
    return move_keyframes(timeline, chosen, 0, by)


def scale_values(
    timeline: Timeline, chosen: Chosen, factor: float, about: Mapping[str, float] | None = None
) -> Timeline:
    """Farther from (or nearer to) the value in ``about``, 0 where it says none; give it neutral values."""
    about = about or {}
    for name, curve, keys, others in _each(timeline, chosen):
        centre = about.get(name, 0.0)
        scaled = [replace(key, value=centre + factor * (key.value - centre)) for key in keys]
        timeline = timeline.with_curve(name, curve.through([*others, *scaled]))
    return timeline


def smooth_values(timeline: Timeline, chosen: Chosen, strength: float = 0.5) -> Timeline:
    """Nearer to the straight line between the keyframes before and after: ``strength`` 1 lies on it. What
    lies on a line stays, and so do a curve's ends."""
    for name, curve, keys, _ in _each(timeline, chosen):
        frames = np.array(curve.frames, float)
        values = np.array([key.value for key in curve.keyframes])
        share = (frames[1:-1] - frames[:-2]) / (frames[2:] - frames[:-2])
        between = values[:-2] + share * (values[2:] - values[:-2])
        values[1:-1] += strength * (between - values[1:-1])
        wanted = {key.frame for key in keys}
        after = [
            replace(key, value=float(v)) if key.frame in wanted else key
            for key, v in zip(curve.keyframes, values)
        ]
        timeline = timeline.with_curve(name, curve.through(after))
    return timeline


def reverse_keyframes(timeline: Timeline, chosen: Chosen) -> Timeline:
    """Backwards in time between the first and the last of them. Eases turn round with their stretches."""
    span = chosen_span(timeline, chosen)
    if span is None:
        return timeline
    for name, curve, keys, others in _each(timeline, chosen):
        # What led to a keyframe now leads away from it; what led out of the last one still does.
        led = [_REVERSED.get(key.ease, key.ease) for key in keys[:-1]]
        turned = [
            Keyframe(sum(span) - key.frame, key.value, ease) for key, ease in zip(keys, [keys[-1].ease, *led])
        ]
        timeline = timeline.with_curve(name, curve.through([*others, *turned]))
    return timeline


def stretch_keyframes(timeline: Timeline, chosen: Chosen, factor: float) -> Timeline:
    """Slower (``factor`` above 1) or faster, from the first of them on. What follows on the same curves moves
    along by as much as the whole stretch grew, and the timeline grows if they need it."""
    span = chosen_span(timeline, chosen)
    if factor <= 0:
        raise ValueError(f"a stretch by {factor}")
    if span is None:
        return timeline
    first, last = span
    grown = round((last - first) * factor) - (last - first)
    for name, curve, keys, others in _each(timeline, chosen):
        stretched = [replace(key, frame=first + round((key.frame - first) * factor)) for key in keys]
        rest = [replace(key, frame=key.frame + grown) if key.frame > last else key for key in others]
        timeline = timeline.with_curve(name, curve.through([*rest, *stretched]))
    latest = max((timeline.curves[name].frames[-1] for name in chosen if name in timeline.curves), default=0)
    return replace(timeline, length=max(timeline.length, latest + 1)) if grown > 0 else timeline


@dataclass(frozen=True)
class Copied:
    """Keyframes to be put elsewhere."""

    keyframes: Mapping[str, tuple[Keyframe, ...]]
    """Control to its keyframes; frames are counted from the earliest of all."""
    span: int
    """Frames from the earliest to the latest."""


def copy_keyframes(timeline: Timeline, chosen: Chosen) -> Copied | None:
    """These keyframes, or None when there are none."""
    span = chosen_span(timeline, chosen)
    if span is None:
        return None
    taken = {
        name: tuple(replace(key, frame=key.frame - span[0]) for key in keys)
        for name, _, keys, _ in _each(timeline, chosen)
    }
    return Copied(taken, span[1] - span[0])


def paste_keyframes(timeline: Timeline, copied: Copied, at: int, onto: str | None = None) -> Timeline:
    """Put copies down with the earliest at frame ``at``. On their curves they replace whatever lies from
    there to the latest of them.

    Args:
        timeline: where to.
        copied: what :func:`copy_keyframes` took.
        at: frame, ≥ 0.
        onto: another control for the copies of a single one; KeyError when there are several.
    """
    if onto is not None and len(copied.keyframes) != 1:
        raise KeyError(onto)
    for name, keys in copied.keyframes.items():
        put = [replace(key, frame=key.frame + at) for key in keys]
        timeline = replace_stretch(timeline, onto or name, put, at, at + copied.span)
    return timeline


def replace_stretch(
    timeline: Timeline, name: str, keyframes: Iterable[Keyframe], first: int, last: int
) -> Timeline:
    """Put keyframes on a control, removing others from frame ``first`` to ``last``, both included."""
    curve = timeline.curves.get(name)
    if curve is None:
        keys = {key.frame: key for key in keyframes}
        return timeline.with_curve(name, Curve(tuple(keys[f] for f in sorted(keys))) if keys else None)
    kept = [key for key in curve.keyframes if not first <= key.frame <= last]
    return timeline.with_curve(name, curve.through([*kept, *keyframes]))


def close_circle(timeline: Timeline, blend: int) -> Timeline:
    """Make it a loop without a seam: over its last ``blend`` frames everything goes back to how it began.

    Keyframes there are removed, so that the curves lead on to their own beginning; one before them holds what
    the curve said there. Imported motion is bent by what it lacks, more and more, up to all of it.

    Args:
        timeline: its curves need not begin at frame 0.
        blend: frames, 1 to ``length - 1``.
    """
    length = timeline.length
    if not 1 <= blend < length:
        raise ValueError(f"a blend of {blend} frames in {length}")
    begin = length - blend
    for name, curve in timeline.curves.items():
        first = curve.keyframes[0]
        kept = [key for key in curve.keyframes if key.frame <= begin or key.frame >= length]
        if first.frame < begin and curve.at(begin) is None:
            kept.append(Keyframe(begin, float(curve_values(curve, [begin])[0])))
        if not any(key.frame < length for key in kept):
            kept.append(replace(first, frame=0))
        timeline = timeline.with_curve(name, curve.through(kept))
    if timeline.base is not None:
        motion = timeline.base.at(np.arange(length)).astype(np.float64)
        share = np.clip((np.arange(length) - begin + 1) / blend, 0.0, 1.0)[:, None]
        share = share * share * (3.0 - 2.0 * share)
        # The first frame follows the last: what the last one bends to is a step before the first.
        step = motion[1] - motion[0]
        motion += share * (motion[0] - step - motion[-1])
        base = replace(timeline.base, start=0, values=motion.astype(np.float32))
        timeline = replace(timeline, base=base)
    return replace(timeline, loop=True)


def chosen_span(timeline: Timeline, chosen: Chosen) -> tuple[int, int] | None:
    """First and last frame of the chosen keyframes that exist, None without any."""
    frames = [key.frame for _, _, keys, _ in _each(timeline, chosen) for key in keys]
    return (min(frames), max(frames)) if frames else None


_Part = tuple[str, Curve, list[Keyframe], list[Keyframe]]


def _each(timeline: Timeline, chosen: Chosen) -> list[_Part]:
    """Name, curve, chosen keyframes and the other ones, for every curve with any chosen."""
    parts: list[_Part] = []
    for name, frames in chosen.items():
        curve = timeline.curves.get(name)
        if curve is None:
            continue
        wanted = set(frames)
        keys = [key for key in curve.keyframes if key.frame in wanted]
        if keys:
            parts.append((name, curve, keys, [key for key in curve.keyframes if key.frame not in wanted]))
    return parts


def _mapped(timeline: Timeline, chosen: Chosen, change: _Change) -> Timeline:
    for name, curve, keys, others in _each(timeline, chosen):
        timeline = timeline.with_curve(name, curve.through([*others, *(change(key) for key in keys)]))
    return timeline
