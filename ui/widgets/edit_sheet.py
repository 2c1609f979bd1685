"""Pictures of a sheet to choose from: rows of which one is meant, or samples with thumbs up and down."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QKeyEvent, QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from ui.theme import icon, tokens

Place = tuple[int, int, int]
"""Left, top and side of a picture on its sheet."""
ACROSS = 5
"""Pictures side by side."""
GAP = 4
ROUND = 4.0
LABEL, HEAD = 18, 18
"""Width of a row's number and height of a column's words, pixels."""
STRENGTHS = ("−2", "−1", "0", "+1", "+2")
"""What the pictures of a row show."""


class EditSheet(QWidget):
    """Pictures in rows of five, walked through with the arrows.

    Attributes:
        picked: number of the row that is meant, from 0.
        judged: another sample is liked or disliked.
    """

    picked = Signal(int)
    judged = Signal()

    def __init__(self, rows: bool) -> None:
        """``rows``: whether rows are chosen, and not single pictures judged."""
        super().__init__()
        self._rows = rows
        self._sheet = QImage()
        self._places: list[Place] = []
        self._current = self._chosen = 0
        self._verdicts: dict[int, bool] = {}
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        if rows:
            self.setAccessibleName(self.tr("Components, one a row"))
            self.setToolTip(
                self.tr("Each row goes one way and the other along a component: click to choose it")
            )
        else:
            self.setAccessibleName(self.tr("Samples to judge"))
            self.setToolTip(self.tr("Click one that has it, twice one that has not; keys: L and D"))

    @property
    def likes(self) -> tuple[int, ...]:
        """Numbers of the samples that are liked."""
        return tuple(sorted(number for number, liked in self._verdicts.items() if liked))

    @property
    def dislikes(self) -> tuple[int, ...]:
        """Numbers of those that are not."""
        return tuple(sorted(number for number, liked in self._verdicts.items() if not liked))

    def show_sheet(self, sheet: QImage, rows: Sequence[Sequence[Place]]) -> None:
        """Another sheet; nothing on it is judged yet."""
        self._sheet = sheet
        self._places = [place for row in rows for place in row]
        self._verdicts.clear()
        self._current = min(self._current, max(0, self._last))
        self.updateGeometry()
        self.setFixedHeight(self._height())
        self.update()

    def choose(self, row: int) -> None:
        """The row that is meant, from outside."""
        self._chosen = self._current = row
        self.update()

    def judge(self, number: int, liked: bool | None) -> None:
        """Say of a sample that it has it, that it has not, or nothing."""
        if liked is None:
            self._verdicts.pop(number, None)
        else:
            self._verdicts[number] = liked
        self.judged.emit()
        self.update()

    def sizeHint(self) -> QSize:
        """Qt's question for a comfortable size."""
        return QSize(340, self._height())

    def cell(self, number: int) -> QRect:
        """Where a picture is."""
        left, top = (LABEL, HEAD) if self._rows else (0, 0)
        side = self._side()
        across, down = number % ACROSS, number // ACROSS
        return QRect(left + across * (side + GAP), top + down * (side + GAP), side, side)

    def resizeEvent(self, event: object) -> None:
        """Qt's door for another width."""
        if self.height() != self._height():
            self.setFixedHeight(self._height())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Qt's door for a button going down."""
        number = self._at(event)
        if number is None:
            return
        self._current = number // ACROSS if self._rows else number
        if self._rows:
            self._pick()
        else:
            self.judge(number, {None: True, True: False, False: None}[self._verdicts.get(number)])

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Qt's door: the second of two clicks."""
        self.mousePressEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Qt's door for keys."""
        key = Qt.Key(event.key())
        down = 1 if self._rows else ACROSS
        steps = {Qt.Key.Key_Up: -down, Qt.Key.Key_Down: down}
        if not self._rows:
            steps |= {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        if key in steps:
            there = self._current + steps[key]
            if 0 <= there <= self._last:
                self._current = there
                self.update()
        elif self._rows and key in (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._pick()
        elif not self._rows and key in (Qt.Key.Key_L, Qt.Key.Key_D):
            wanted = key == Qt.Key.Key_L
            same = self._verdicts.get(self._current) == wanted
            self.judge(self._current, None if same else wanted)
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt's door for painting."""
        t = tokens()
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        font = self.font()
        font.setPixelSize(12)
        painter.setFont(font)
        for number, (x, y, side) in enumerate(self._places):
            box = QRectF(self.cell(number))
            path = QPainterPath()
            path.addRoundedRect(box, ROUND, ROUND)
            painter.save()
            painter.setClipPath(path)
            painter.drawImage(box, self._sheet, QRectF(x, y, side, side))
            painter.restore()
            if not self._rows:
                self._paint_verdict(painter, number, box)
        if self._rows and self._places:
            for number, words in enumerate(STRENGTHS):
                painter.setPen(QColor(t.muted))
                over = QRect(self.cell(number).left(), 0, self._side(), HEAD - 2)
                painter.drawText(over, Qt.AlignmentFlag.AlignCenter, words)
            for row in range(self._last + 1):
                first = QRectF(self.cell(row * ACROSS))
                around = QRectF(0, first.top(), self.width(), first.height())
                painter.setPen(QColor(t.text if row == self._chosen else t.muted))
                place = QRectF(0, around.top(), LABEL - 4, around.height())
                painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, str(row + 1))
                if row == self._chosen or (row == self._current and self.hasFocus()):
                    ring = QRectF(first.left(), first.top(), self.width() - first.left(), first.height())
                    painter.setPen(QPen(QColor(t.accent), 2 if row == self._chosen else 1))
                    painter.setBrush(Qt.BrushStyle.NoBrush)
                    painter.drawRoundedRect(ring.adjusted(1, 1, -1, -1), ROUND, ROUND)
        painter.end()

    def _paint_verdict(self, painter: QPainter, number: int, box: QRectF) -> None:
        t, verdict = tokens(), self._verdicts.get(number)
        if verdict is not None:
            colour = QColor(t.good if verdict else t.bad)
            painter.setPen(QPen(colour, 3))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box.adjusted(1.5, 1.5, -1.5, -1.5), ROUND, ROUND)
            badge = QRectF(box.right() - 22, box.top() + 4, 18, 18)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour)
            painter.drawEllipse(badge)
            sign = icon("check" if verdict else "close", "#ffffff")
            sign.paint(painter, badge.adjusted(3, 3, -3, -3).toRect())
        if number == self._current and self.hasFocus():
            painter.setPen(QPen(QColor(t.accent), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box.adjusted(1, 1, -1, -1), ROUND, ROUND)

    @property
    def _last(self) -> int:
        """The last row, or the last picture."""
        return (len(self._places) - 1) // ACROSS if self._rows else len(self._places) - 1

    def _pick(self) -> None:
        self._chosen = self._current
        self.picked.emit(self._chosen)
        self.update()

    def _at(self, event: QMouseEvent) -> int | None:
        where = event.position().toPoint()
        return next((n for n in range(len(self._places)) if self.cell(n).contains(where)), None)

    def _side(self) -> int:
        room = self.width() - (LABEL if self._rows else 0)
        return max(24, (room - (ACROSS - 1) * GAP) // ACROSS)

    def _height(self) -> int:
        lines = -(-len(self._places) // ACROSS)
        return max(0, lines * (self._side() + GAP) - GAP) + (HEAD if self._rows else 0)
