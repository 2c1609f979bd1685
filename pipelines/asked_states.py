"""What an engine is asked for so that it repeats tracked frames; loads nothing that measures."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from studio.domain.controls import HEAD_NAMES, ControlSheet, ControlState, track_from_motion
from studio.domain.sequence import TrackedSequence


def asked_states(
    sheet: ControlSheet,
    rest_camera: npt.NDArray[np.floating],
    sequence: TrackedSequence,
    frames: npt.NDArray[np.integer],
) -> list[ControlState]:
    """The tracked parameters of some frames ``[T]``; an engine's own controls stay at their default.

    Args:
        sheet: what can be asked of it.
        rest_camera: ``[3]`` scale, cx, cy that its move and zoom controls are relative to.
        sequence: the tracked clip.
        frames: numbers of its frames.
    """
    track = track_from_motion(sequence.motion.take(frames), np.asarray(rest_camera), sequence.rate)
    place = {name: column for column, name in enumerate(sheet.names)}
    wanted = [(place[name], column) for column, name in enumerate(HEAD_NAMES) if name in place]
    states = []
    for values in track.values:
        filled = sheet.neutral().values.copy()
        for to, column in wanted:
            filled[to] = values[column]
        states.append(ControlState(sheet.names, filled))
    return states
