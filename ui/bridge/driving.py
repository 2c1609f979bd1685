"""Driving the avatar: Qt's side of :class:`studio.live.LiveDriver`."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt, Signal

from studio.live import Drive, LiveDriver, Seen


class Driving(QObject):
    """Somebody in front of a camera, or a clip, or nobody.

    Attributes:
        seen: a :class:`studio.live.Seen`, the newest.
        ended: why it ended by itself, one sentence.
        changed: it began or ended.
    """

    seen = Signal(object)
    ended = Signal(str)
    changed = Signal()
    _news = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._driver: LiveDriver | None = None
        self._last: Seen | None = None
        self._news.connect(self._hear, Qt.ConnectionType.QueuedConnection)

    @property
    def active(self) -> bool:
        """Whether somebody drives."""
        return self._driver is not None

    def start(self, order: Drive) -> None:
        """Begin, in place of whoever drove before."""
        self.stop()
        try:
            self._driver = LiveDriver(order, self._news.emit)
        except OSError as error:
            self.ended.emit(self.tr("The camera could not be opened ({why}).").format(why=error.strerror))
        self.changed.emit()

    def stop(self) -> None:
        """End; a moment passes until the camera is free again."""
        driver, self._driver, self._last = self._driver, None, None
        if driver is not None:
            driver.close()
            self.changed.emit()

    def calibrate(self) -> None:
        """Whoever drives is at rest now."""
        if self._driver is not None:
            self._driver.calibrate()

    def _hear(self) -> None:
        driver = self._driver
        if driver is None:
            return
        problem, seen = driver.problem, driver.newest()
        if seen is not None and seen is not self._last:
            self._last = seen
            self.seen.emit(seen)
        if problem:
            self.stop()
            self.ended.emit(problem)
