"""What a page shows while there is nothing to show: the next step."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from ui.theme import GAP, icon, tokens
from ui.widgets.plain import button, label

WIDTH = 460
"""Of the sentence, pixels."""


class EmptyState(QWidget):
    """A picture, a title, one sentence, and the button that leads on."""

    def __init__(
        self,
        picture: str,
        title: str,
        sentence: str,
        action: str = "",
        clicked: Callable[[], object] | None = None,
    ) -> None:
        super().__init__()
        self._picture = picture
        self._sign = QLabel()
        self._title, self._sentence = label(title, "title"), label(sentence, "hint", wrap=True)
        self._sentence.setFixedWidth(WIDTH)
        inside = QVBoxLayout(self)
        inside.setSpacing(GAP)
        inside.addStretch(2)
        for part in (self._sign, self._title, self._sentence):
            part.setAlignment(Qt.AlignmentFlag.AlignCenter)
            inside.addWidget(part, 0, Qt.AlignmentFlag.AlignHCenter)
        self.button = button(action, clicked, "primary")
        self.button.setVisible(bool(action))
        inside.addWidget(self.button, 0, Qt.AlignmentFlag.AlignHCenter)
        inside.addStretch(3)
        self._draw()
        self._fit()

    def say(self, title: str, sentence: str) -> None:
        """Other words."""
        self._title.setText(title)
        self._sentence.setText(sentence)
        self._fit()

    def changeEvent(self, event: object) -> None:
        """Qt's door for changes of the theme."""
        super().changeEvent(event)  # type: ignore[arg-type]
        self._draw()

    def showEvent(self, event: QShowEvent) -> None:
        """Qt's door for being shown: only now the stylesheet's font is known."""
        super().showEvent(event)
        self._fit()

    def _fit(self) -> None:
        """A wrapped label that is centred is given too little height by its layout."""
        self._sentence.setMinimumHeight(self._sentence.heightForWidth(WIDTH))

    def _draw(self) -> None:
        if hasattr(self, "_sign"):
            self._sign.setPixmap(icon(self._picture, tokens().muted).pixmap(48, 48))
