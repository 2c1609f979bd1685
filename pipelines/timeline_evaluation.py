"""A timeline to the track that an avatar plays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from pipelines.control_file import tell_unseen
from pipelines.control_names import unit_of
from pipelines.timeline_curves import curve_values
from studio.domain.camera import Floats
from studio.domain.controls import Control, ControlSheet, ControlTrack
from studio.domain.edits import PREFIX
from studio.domain.timeline import Curve, Timeline

if TYPE_CHECKING:
    from studio.live.handles import LiveHandle


def evaluate_timeline(
    timeline: Timeline,
    sheet: ControlSheet,
    handles: Iterable[LiveHandle],
    tell: Callable[[str], object] = lambda _: None,
    frames: ArrayLike | None = None,
) -> ControlTrack:
    """What an avatar does, frame by frame.

    Args:
        timeline: curves and imported motion.
        sheet: the avatar's controls.
        handles: what people ask of it; they add to the controls, and to each other.
        tell: hears one sentence each about values held at limits, values far from anything that the clip
            showed, and curves of controls that this avatar does not have.
        frames: ``[T]`` moments wanted; all of them, 0 to ``length - 1``, when None.

    Returns:
        A state for each in the sheet's column order, within its limits. Keyframes beyond a limit count as
        being at it, as in a control file.
    """
    wanted = np.arange(timeline.length) if frames is None else np.asarray(frames)
    by_name = {handle.control.name: handle for handle in handles}
    known = knobs(sheet, by_name.values())
    values = np.tile(sheet.neutral().values, (len(wanted), 1)).astype(np.float32)
    column = {name: i for i, name in enumerate(sheet.names)}
    moved = set(timeline.base.names) if timeline.base is not None else set()
    if timeline.base is not None:
        motion = timeline.base.at(wanted)
        for i, name in enumerate(timeline.base.names):
            if name in column:
                values[:, column[name]] = motion[:, i]
    said, foreign = dict[str, str](), []
    amounts: dict[str, Floats] = {}
    for name, curve in timeline.curves.items():
        if name not in known:
            foreign.append(name)
            continue
        adds = name in moved and curve.mode == "add"
        held = curve if adds else held_curve(curve, known[name], said)
        amount = knob_values(held, timeline, wanted)
        if name not in column:
            amounts[name] = amount
        elif adds:
            values[:, column[name]] += amount - np.float32(known[name].default)
        else:
            values[:, column[name]] = amount
    low, high = (np.array([getattr(c, side) for c in sheet.controls], np.float32) for side in ("low", "high"))
    values = _within(values, low, high, sheet, said, "it moves beyond")
    for name, amount in amounts.items():
        values += amount[:, None] * by_name[name].change
    values = _within(values, low, high, sheet, said, "several curves add up to more")
    if said:
        tell(f"Held at the limit: {'; '.join(said.values())}.")
    others = [name for name in foreign if not name.startswith(PREFIX)]
    gone = [name for name in foreign if name.startswith(PREFIX)]
    if others:
        tell(f"This avatar has no control {_quoted(others)}, so nothing moves there.")
    if gone:
        tell(f"This avatar has no edit {_quoted(gone)}: the curves are kept, and nothing shows of them.")
    tell_unseen(timeline.curves, sheet, values, tell)
    return ControlTrack(sheet.names, values, timeline.rate)


def knobs(sheet: ControlSheet, handles: Iterable[LiveHandle]) -> Mapping[str, Control]:
    """Everything that a curve can move, by name: handles first, as people want them."""
    return {**{h.control.name: h.control for h in handles}, **{c.name: c for c in sheet.controls}}


def knob_values(curve: Curve, timeline: Timeline, frames: ArrayLike | None = None) -> Floats:
    """``[T]`` float32 what one curve says at these frames of its timeline, at every frame when None."""
    wanted = np.arange(timeline.length) if frames is None else frames
    return curve_values(curve, wanted, timeline.length if timeline.loop else None).astype(np.float32)


def held_curve(curve: Curve, knob: Control, said: dict[str, str]) -> Curve:
    """The curve with every keyframe within the control's limits; ``said`` gets a clause if one was not."""
    values = curve.points[1]
    if values.min() >= knob.low and values.max() <= knob.high:
        return curve
    keys = []
    for key in curve.keyframes:
        limit = min(max(key.value, knob.low), knob.high)
        if limit != key.value:
            said[knob.name] = f"{knob.name} at {limit:g}{unit_of(knob)} (a keyframe asks for {key.value:g})"
            key = replace(key, value=limit)
        keys.append(key)
    return replace(curve, keyframes=tuple(keys))


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"“{name}”" for name in names)


def _within(
    values: Floats, low: Floats, high: Floats, sheet: ControlSheet, said: dict[str, str], why: str
) -> Floats:
    within = np.clip(values, low, high)
    excess = np.abs(values - within)
    for i in np.flatnonzero(excess.max(0) > 1e-3):
        control = sheet.controls[i]
        limit = float(within[int(excess[:, i].argmax()), i])
        said.setdefault(control.name, f"{control.name} at {limit:g}{unit_of(control)} ({why})")
    return within
