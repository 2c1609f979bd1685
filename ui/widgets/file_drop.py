"""Files dropped on a page: one way to take them, and what lies over the page meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEvent, QMimeData, QObject, QRectF, Qt
from PySide6.QtGui import QColor, QDropEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from ui.theme import GAP, RADIUS, tokens


class FileDrop(QObject):
    """Lets a page take files: a hint while they are over it, the files when they are let go."""

    def __init__(self, page: QWidget, words: str, taken: Callable[[list[Path]], object]) -> None:
        """
        Args:
            page: what they are dropped on; this belongs to it.
            words: said over the page while a file is dragged across it.
            taken: given the files; never none.
        """
        super().__init__(page)
        self._taken = taken
        self.hint = _Hint(page, words)
        page.setAcceptDrops(True)
        page.installEventFilter(self)

    def eventFilter(self, page: QObject, event: QEvent) -> bool:
        """Qt's door for everything that happens to the page."""
        kind = event.type()
        if kind == QEvent.Type.DragEnter and isinstance(event, QDropEvent):
            if _files(event.mimeData()):
                event.acceptProposedAction()
                self.hint.show_over()
            return True
        if kind == QEvent.Type.DragLeave:
            self.hint.hide()
            return True
        if kind == QEvent.Type.Drop and isinstance(event, QDropEvent):
            self.hint.hide()
            files = _files(event.mimeData())
            if files:
                event.acceptProposedAction()
                self._taken(files)
            return True
        return super().eventFilter(page, event)


class _Hint(QWidget):
    """A dashed frame with a sentence; lets every event through."""

    def __init__(self, page: QWidget, words: str) -> None:
        super().__init__(page)
        self._page, self._words = page, words
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()

    def show_over(self) -> None:
        """Cover the page."""
        self.setGeometry(self._page.rect())
        self.raise_()
        self.show()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt's door for painting."""
        t = tokens()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        veil = QColor(t.ground)
        veil.setAlpha(225)
        painter.fillRect(self.rect(), veil)
        painter.setPen(QPen(QColor(t.accent), 2, Qt.PenStyle.DashLine))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(GAP, GAP, -GAP, -GAP), RADIUS, RADIUS)
        font = self.font()
        font.setPixelSize(18)
        painter.setFont(font)
        painter.setPen(QColor(t.text))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self._words)
        painter.end()


def _files(data: QMimeData) -> list[Path]:
    """The files that something dragged stands for; folders and addresses elsewhere are none."""
    paths = [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
    return [path for path in paths if path.is_file()]
