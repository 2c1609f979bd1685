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
            control = Control(
                handle.name, handle.label, "amount", handle.group, handle.low, handle.high, 0.0, ""
            )
            found.append(LiveHandle(control, change))
    return tuple(found)
