"""Everything that moves in one frame of the sample."""

from __future__ import annotations

from dataclasses import dataclass

from studio.domain.camera import Floats


@dataclass(frozen=True)
class Pose:
    """Everything that moves in one frame."""

    angles: Floats
    """``[3]`` yaw, pitch, roll in degrees."""
    shift: Floats
    """``[2]`` shift of the head to the right and up, metres."""
    fields: Floats
    """``[6]`` weights of :data:`pipelines.sample.expression.FIELDS`."""
    jaw: float
    """Jaw rotation in radians, 0 closed."""
    gaze: Floats
    """``[2]`` yaw and pitch of the eyes in the head, degrees."""
