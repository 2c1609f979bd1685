"""A head model's handles in the columns of a control sheet, so that whoever has the sheet can apply them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from studio.domain.camera import Floats
from studio.domain.controls import HEAD_NAMES, Control, ControlSheet

if TYPE_CHECKING:
    from studio.head import Handle


@dataclass(frozen=True, eq=False)
class LiveHandle:
    """A named direction over controls, such as a smile."""

    control: Control
    """How it is shown: amount 0 is neutral, 1 fully expressed."""
    change: Floats
    """``[C]`` what amount 1 adds to each control of the sheet."""


def live_handles(handles: Iterable[Handle], sheet: ControlSheet) -> tuple[LiveHandle, ...]:
    """The handles that move something on this sheet and are not controls of it by the same name."""
    column = {name: i for i, name in enumerate(sheet.names)}
    first = HEAD_NAMES.index("expression_00")
    found = []
    for handle in handles:
        if handle.name in column:
            continue
        change = np.zeros(len(column), np.float32)
        expression = zip(HEAD_NAMES[first:], handle.expression)
        opening, twist, side = np.rad2deg(handle.jaw)  # the jaw's axis-angle is x, y, z
        jaw = (("jaw_open", opening), ("jaw_twist", twist), ("jaw_side", side))
        lids = zip(("eyelid_left", "eyelid_right"), handle.eyelids)
        for name, value in (*expression, *jaw, *lids):
            if name in column:
                change[column[name]] = value
        if change.any():
            reliable = _reliable(change, sheet, handle.low, handle.high)
            control = Control(
                *(handle.name, handle.label, "amount", handle.group, handle.low, handle.high, 0.0, ""),
                reliable=reliable,
            )
            found.append(LiveHandle(control, change))
    return tuple(found)


def _reliable(change: Floats, sheet: ControlSheet, low: float, high: float) -> tuple[float, float] | None:
    """Amounts at which what the handle moves most stays within what the clip showed, on the whole; None for
    an avatar of one picture, which showed no range of anything."""
    span = np.array([c.high - c.low for c in sheet.controls])
    weight = np.abs(change) / span
    limits = []
    for column in np.flatnonzero(weight >= 0.5 * weight.max()):
        shown = sheet.controls[column].reliable
        if shown is not None:
            limits.append(sorted((shown[0] / change[column], shown[1] / change[column])))
    if not limits:
        return None
    least, most = np.median(limits, axis=0)
    return float(np.clip(min(least, 0.0), low, high)), float(np.clip(max(most, 0.0), low, high))
