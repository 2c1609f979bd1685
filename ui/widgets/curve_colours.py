"""A colour for each control, the same wherever its curve is shown."""

from __future__ import annotations

from PySide6.QtGui import QColor

from ui.theme import Tokens

_GOLDEN = 0.618034
"""Steps of this share of the circle put neighbours far apart, however many there are."""
_dealt: dict[str, int] = {}
"""Colours are dealt in the order in which controls are first shown: neighbours in a list then differ."""


def curve_colour(name: str, t: Tokens) -> QColor:
    """As bright as the theme needs it on its surface."""
    hue = (0.58 + _dealt.setdefault(name, len(_dealt)) * _GOLDEN) % 1.0
    return QColor.fromHslF(hue, 0.72, 0.68 if t.name == "dark" else 0.42)
