"""Labels, buttons, cards and lines in the theme's roles."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, TypeVar

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import (
    QBoxLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ui.theme import GAP

if TYPE_CHECKING:
    from ui.widgets.themed import IconFollowsTheme

L = TypeVar("L", bound=QBoxLayout)
Role = Literal["", "title", "heading", "hint", "good", "warn", "bad"]


def label(text: str = "", role: Role = "", wrap: bool = False) -> QLabel:
    """Text; ``wrap`` for sentences. Plain text, so that a name with brackets stays itself."""
    made = QLabel(text)
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setWordWrap(wrap)
    if role:
        made.setProperty("role", role)
    return made


def button(
    text: str,
    clicked: Callable[[], object] | None = None,
    role: Literal["", "primary", "danger", "flat"] = "",
    picture: str = "",
    tip: str = "",
) -> QPushButton:
    """A button with words; at most one primary on a page."""
    made = QPushButton(text)
    if role:
        made.setProperty("role", role)
    if picture:
        themed_icon(made, picture, "on_accent" if role == "primary" else "text")
    if tip:
        made.setToolTip(tip)
    if clicked is not None:
        made.clicked.connect(_without_arguments(clicked))
    return made


def tool(
    picture: str, name: str, clicked: Callable[[], object] | None = None, checkable: bool = False
) -> QToolButton:
    """A button with a picture; ``name`` is its tooltip and what a screen reader says."""
    made = QToolButton()
    themed_icon(made, picture)
    made.setToolTip(name)
    made.setAccessibleName(name)
    made.setCheckable(checkable)
    made.setAutoRaise(True)
    if clicked is not None:
        made.clicked.connect(_without_arguments(clicked))
    return made


def themed_icon(target: QPushButton | QToolButton, picture: str, role: str = "text") -> IconFollowsTheme:
    """Give a button a picture in a colour of the theme, whichever it will be. Returns what can change it."""
    from ui.widgets.themed import IconFollowsTheme

    target.setIconSize(QSize(18, 18))
    return IconFollowsTheme(target, picture, role)


def card(layout: QBoxLayout | None = None) -> QFrame:
    """A surface with a border; things are added to its layout."""
    made = QFrame()
    made.setProperty("role", "card")
    inside = layout or QVBoxLayout()
    inside.setContentsMargins(GAP + 4, GAP + 2, GAP + 4, GAP + 2)
    inside.setSpacing(GAP - 2)
    made.setLayout(inside)
    return made


def line() -> QFrame:
    """A separator."""
    made = QFrame()
    made.setProperty("role", "line")
    return made


def row(*parts: QWidget | QBoxLayout | int | None, spacing: int = GAP) -> QHBoxLayout:
    """Side by side: a number is a fixed space, None takes what is left."""
    return _filled(QHBoxLayout(), parts, spacing)


def column(*parts: QWidget | QBoxLayout | int | None, spacing: int = GAP) -> QVBoxLayout:
    """Below each other: a number is a fixed space, None takes what is left."""
    return _filled(QVBoxLayout(), parts, spacing)


def set_role(widget: QWidget, name: str, value: str | bool) -> None:
    """Change a dynamic property and have the stylesheet look again."""
    widget.setProperty(name, value)
    widget.style().unpolish(widget)
    widget.style().polish(widget)


def _without_arguments(clicked: Callable[[], object]) -> Callable[..., None]:
    def call(*checked: object) -> None:
        clicked()

    return call


def _filled(layout: L, parts: tuple[object, ...], spacing: int) -> L:
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(spacing)
    for part in parts:
        if part is None:
            layout.addStretch(1)
        elif isinstance(part, int):
            layout.addSpacing(part)
        elif isinstance(part, QBoxLayout):
            layout.addLayout(part)
        elif isinstance(part, QWidget):
            layout.addWidget(part)
    return layout


__all__ = ["button", "card", "column", "label", "line", "row", "set_role", "themed_icon", "tool"]
