"""The control sheet of everything a head model drives, with the ranges that a clip covered."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt

from studio.domain.controls import HEAD_NAMES, Control, ControlSheet, Kind, track_from_motion
from studio.domain.motion import EXPRESSIONS, HeadMotion

STRONGEST = 10.0
"""Deviations that strong expressions reach in people's clips (docs/head_model.md); handles stay within."""
PICTURE_TURNS = (25.0, 15.0, 25.0)
"""Degrees of yaw, pitch and roll to each side of its own that an avatar of one picture carries well."""
PICTURE_TRAVEL, PICTURE_GROWTH = 0.08, 0.2
"""Metres to each side, and share by which the head grows or shrinks, likewise."""

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
            picture shows no range; its own are what it carries well around itself, of turns and travel alone.
        rest_camera: ``[3]`` the avatar's rest camera.
    """
    values = track_from_motion(motion, rest_camera, Fraction(1)).values
    low, high = np.percentile(values, [1, 99], axis=0)
    known = len(values[0])
    if len(motion) == 1:
        reach = np.array([*PICTURE_TURNS, PICTURE_TRAVEL, PICTURE_TRAVEL, PICTURE_GROWTH], np.float32)
        known = len(reach)
        low, high = values[0, :known] - reach, values[0, :known] + reach
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
        reliable = (float(low[column]), float(high[column])) if column < known else None
        controls.append(Control(name, label, kind, group, bottom, top, default, hint, reliable))  # type: ignore[arg-type]
    return ControlSheet(tuple(controls))


def carried_by_one_picture(sheet: ControlSheet) -> bool:
    """Whether the sheet's reliable ranges are those of one picture: it shows how far no expression goes."""
    found = {control.name: control.reliable for control in sheet.controls}
    return found.get("yaw") is not None and found.get("expression_00") is None
