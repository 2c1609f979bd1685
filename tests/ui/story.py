"""Hands and eyes for whole stories: finds what a person sees by its words, and uses it as they do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QTimer, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QLabel,
    QLineEdit,
    QToolButton,
    QWidget,
)

from studio.project.store import Store
from ui.app import open_window
from ui.main_window import MainWindow

SLOW = 600_000
"""Milliseconds for what takes seconds on a quiet machine."""
LEFT = Qt.MouseButton.LeftButton
W = TypeVar("W", bound=QWidget)


def seen(kind: type[W], words: str) -> W | None:
    """The first widget of a kind that is visible and says this; None if none does."""
    for window in QApplication.topLevelWidgets():
        for widget in window.findChildren(kind):
            if widget.isVisible() and words in (_text(widget), widget.accessibleName()):
                return widget
    return None


def _text(widget: QWidget) -> str:
    return widget.text() if isinstance(widget, QAbstractButton | QLabel) else ""


class Story:
    """One window under somebody's hands."""

    def __init__(self, qtbot: Any, window: MainWindow) -> None:
        self.qtbot, self.window, self.session = qtbot, window, window.session

    def until(self, true: Callable[[], object], timeout: int = SLOW) -> None:
        """Wait until something is the case; a failure in the banner ends the story."""

        def look() -> bool:
            failure = self.window.banner.failure
            assert failure is None, f"{failure}"
            return bool(true())

        self.qtbot.waitUntil(look, timeout=timeout)

    def press(self, words: str, kind: type[QAbstractButton] = QAbstractButton) -> None:
        """Click the button that says this, as soon as it can be clicked."""

        def ready() -> bool:
            found = seen(kind, words)
            return found is not None and found.isEnabled()

        self.until(ready)
        found = seen(kind, words)
        assert found is not None
        # A tick box or a radio button is clicked where its words begin: behind them is nothing.
        self.qtbot.mouseClick(found, LEFT, pos=QPoint(min(12, found.width() // 2), found.height() // 2))

    def page(self, words: str) -> Any:
        """Go to a page by its button at the left."""
        self.press(words, QToolButton)
        return self.shown

    @property
    def shown(self) -> Any:
        """The page that is shown."""
        return self.window.page(self.window.shown)

    def write(self, field: QLineEdit | QAbstractSpinBox, words: str, key: Qt.Key = Qt.Key.Key_Tab) -> None:
        """Write into a field in place of what is there, and leave it with a key."""
        field.setFocus()
        field.selectAll()
        self.qtbot.keyClicks(field, words)
        self.qtbot.keyClick(field, key)

    def drop(self, onto: QWidget, file: Path) -> None:
        """Drag a file from elsewhere and let it go here."""
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(file))])
        middle = QPointF(onto.rect().center())
        none = Qt.KeyboardModifier.NoModifier
        QApplication.sendEvent(onto, QDragEnterEvent(middle, Qt.DropAction.CopyAction, data, LEFT, none))
        drop = QDropEvent(middle, Qt.DropAction.CopyAction, data, LEFT, none)
        QApplication.sendEvent(onto, drop)
        assert drop.isAccepted()

    def bring_in(self, clip: Path, name: str) -> None:
        """Drop a clip on the library, say whose it is, and open them once their face is tracked."""
        library = self.page("Library")
        self.until(lambda: seen(QAbstractButton, "Choose a video or photo…"))
        self.drop(library, clip)
        self.until(lambda: seen(QLineEdit, "Name"))
        field = seen(QLineEdit, "Name")
        assert field is not None
        self.write(field, name)
        self.press("This is my own face")
        self.press("Bring in")
        self.until(lambda: any(j.status.state == "finished" for j in self.session.jobs.jobs()))
        self.until(lambda: library.cards)
        (card,) = library.cards.values()
        self.qtbot.mouseClick(card.portrait, LEFT)
        self.until(lambda: self.window.shown == "capture")

    def build_instant(self) -> None:
        """Choose pivots, build the instant avatar and go to perform with it."""
        train = self.page("Train")
        self.press("Choose pivots")
        self.until(train.pivots.grid.frames)
        self.press("Instant")
        self.press("Build")
        self.press("Perform with it")
        self.until(lambda: self.window.shown == "perform")

    def drag_slider(self, slider: Any, value: float) -> None:
        """Take a slider's handle and drag it to a value."""
        start = slider.handle_at(slider.control.default).toPoint()
        end = slider.handle_at(value).toPoint()
        self.qtbot.mousePress(slider, LEFT, pos=start)
        for step in range(1, 5):
            self.qtbot.mouseMove(slider, start + (end - start) * step / 4)
        self.qtbot.mouseRelease(slider, LEFT, pos=end)

    def still(self, page: Any, frame: int) -> np.ndarray:
        """The timeline's best picture of a frame, as large as the viewport: ``[H, W, 3]``."""
        page.model.go(frame)

        def drawn() -> bool:
            shown = page.viewport.frame
            return (
                shown is not None
                and shown.request.quality == "full"
                and shown.request.state == page.picture.state()
                and max(shown.image.shape) == page.viewport.device_side()
            )

        self.until(drawn)
        return np.array(page.viewport.frame.image)

    def export(self, target: Path, codec: str, size: int) -> None:
        """Export the timeline and wait until it is there."""
        page = self.page("Export")
        self.until(lambda: page.motion.motion is not None)
        for box, data in ((page.form.codec, codec), (page.form.side, size)):
            box.setCurrentIndex(box.findData(data))
        self.write(page.form.file, str(target))
        self.until(page.export.isEnabled)
        self.qtbot.mouseClick(page.export, LEFT)
        self.until(target.exists)


def pictures(folder: Path) -> list[np.ndarray]:
    """A sequence of PNG files, in order."""
    return [np.asarray(Image.open(file)) for file in sorted(folder.glob("*.png"))]


@contextmanager
def opened(qtbot: Any, qapp: Any, home: Path) -> Iterator[Story]:
    """The real window on a home; it is closed afterwards, and no timer of it may go on."""
    window = open_window(qapp, Store(home))
    window.show()
    qtbot.waitExposed(window)
    try:
        yield Story(qtbot, window)
    finally:
        timers = [timer for timer in window.findChildren(QTimer) if timer.isActive()]
        window.close()
        running = [timer for timer in timers if timer.isActive()]
        window.deleteLater()
        assert not running, f"timers that outlive the window: {running}"
