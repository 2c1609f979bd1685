"""Python's cycles of garbage are collected in the window's thread alone.

Python collects wherever an object happens to be made. On a thread of :class:`ui.bridge.background.Background`
that may end a widget that lay in a cycle, outside of the thread Qt wants it ended in: a segmentation fault.
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer

EVERY = 500
"""Milliseconds between two looks."""


class Garbage(QObject):
    """Takes collecting over from Python while it lives; to be made and closed in the window's thread."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._automatic = gc.isenabled()
        gc.disable()
        timer = QTimer(self)
        timer.timeout.connect(self.look)
        timer.start(EVERY)
        self._timer = timer

    def look(self) -> None:
        """Collect the oldest generation that is due by Python's own thresholds, if any is."""
        for generation in (2, 1, 0):
            if gc.get_count()[generation] > gc.get_threshold()[generation]:
                gc.collect(generation)
                return

    def close(self) -> None:
        """Leave it to Python again: the threads are gone."""
        self._timer.stop()
        if self._automatic:
            gc.enable()
