"""The latest picture of a training: a real frame, and beside it what the avatar makes of that moment."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage, QPixmap, QResizeEvent
from PySide6.QtWidgets import QLabel, QWidget

from ui.widgets.plain import button, column, label, row

MOST_ROWS = 3


def cells(sheet: QImage) -> list[tuple[QImage, QImage]]:
    """Pairs (real frame, what the networks make) of a sheet of square pictures.

    A training puts real frames into the top row of its sheet and its own pictures into the last one.
    """
    for rows in range(2, MOST_ROWS + 1):
        side = sheet.height() // rows
        if side and sheet.height() == rows * side and sheet.width() % side == 0:
            return [
                (sheet.copy(x, 0, side, side), sheet.copy(x, (rows - 1) * side, side, side))
                for x in range(0, sheet.width(), side)
            ]
    return []


class TrainingPreview(QWidget):
    """Two pictures of one size, and a way to the other moments."""

    def __init__(self) -> None:
        super().__init__()
        self._pairs: list[tuple[QImage, QImage]] = []
        self._place = 0
        self.real, self.made = _Picture(), _Picture()
        self.real.setAccessibleName(self.tr("Real frame"))
        self.made.setAccessibleName(self.tr("Avatar"))
        self._count = label(role="hint")
        self._count.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.another = button(
            self.tr("Next moment"),
            lambda: self.step(1),
            "flat",
            tip=self.tr("Show another frame of the clip"),
        )
        inside = row(
            column(label(self.tr("Real frame"), "hint"), self.real, spacing=4),
            column(label(self.tr("Avatar so far"), "hint"), self.made, spacing=4),
            column(20, self.another, self._count, None, spacing=4),
            None,
        )
        self.setLayout(inside)
        self.setVisible(False)

    def show_sheet(self, sheet: QImage) -> None:
        """A newer sheet; the moment stays."""
        self._pairs = cells(sheet)
        self.setVisible(bool(self._pairs))
        self.step(0)

    def step(self, by: int) -> None:
        """Another of the sheet's moments."""
        if self._pairs:
            self._place = (self._place + by) % len(self._pairs)
            for picture, image in zip((self.real, self.made), self._pairs[self._place], strict=True):
                picture.show_image(image)
            self._count.setText(f"{self._place + 1} / {len(self._pairs)}")


class _Picture(QLabel):
    """Square, as large as there is room."""

    def __init__(self) -> None:
        super().__init__()
        self._image = QImage()
        self.setFixedSize(168, 168)

    def show_image(self, image: QImage) -> None:
        self._image = image
        self._draw()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._draw()

    def _draw(self) -> None:
        if self._image.isNull():
            return
        ratio = self.devicePixelRatioF()
        side = round(self.width() * ratio)
        shown = QPixmap.fromImage(self._image).scaled(
            side, side, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
        )
        shown.setDevicePixelRatio(ratio)
        self.setPixmap(shown)
