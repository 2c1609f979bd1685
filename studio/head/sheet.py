"""The control sheet of everything a head model drives, with the ranges that a clip covered."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt

from studio.domain.controls import HEAD_NAMES, Control, ControlSheet, Kind, track_from_motion
from studio.domain.motion import EXPRESSIONS, HeadMotion

STRONGEST = 10.0
"""Deviations that strong expressions reach in people's clips (docs/head_model.md); handles stay within."""

_HEAD: tuple[tuple[str, str, Kind, str, float, float, str], ...] = (
    ("yaw", "Turn", "angle", "Head", -75, 75, "Degrees; positive turns the nose to the viewer's right."),
    ("pitch", "Nod", "angle", "Head", -50, 50, "Degrees; positive lifts the nose."),
    ("roll", "Tilt", "angle", "Head", -50, 50, "Degrees; positive leans the head to the viewer's right."),
    ("move_x", "Move sideways", "length", "Head", -0.3, 0.3, "Metres to the viewer's right, from rest."),
    ("move_y", "Move up", "length", "Head", -0.3, 0.3, "Metres upwards, from rest."),
    ("zoom", "Distance", "amount", "Head", 0.5, 2.0, "Size of the head as a factor of its size at rest."),
    ("jaw_open", "Open jaw", "angle", "Mouth", -5, 35, "Degrees the jaw drops."),
    ("jaw_side", "Jaw sideways", "angle", "Mouth", -10, 10, "Degrees the jaw leans to one side."),
    ("jaw_twist", "Twist jaw", "angle", "Mouth", -10, 10, "Degrees the jaw turns about the vertical."),
    (
        "eyelid_left",
        "Left eyelid",
        "amount",
        "Eyes",
        -0.5,
        1.2,
        "Eye on the viewer's left: 0 open, 1 closed.",
    ),
    (
        "eyelid_right",
        "Right eyelid",
        "amount",
        "Eyes",
        -0.5,
        1.2,
        "Eye on the viewer's right: 0 open, 1 closed.",
    ),
    (
        "gaze_yaw",
        "Look sideways",
        "angle",
        "Eyes",
        -40,
        40,
        "Degrees, relative to the head; positive to the right.",
    ),
    ("gaze_pitch", "Look up", "angle", "Eyes", -30, 30, "Degrees, relative to the head; positive upwards."),
)


def head_sheet(motion: HeadMotion, rest_camera: npt.NDArray[np.floating]) -> ControlSheet:
    """Controls in HEAD_NAMES' order.

    Args:
        motion: the frames an avatar learns from; their 1st to 99th percentiles are the reliable ranges. One
            picture alone has none.
        rest_camera: ``[3]`` the avatar's rest camera.
    """
    values = track_from_motion(motion, rest_camera, Fraction(1)).values
    low, high = np.percentile(values, [1, 99], axis=0)
    expressions = tuple(
        (
            f"expression_{i:02d}",
            f"Expression {i + 1}",
            "coefficient",
            "Expression",
            -STRONGEST,
            STRONGEST,
            "Standard deviations of the head model's basis; 0 is neutral.",
        )
        for i in range(EXPRESSIONS)
    )
    controls = []
    for column, (name, label, kind, group, bottom, top, hint) in enumerate(_HEAD + expressions):
        assert name == HEAD_NAMES[column]
        default = 1.0 if name == "zoom" else 0.0
        reliable = (float(low[column]), float(high[column])) if len(motion) > 1 else None
        controls.append(Control(name, label, kind, group, bottom, top, default, hint, reliable))  # type: ignore[arg-type]
    return ControlSheet(tuple(controls))
