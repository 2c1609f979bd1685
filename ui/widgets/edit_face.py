"""A small picture of a face: in rows, where an edit is, and on tiles, where one could be."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPainterPath
from PySide6.QtWidgets import QWidget

from ui.theme import icon, tokens

ROUND = 6.0
"""Radius of its corners, pixels."""
FAINT = 0.4
"""Opacity of one that does not show."""


def paint_face(painter: QPainter, box: QRectF, picture: QImage, faint: bool = False) -> None:
    """Paint a picture that fills a rounded box; a sign where there is none yet."""
    t = tokens()
    path = QPainterPath()
    path.addRoundedRect(box, ROUND, ROUND)
    painter.save()
    painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
    painter.fillPath(path, QColor(t.stage))
    painter.setClipPath(path)
    if picture.isNull():
        side = min(28.0, box.width() / 2)
        place = QRectF(0, 0, side, side)
        place.moveCenter(box.center())
        icon("person", t.muted).paint(painter, place.toRect())
    else:
        painter.setOpacity(FAINT if faint else 1.0)
        painter.drawImage(box, picture, QRectF(picture.rect()))
    painter.restore()


class EditFace(QWidget):
    """Shows one."""

    def __init__(self, side: int) -> None:
        """``side``: pixels of the widget, which is a square."""
        super().__init__()
        self._picture, self._faint = QImage(), False
        self.setFixedSize(QSize(side, side))
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)

    @property
    def picture(self) -> QImage:
        """What is shown."""
        return self._picture

    def show_picture(self, picture: QImage) -> None:
        """Another one."""
        self._picture = picture
        self.update()

    def show_faint(self, faint: bool) -> None:
        """Whether it is there but does not show."""
        if faint != self._faint:
            self._faint = faint
            self.update()

    def paintEvent(self, event: object) -> None:
        """Qt's door for painting."""
        painter = QPainter(self)
        paint_face(painter, QRectF(self.rect()), self._picture, self._faint)
        painter.end()
