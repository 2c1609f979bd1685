"""Good news at the foot of the window: shown for as long as it takes to read, in nobody's way."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QHideEvent
from PySide6.QtWidgets import QFrame, QWidget

from ui.theme import GAP
from ui.widgets.plain import label, row

LEAST, LETTER = 4000, 70
"""Milliseconds that a sentence stays, and how many more for each letter."""
WIDEST = 560
"""Pixels of a line."""


class Toast(QFrame):
    """Sentences over the lower edge of ``over``; what is said meanwhile is added. Lets clicks through."""

    def __init__(self, over: QWidget) -> None:
        super().__init__(over)
        self._over = over
        self._said: list[str] = []
        self.setProperty("role", "toast")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.words = label(wrap=True)
        inside = row(self.words)
        inside.setContentsMargins(GAP + 4, GAP - 2, GAP + 4, GAP - 2)
        self.setLayout(inside)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.hide)
        over.installEventFilter(self)
        self.hide()

    def say(self, sentence: str) -> None:
        """Show a sentence, below those that have not been read yet."""
        if not self.isVisible():
            self._said = []
        if sentence not in self._said:
            self._said = [*self._said[-2:], sentence]
        text = "\n".join(self._said)
        self.words.setText(text)
        self.setAccessibleName(text)
        self._place()
        self.show()
        self.raise_()
        self._timer.start(LEAST + LETTER * len(text))
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, sentence))

    def hideEvent(self, event: QHideEvent) -> None:
        """Qt's door: read, or the window is gone."""
        self._timer.stop()
        super().hideEvent(event)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Qt's door: the window has another size."""
        if event.type() == QEvent.Type.Resize and self.isVisible():
            self._place()
        return False

    def _place(self) -> None:
        metrics = self.words.fontMetrics()
        longest = max(metrics.horizontalAdvance(line) for line in self._said)
        room = self._over.width() - 4 * GAP
        width = min(longest + 4, WIDEST, room - 2 * GAP - 8)
        self.words.setFixedWidth(width)
        self.adjustSize()
        left = (self._over.width() - self.width()) // 2
        self.move(left, self._over.height() - self.height() - 2 * GAP)
