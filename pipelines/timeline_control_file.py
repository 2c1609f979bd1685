"""Timelines to control files and back: what the window made, the command line plays."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.control_file import LONGEST, RATES, open_control_file
from pipelines.timeline_evaluation import evaluate_timeline, held_curve, knob_values, knobs
from studio.domain.camera import Floats
from studio.domain.controls import ControlSheet
from studio.domain.problem import Problem
from studio.domain.timeline import Curve, Ease, Keyframe, Timeline
from studio.project.atomic import write_json

if TYPE_CHECKING:
    from studio.live.handles import LiveHandle


def timeline_from_control_file(
    path: Path,
    sheet: ControlSheet,
    handles: Iterable[LiveHandle],
    tell: Callable[[str], object] = lambda _: None,
) -> Timeline:
    """A control file as a timeline.

    Args:
        path: the JSON file.
        sheet: controls, for what is neutral at time 0.
        handles: the same for what people ask of an avatar.
        tell: hears one sentence when keyframes lay between two frames and moved to the nearer one.

    Raises:
        Problem: unreadable, or it makes no sense. Unknown names are kept: evaluation speaks of them.
    """
    file = open_control_file(path)
    neutral = {name: control.default for name, control in knobs(sheet, handles).items()}
    ease: Ease = "smooth" if file.ease == "smooth" else "linear"
    keys: dict[str, dict[float, float]] = {}
    for time, changes in file.keyframes:
        for name, value in changes.items():
            keys.setdefault(name, {0.0: neutral.get(name, 0.0)})[time] = value
    curves, moved = {}, 0
    for name, values in keys.items():
        placed = {}
        for time in sorted(values):
            exact = time * float(file.rate)
            moved += abs(exact - round(exact)) > 1e-6 * max(1.0, exact)
            placed[round(exact)] = values[time]
        curves[name] = Curve(tuple(Keyframe(f, v, ease) for f, v in sorted(placed.items())))
    if moved:
        many = "1 keyframe" if moved == 1 else f"{moved} keyframes"
        tell(f"{many} of {path.name} lay between two frames and moved to the nearer one.")
    return Timeline(file.rate, max(1, file.frames), curves)


def write_control_file(
    path: Path, timeline: Timeline, sheet: ControlSheet, handles: Iterable[LiveHandle]
) -> None:
    """Write a timeline for ``animate --controls``; it plays the same values at every frame.

    A timeline of smooth curves alone is written as it is. A control file knows no other eases beside each
    other, no circle and no imported motion: these are written frame by frame.

    Raises:
        Problem: the disk said no, or no control file may be as long or as fast. An old file stays then.
    """
    write_json(path, control_file_content(timeline, sheet, handles))


def control_file_content(
    timeline: Timeline, sheet: ControlSheet, handles: Iterable[LiveHandle]
) -> dict[str, Any]:
    """The JSON of :func:`write_control_file`. Raises Problem as it does."""
    _refuse(timeline)
    known = knobs(sheet, handles)
    curves = {name: curve for name, curve in timeline.curves.items() if name in known}
    last = LONGEST * timeline.rate
    as_is = (
        not timeline.loop
        and timeline.base is None
        and all(key.ease == "smooth" and key.frame <= last for c in curves.values() for key in c.keyframes)
    )
    columns: dict[str, list[tuple[int, float]]] = {}
    if timeline.base is not None:
        columns = _moved(timeline, timeline.base.names, sheet)
    for name, curve in curves.items():
        if name in columns:
            continue
        if as_is:
            first = curve.keyframes[0]
            columns[name] = [(0, first.value), *((key.frame, key.value) for key in curve.keyframes)]
        else:
            columns[name] = _baked(knob_values(held_curve(curve, known[name], {}), timeline))
    rate = float(timeline.rate)
    at: dict[int, dict[str, float]] = {}
    for name, keys in columns.items():
        for frame, value in keys:
            at.setdefault(frame, {"time": frame / rate})[name] = value
    return {
        "rate": str(timeline.rate),
        "ease": "smooth" if as_is else "linear",
        "seconds": timeline.length / rate,
        "keyframes": [at[frame] for frame in sorted(at)] or [{"time": 0}],
    }


def _refuse(timeline: Timeline) -> None:
    if not RATES[0] <= timeline.rate <= RATES[1]:
        low, high = RATES
        raise Problem(f"A control file plays {low} to {high} frames per second: choose another rate.")
    if timeline.length < 2 or timeline.seconds > LONGEST:
        raise Problem(f"A control file lasts from two frames to {LONGEST:g} seconds: choose another length.")


def _moved(
    timeline: Timeline, names: Collection[str], sheet: ControlSheet
) -> dict[str, list[tuple[int, float]]]:
    """What imported motion and the curves over it come to. Handles stay curves: files add them as well."""
    plain = {name: curve for name, curve in timeline.curves.items() if name in names}
    values = evaluate_timeline(replace(timeline, curves=plain), sheet, ()).values
    return {name: _baked(values[:, i]) for i, name in enumerate(sheet.names) if name in names}


def _baked(values: Floats) -> list[tuple[int, float]]:
    """Frames between which straight lines give every value ``[T]`` exactly."""
    exact = values.astype(np.float64)
    bends = np.abs(np.diff(exact, 2)) > 1e-13 * (1.0 + np.abs(exact).max())
    frames = [0, *(np.flatnonzero(bends) + 1).tolist(), len(exact) - 1]
    return [(frame, float(exact[frame])) for frame in frames]
