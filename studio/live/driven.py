"""A driver's motion relative to how they rest, put onto an avatar's controls: numpy, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from studio.domain.camera import Floats
from studio.domain.controls import HEAD_NAMES, ControlSheet, ControlState, Kind, track_from_motion
from studio.domain.motion import HeadMotion

OPEN = 0.6
"""Most that a resting lid may be closed: who blinks while being calibrated must not rest with eyes shut."""
ROOM: dict[Kind, float] = {"angle": 10.0, "coefficient": 1.0, "amount": 0.25, "length": 0.03}
"""How far beyond what the avatar's clip showed a control may be driven before it has eased to a stop."""
_LIDS = [HEAD_NAMES.index(name) for name in ("eyelid_left", "eyelid_right")]


@dataclass(frozen=True, eq=False)
class Rest:
    """How somebody looks when they do nothing."""

    camera: Floats
    """``[3]`` where their head is."""
    controls: Floats
    """``[63]`` HEAD_NAMES' columns, relative to that camera."""


def rest_of(motion: HeadMotion) -> Rest:
    """The middle of some frames of rest."""
    camera = np.median(motion.camera, axis=0).astype(np.float32)
    values = track_from_motion(motion, camera, Fraction(1)).values
    return Rest(camera, np.median(values, axis=0).astype(np.float32))


def moved_from(rest: Rest, motion: HeadMotion) -> Floats:
    """What one frame adds to a resting face: ``[63]`` in HEAD_NAMES' columns; zoom as a growth, 0 for none.

    Lids close the whole way from however far this person holds them open.
    """
    values = track_from_motion(motion, rest.camera, Fraction(1)).values[0]
    offsets = values - rest.controls
    held = np.minimum(rest.controls[_LIDS], OPEN)
    offsets[_LIDS] = (values[_LIDS] - held) / (1.0 - held)
    return np.asarray(offsets, np.float32)


def driven_state(sheet: ControlSheet, offsets: Floats) -> ControlState:
    """An avatar's neutral face with a driver's movement added, eased where its clip showed no such thing."""
    values = sheet.neutral().values.copy()
    moved = dict(zip(HEAD_NAMES, offsets.tolist()))
    for column, control in enumerate(sheet.controls):
        value = control.default + moved.get(control.name, 0.0)
        if control.reliable is not None:
            low, high = min(control.reliable[0], control.default), max(control.reliable[1], control.default)
            room = ROOM[control.kind]
            over = max(value - high, 0.0) - max(low - value, 0.0)
            value += room * float(np.tanh(over / room)) - over
        values[column] = min(max(value, control.low), control.high)
    return ControlState(sheet.names, values)
