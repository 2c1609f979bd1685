"""Colours, spacing and icons of the window: light, dark, or as the system has it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Literal

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication

ICONS = Path(__file__).resolve().parents[1] / "assets" / "icons"
Choice = Literal["system", "light", "dark"]


@dataclass(frozen=True)
class Tokens:
    """One value for each role a colour plays; widgets that paint themselves use them too."""

    name: str
    """light or dark."""
    ground: str
    """Behind everything."""
    surface: str
    """Cards, the navigation and side panels."""
    raised: str
    """Buttons and fields on a surface."""
    stage: str
    """Behind pictures: neutral, so that skin is judged right."""
    line: str
    """Borders and separators."""
    text: str
    """Body text."""
    muted: str
    """Hints and units; at least 4.5 to 1 on a surface."""
    accent: str
    """What is chosen and the one next step of a page."""
    on_accent: str
    """Text on the accent."""
    good: str
    """Finished, enough, reliable."""
    warn: str
    """Could be better."""
    bad: str
    """Failed; also deletes."""


DARK = Tokens(
    name="dark",
    ground="#14161a",
    surface="#1c1f25",
    raised="#282c34",
    stage="#0d0e10",
    line="#363b45",
    text="#eceef2",
    muted="#a2aab8",
    accent="#6aa6ff",
    on_accent="#0b1524",
    good="#56c288",
    warn="#e6b450",
    bad="#f2777a",
)
LIGHT = Tokens(
    name="light",
    ground="#f3f4f6",
    surface="#ffffff",
    raised="#f0f2f5",
    stage="#e4e6ea",
    line="#d3d8e0",
    text="#1a1d22",
    muted="#596273",
    accent="#1f63d6",
    on_accent="#ffffff",
    good="#177545",
    warn="#875c00",
    bad="#c0362c",
)

GAP = 12
"""Pixels between neighbours; pages keep twice that from their edges."""
RADIUS = 8
"""Of cards; of buttons and fields two less."""
FAINT = 140
"""Opacity, of 255, of what cannot be clicked now."""


def tokens() -> Tokens:
    """Those in force."""
    app = QApplication.instance()
    found = None if app is None else app.property("tokens")
    return LIGHT if found == "light" else DARK


def apply(app: QApplication, choice: Choice) -> Tokens:
    """Give the whole program a theme; every widget hears of it as a palette change."""
    if choice == "system":
        chosen = LIGHT if app.styleHints().colorScheme() == Qt.ColorScheme.Light else DARK
    else:
        chosen = LIGHT if choice == "light" else DARK
    app.setProperty("tokens", chosen.name)
    if app.style().objectName() != "fusion":
        app.setStyle("Fusion")  # the same on every system, and it takes colours from the palette
    app.setPalette(palette(chosen))
    app.setStyleSheet(stylesheet(chosen))
    return chosen


def palette(t: Tokens) -> QPalette:
    """For what a stylesheet does not reach."""
    made = QPalette()
    roles = {
        QPalette.ColorRole.Window: t.ground,
        QPalette.ColorRole.WindowText: t.text,
        QPalette.ColorRole.Base: t.surface,
        QPalette.ColorRole.AlternateBase: t.raised,
        QPalette.ColorRole.Text: t.text,
        QPalette.ColorRole.Button: t.raised,
        QPalette.ColorRole.ButtonText: t.text,
        QPalette.ColorRole.ToolTipBase: t.raised,
        QPalette.ColorRole.ToolTipText: t.text,
        QPalette.ColorRole.PlaceholderText: t.muted,
        QPalette.ColorRole.Highlight: t.accent,
        QPalette.ColorRole.HighlightedText: t.on_accent,
        QPalette.ColorRole.Link: t.accent,
        QPalette.ColorRole.Mid: t.line,
        QPalette.ColorRole.Light: t.raised,
        QPalette.ColorRole.Dark: t.line,
        QPalette.ColorRole.Shadow: t.stage,
    }
    for role, colour in roles.items():
        made.setColor(role, QColor(colour))
    for role in (QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText, QPalette.ColorRole.WindowText):
        faint = QColor(t.muted)
        faint.setAlpha(FAINT)
        made.setColor(QPalette.ColorGroup.Disabled, role, faint)
    return made


def stylesheet(t: Tokens) -> str:
    """Qt's stylesheet with the tokens filled in."""
    text = (Path(__file__).resolve().parent / "theme.qss").read_text(encoding="utf-8")
    values = {field.name: getattr(t, field.name) for field in fields(t)}
    values |= {"radius": f"{RADIUS}px", "radius_small": f"{RADIUS - 2}px"}
    values["wash"] = _washed(t.accent, 36)
    values["faint"] = _washed(t.muted, FAINT)
    values["icons"] = ICONS.as_posix()
    for name in sorted(values, key=len, reverse=True):
        text = text.replace(f"@{name}", str(values[name]))
    return text


def icon(name: str, colour: str | None = None) -> QIcon:
    """One of assets/icons in a colour of the theme (the text's when nothing is said), sharp at any scale;
    faint like the words beside it where nothing can be clicked."""
    chosen = colour or tokens().text
    made = QIcon()
    for side in (20, 24, 40, 48, 96):
        made.addPixmap(_drawn(name, chosen, side))
        made.addPixmap(_drawn(name, tokens().muted, side, FAINT / 255), QIcon.Mode.Disabled)
    return made


@cache
def _drawn(name: str, colour: str, side: int, opacity: float = 1.0) -> QPixmap:
    source = (ICONS / f"{name}.svg").read_text(encoding="utf-8").replace("currentColor", colour)
    picture = QPixmap(QSize(side, side))
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setOpacity(opacity)
    QSvgRenderer(QByteArray(source.encode())).render(painter, QRectF(0, 0, side, side))
    painter.end()
    return picture


def _washed(colour: str, alpha: int) -> str:
    c = QColor(colour)
    return f"rgba({c.red()}, {c.green()}, {c.blue()}, {alpha})"
