"""Pivots as thumbnails that can be walked through with the keyboard."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QEvent, QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QKeyEvent, QPainter, QPainterPath, QPen, QPixmap
from PySide6.QtWidgets import (
    QListView,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
)

from ui.theme import icon, tokens

SIDE = 76
"""Of a thumbnail, pixels."""
_FRAME = Qt.ItemDataRole.UserRole
_PICTURE, _LOCKED, _LEAVING = (Qt.ItemDataRole(Qt.ItemDataRole.UserRole + n) for n in (1, 2, 3))


class PivotGrid(QListWidget):
    """Thumbnails in the clip's order.

    Attributes:
        picked: a frame that the user chose here.
        pointed: the frame below the pointer, -1 for none.
        lock_asked, swap_asked: the keys L and S were pressed on the chosen one.
    """

    picked = Signal(int)
    pointed = Signal(int)
    lock_asked = Signal()
    swap_asked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMovement(QListView.Movement.Static)
        self.setUniformItemSizes(True)
        self.setSpacing(2)
        self.setMouseTracking(True)
        self.setVerticalScrollMode(QListWidget.ScrollMode.ScrollPerPixel)
        self.setItemDelegate(_Thumbnail(self))
        self.setAccessibleName(self.tr("Pivots"))
        self._items: dict[int, QListWidgetItem] = {}
        self._quiet = False
        self.currentItemChanged.connect(self._current_changed)
        self.itemClicked.connect(lambda item: self.picked.emit(item.data(_FRAME)))
        self.itemEntered.connect(lambda item: self.pointed.emit(item.data(_FRAME)))

    def show_frames(self, frames: Iterable[int], locked: Iterable[int], words: dict[int, str]) -> None:
        """Fill anew.

        Args:
            frames: ascending frame numbers.
            locked: those with a lock.
            words: frame to what a screen reader and the tooltip say.
        """
        before = {frame: item.data(_PICTURE) for frame, item in self._items.items()}
        chosen, held = self.frame(), set(locked)
        self._quiet = True
        self.clear()
        self._items.clear()
        for frame in frames:
            item = QListWidgetItem()
            item.setData(_FRAME, frame)
            item.setData(_PICTURE, before.get(frame))
            item.setData(_LOCKED, frame in held)
            item.setData(Qt.ItemDataRole.AccessibleTextRole, words.get(frame, str(frame)))
            item.setToolTip(words.get(frame, ""))
            self.addItem(item)
            self._items[frame] = item
        self._quiet = False
        self.choose(chosen)

    def frames(self) -> list[int]:
        """Those shown."""
        return list(self._items)

    def show_picture(self, frame: int, picture: QImage) -> None:
        """The picture of a frame has come."""
        if frame in self._items:
            self._items[frame].setData(_PICTURE, QPixmap.fromImage(picture))

    def show_leaving(self, frames: Iterable[int]) -> None:
        """These will be replaced as soon as the new choice is made."""
        leaving = set(frames)
        for frame, item in self._items.items():
            item.setData(_LEAVING, frame in leaving)

    def frame(self) -> int | None:
        """The one chosen."""
        item = self.currentItem()
        return None if item is None else int(item.data(_FRAME))

    def choose(self, frame: int | None) -> None:
        """Choose from outside: nothing is told."""
        self._quiet = True
        item = None if frame is None else self._items.get(frame)
        self.setCurrentItem(item)  # type: ignore[arg-type]
        if item is not None:
            self.scrollToItem(item)
        self._quiet = False

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Qt's door."""
        asked = {int(Qt.Key.Key_L): self.lock_asked, int(Qt.Key.Key_S): self.swap_asked}.get(event.key())
        if asked is not None and not event.modifiers():
            asked.emit()
        else:
            super().keyPressEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        """Qt's door."""
        super().leaveEvent(event)
        self.pointed.emit(-1)

    def _current_changed(self, item: QListWidgetItem | None) -> None:
        if item is not None and not self._quiet:
            self.picked.emit(item.data(_FRAME))


class _Thumbnail(QStyledItemDelegate):
    """A rounded picture; a ring when chosen, a lock when locked, faint when it is about to leave."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        """Qt's door."""
        return QSize(SIDE + 6, SIDE + 6)

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        """Qt's door."""
        rect = option.rect
        state = option.state
        box = QRectF(rect).adjusted(3, 3, -3, -3)
        outline = QPainterPath()
        outline.addRoundedRect(box, 6, 6)
        painter.save()
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        painter.fillPath(outline, QColor(tokens().stage))
        picture = index.data(_PICTURE)
        if isinstance(picture, QPixmap):
            painter.setOpacity(0.35 if index.data(_LEAVING) else 1.0)
            painter.setClipPath(outline)
            painter.drawPixmap(box, picture, QRectF(picture.rect()))
            painter.setClipping(False)
            painter.setOpacity(1.0)
        if index.data(_LOCKED):
            badge = QRectF(box.right() - 23, box.top() + 3, 20, 20)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(tokens().accent))
            painter.drawEllipse(badge)
            icon("lock", tokens().on_accent).paint(painter, badge.adjusted(4, 4, -4, -4).toRect())
        if state & QStyle.StateFlag.State_Selected:
            painter.setPen(QPen(QColor(tokens().accent), 3))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box, 6, 6)
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(QPen(QColor(tokens().muted), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box, 6, 6)
        painter.restore()
