"""A picture with or without background, as large as fits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from ui.theme import RADIUS, tokens

SQUARE = 10
"""Pixels of a square of the board that stands for nothing."""


class FirstFrame(QWidget):
    """Shows a picture; where it is transparent, a board of grey squares shows through."""

    def __init__(self) -> None:
        super().__init__()
        self._pixels: npt.NDArray[np.uint8] | None = None
        self._image = QImage()
        self._words = ""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(220, 220)
        self.setAccessibleName(self.tr("First frame of the export"))

    @property
    def pixels(self) -> npt.NDArray[np.uint8] | None:
        """What is shown, ``[H, W, 3 or 4]``."""
        return self._pixels

    def show_picture(self, pixels: npt.NDArray[np.uint8] | None, premultiplied: bool = False) -> None:
        """Show ``[H, W, 3]`` RGB or ``[H, W, 4]`` RGBA; None shows nothing."""
        self._pixels = None if pixels is None else np.ascontiguousarray(pixels)
        if self._pixels is None:
            self._image = QImage()
        else:
            height, width, channels = self._pixels.shape
            kind = QImage.Format.Format_RGB888
            if channels == 4:
                kind = (
                    QImage.Format.Format_RGBA8888_Premultiplied
                    if premultiplied
                    else QImage.Format.Format_RGBA8888
                )
            # The array is kept beside it: Qt reads its memory and copies nothing.
            self._image = QImage(self._pixels.data, width, height, channels * width, kind)
        self.update()

    def say(self, words: str) -> None:
        """Words in the middle; empty for none."""
        self._words = words
        self.update()

    def sizeHint(self) -> QSize:
        """Qt's question for a comfortable size."""
        return QSize(360, 360)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt's door for painting."""
        t = tokens()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        stage = QPainterPath()
        stage.addRoundedRect(QRectF(self.rect()), RADIUS, RADIUS)
        painter.fillPath(stage, QColor(t.stage))
        painter.setClipPath(stage)
        if not self._image.isNull():
            side = min(self.width(), self.height())
            place = QRectF((self.width() - side) / 2, (self.height() - side) / 2, side, side)
            if self._image.hasAlphaChannel():
                self._board(painter, place)
            painter.drawImage(place, self._image)
        if self._words:
            painter.setPen(QColor(t.muted))
            inside = self.rect().adjusted(16, 16, -16, -16)
            painter.drawText(inside, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self._words)

    def _board(self, painter: QPainter, place: QRectF) -> None:
        painter.fillRect(place, QColor("#9a9a9a"))
        light = QColor("#c8c8c8")
        count = int(place.width() // SQUARE) + 1
        for y in range(count):
            for x in range(y % 2, count, 2):
                square = QRectF(place.x() + x * SQUARE, place.y() + y * SQUARE, SQUARE, SQUARE)
                painter.fillRect(square.intersected(place), light)
