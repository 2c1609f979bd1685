"""Movements that qtbot does not know."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QWidget


def turn_wheel(widget: QWidget, angle: int) -> None:
    """Turn the mouse's wheel over the middle of a widget; positive away from the hand, 120 for each step."""
    place = QPointF(widget.rect().center())
    event = QWheelEvent(
        *(place, widget.mapToGlobal(place), QPoint(), QPoint(0, angle)),
        *(Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False),
    )
    QApplication.sendEvent(widget, event)
