"""A timeline to the track that an avatar plays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pipelines.control_file import add_handle, tell_unseen
from pipelines.control_names import unit_of
from pipelines.timeline_curves import curve_values
from studio.domain.camera import Floats
from studio.domain.controls import Control, ControlSheet, ControlTrack
from studio.domain.timeline import Curve, Timeline

if TYPE_CHECKING:
    from studio.head import Handle


def evaluate_timeline(
    timeline: Timeline,
    sheet: ControlSheet,
    handles: Mapping[str, Handle],
    tell: Callable[[str], object] = lambda _: None,
) -> ControlTrack:
    """What an avatar does, frame by frame.

    Args:
        timeline: curves and imported motion.
        sheet: the avatar's controls.
        handles: the head model's semantic handles; they add to the controls, and to each other.
        tell: hears one sentence each about values held at limits, values far from anything that the clip
            showed, and curves of controls that this avatar does not have.

    Returns:
        ``timeline.length`` states in the sheet's column order, within its limits. Keyframes beyond a limit
        count as being at it, as in a control file.
    """
    knobs: dict[str, Control | Handle] = {**handles, **{control.name: control for control in sheet.controls}}
    values = np.tile(sheet.neutral().values, (timeline.length, 1)).astype(np.float32)
    column = {name: i for i, name in enumerate(sheet.names)}
    said, foreign = dict[str, str](), []
    if timeline.base is not None:
        motion = timeline.base.over(timeline.length)
        for i, name in enumerate(timeline.base.names):
            if name in column:
                values[:, column[name]] = motion[:, i]
    amounts: dict[str, Floats] = {}
    for name, curve in timeline.curves.items():
        if name not in knobs:
            foreign.append(f"“{name}”")
            continue
        knob = knobs[name]
        adds = isinstance(knob, Control) and curve.mode == "add" and _moves(timeline, name)
        held = curve if adds else held_curve(curve, knob, said)
        amount = knob_values(held, timeline)
        if not isinstance(knob, Control):
            amounts[name] = amount
        elif adds:
            values[:, column[name]] += amount - np.float32(knob.default)
        else:
            values[:, column[name]] = amount
    low, high = (np.array([getattr(c, side) for c in sheet.controls], np.float32) for side in ("low", "high"))
    within = _within(values, low, high, sheet, said, "it moves beyond")
    for name, amount in amounts.items():
        add_handle(within, handles[name], amount)
    within = _within(within, low, high, sheet, said, "several curves add up to more")
    if said:
        tell(f"Held at the limit: {'; '.join(said.values())}.")
    if foreign:
        tell(f"This avatar has no control {', '.join(foreign)}, so nothing moves there.")
    tell_unseen(timeline.curves, sheet, within, tell)
    return ControlTrack(sheet.names, within, timeline.rate)


def knob_values(curve: Curve, timeline: Timeline) -> Floats:
    """``[length]`` float32 what one curve says at every frame of its timeline."""
    period = timeline.length if timeline.loop else None
    return curve_values(curve, np.arange(timeline.length), period).astype(np.float32)


def _moves(timeline: Timeline, name: str) -> bool:
    return timeline.base is not None and name in timeline.base.names


def held_curve(curve: Curve, knob: Control | Handle, said: dict[str, str]) -> Curve:
    """The curve with every keyframe within the control's limits; ``said`` gets a clause if one was not."""
    keys = []
    for key in curve.keyframes:
        limit = min(max(key.value, knob.low), knob.high)
        if limit != key.value:
            said[knob.name] = f"{knob.name} at {limit:g}{unit_of(knob)} (a keyframe asks for {key.value:g})"
            key = replace(key, value=limit)
        keys.append(key)
    return replace(curve, keyframes=tuple(keys))


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
