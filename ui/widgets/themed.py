"""Pictures on buttons that follow the theme."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QPushButton, QToolButton

from ui.theme import icon, tokens


class IconFollowsTheme(QObject):
    """Draws a button's picture again when the colours change."""

    def __init__(self, target: QPushButton | QToolButton, picture: str, role: str) -> None:
        super().__init__(target)
        self._target, self._picture, self._role = target, picture, role
        self._shown = ""
        target.installEventFilter(self)
        self._draw()

    def show_picture(self, picture: str) -> None:
        """Another picture, e.g. pause instead of play."""
        self._picture, self._shown = picture, ""
        self._draw()

    @property
    def picture(self) -> str:
        """Name of what is drawn."""
        return self._picture

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Qt's door for events of the button."""
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
            self._draw()
        return False

    def _draw(self) -> None:
        colour = str(getattr(tokens(), self._role))
        if colour != self._shown:
            self._shown = colour
            self._target.setIcon(icon(self._picture, colour))
