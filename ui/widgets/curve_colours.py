"""A colour for each control, the same wherever its curve is shown."""

from __future__ import annotations

from zlib import crc32

from PySide6.QtGui import QColor

from studio.domain.controls import HEAD_NAMES
from ui.theme import Tokens

_GOLDEN = 0.618034
"""Steps of this share of the circle put neighbours far apart, however many there are."""


def curve_colour(name: str, t: Tokens) -> QColor:
    """As bright as the theme needs it on its surface."""
    place = HEAD_NAMES.index(name) if name in HEAD_NAMES else crc32(name.encode()) % 997
    hue = (0.58 + place * _GOLDEN) % 1.0
    return QColor.fromHslF(hue, 0.72, 0.68 if t.name == "dark" else 0.42)
