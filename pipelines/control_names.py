"""What people call a control, and what it is called."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from studio.domain.controls import Control

if TYPE_CHECKING:
    from studio.head import Handle

SYNONYMS: dict[str, tuple[str, ...]] = {
    "above": ("orbit_pitch", "pitch"),
    "angry": ("brow_lower",),
    "around": ("orbit_yaw", "yaw"),
    "brow": ("brow_raise", "brow_lower"),
    "camera": ("orbit_yaw", "orbit_pitch", "dolly"),
    "close": ("blink",),
    "corner": ("smile", "frown"),
    "distance": ("zoom",),
    "dolly": ("dolly", "zoom"),
    "eye": ("blink", "eyes_wide", "gaze_yaw"),
    "eyebrow": ("brow_raise", "brow_lower"),
    "eyelid": ("eyelid_left", "eyelid_right", "blink"),
    "focal": ("lens",),
    "fov": ("lens",),
    "gaze": ("gaze_yaw", "gaze_pitch"),
    "grin": ("smile",),
    "happy": ("smile",),
    "jaw": ("jaw_open", "mouth_open"),
    "kiss": ("pucker",),
    "lean": ("roll",),
    "lid": ("eyelid_left", "eyelid_right", "blink"),
    "lip": ("pucker", "lip_press", "mouth_open"),
    "look": ("gaze_yaw", "gaze_pitch"),
    "mouth": ("mouth_open", "jaw_open"),
    "near": ("dolly", "zoom"),
    "nod": ("pitch",),
    "orbit": ("orbit_yaw", "orbit_pitch", "yaw"),
    "pan": ("pan_x", "pan_y", "move_x"),
    "perspective": ("lens",),
    "rotate": ("yaw",),
    "sad": ("frown",),
    "scale": ("zoom",),
    "shake": ("yaw",),
    "size": ("zoom",),
    "surprise": ("brow_raise", "eyes_wide"),
    "tilt": ("roll",),
    "turn": ("yaw",),
    "wink": ("blink_left", "blink_right"),
    "x": ("move_x",),
    "y": ("move_y",),
}
"""Everyday words, in the singular, to the controls and handles that they may mean."""

UNITS = {"angle": " degrees", "coefficient": " deviations", "amount": "", "length": " metres"}
"""Kind of control to what is written behind its value."""


def unit_of(knob: Control | Handle) -> str:
    """What is written behind a value, with the space before it; nothing for a plain number."""
    return UNITS[knob.kind] if isinstance(knob, Control) else ""


def near_names(name: str, known: Iterable[str], most: int = 3) -> list[str]:
    """Names that may be meant, best first: another spelling, an everyday word, or a slip of the fingers."""
    known = list(known)
    spelt = "_".join(name.lower().replace("-", " ").replace("_", " ").split())
    letters, digits = spelt.rstrip("0123456789").rstrip("_"), spelt[len(spelt.rstrip("0123456789")) :]
    for spelling in (spelt, f"{letters}_{digits:0>2}"):
        if spelling in known:
            return [spelling]
    words = [spelt, *spelt.split("_")]
    for word in [*words, *(w.removesuffix("s") for w in words), *(w.removesuffix("d") for w in words)]:
        meant = [found for found in SYNONYMS.get(word, ()) if found in known]
        if meant:
            return meant[:most]
    near = difflib.get_close_matches(spelt, known, 1, 0.7)
    if near:
        return near
    everyday = difflib.get_close_matches(spelt, SYNONYMS, 1, 0.8)
    if everyday:
        return [found for found in SYNONYMS[everyday[0]] if found in known][:most]
    begun = [found for found in known if len(spelt) > 2 and found.startswith(spelt)]
    return (begun or difflib.get_close_matches(spelt, known, 1))[:most]
