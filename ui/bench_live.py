"""``python -m ui.bench_live HOME SECONDS``: how live the window is, measured inside it, as JSON on stdout.

The real window opens on a home with one built subject, and a pointer drags the first slider to and fro 125
times a second, as a common mouse does. What counts is the moment at which each move was due, also when the
window came late to it, and the moment at which a picture was painted that shows this move or a newer one.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QEvent, QObject, QPointF, Qt, QTimer
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication

from studio.domain.rendering import Quality
from studio.live import LiveMeter
from studio.project.store import Store
from ui.app import open_window
from ui.main_window import MainWindow
from ui.pages.perform import PerformPage
from ui.widgets.control_slider import ControlSlider

MOVES = 125.0
"""Of the mouse, a second."""
LOOK_EVERY = 2
"""Milliseconds between two looks at whether a move is due."""
PERIOD = 2.4
"""Seconds of one movement to and fro."""
RUN_UP = 2.0
"""Seconds that are not counted."""
PATIENCE = 300.0
"""Seconds for the first picture to come."""
QUALITIES: tuple[Quality, ...] = ("draft", "full")


class Drag(QObject):
    """A pointer that drags a slider, and what came of it."""

    def __init__(self, page: PerformPage, slider: ControlSlider, seconds: float) -> None:
        super().__init__(page)
        self._page, self._slider, self._seconds = page, slider, seconds
        self._meter = LiveMeter(span=math.inf)
        self._painted: list[float] = []
        self._moves = self._next = 0
        self._began = 0.0
        self._counting = False
        self.late: list[float] = []
        self.over = False
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._move)
        page.viewport.painted.connect(self._shown)

    def begin(self) -> None:
        """Press the button on the slider's handle."""
        self._mouse(QEvent.Type.MouseButtonPress, self._slider.handle_at(self._slider.control.default))
        self._timer.start(LOOK_EVERY)

    def figures(self) -> dict[str, Any]:
        """Pictures shown a second, and milliseconds from hand to picture."""
        latency = self._meter.figures(time.perf_counter())
        took = self._painted[-1] - self._painted[0] if len(self._painted) > 1 else math.inf
        late = sorted(self.late)
        frame = self._page.viewport.frame
        return {
            "rate": (len(self._painted) - 1) / took,
            "p50": latency.p50,
            "p95": latency.p95,
            "moves": self._moves,
            "late_p95": 1000.0 * late[int(0.95 * (len(late) - 1))] if late else 0.0,
            "render": 0.0 if frame is None else frame.milliseconds,
            "width": 0 if frame is None else frame.image.shape[1],
            "quality": "" if frame is None else frame.request.quality,
        }

    def _move(self) -> None:
        now = time.perf_counter()
        if self._began == 0.0:  # the hand sets out when the window can follow: a first paint may take long
            self._began = now
        passed = now - self._began
        if passed > RUN_UP + self._seconds:
            self._timer.stop()
            self._mouse(QEvent.Type.MouseButtonRelease, self._slider.handle_at(0.0))
            self.over = True
            return
        newest = math.floor(passed * MOVES)
        if newest < self._next:
            return
        # Of moves that wait together, a window handles the newest and has kept the oldest waiting.
        due = self._began + self._next / MOVES
        self._next = newest + 1
        self._counting = passed > RUN_UP
        before = self._slider.control.low / 4, self._slider.control.high / 4
        share = 0.5 + 0.5 * math.sin(2 * math.pi * newest / MOVES / PERIOD)
        self._mouse(
            QEvent.Type.MouseMove, self._slider.handle_at(before[0] + share * (before[1] - before[0]))
        )
        ticket = self._page.posing.live.ask_again()
        if self._counting:
            self._moves += 1
            self.late.append(now - due)
            self._meter.asked(ticket, due)

    def _shown(self, ticket: int) -> None:
        if self._counting:
            now = time.perf_counter()
            self._meter.shown(ticket, now)
            self._painted.append(now)

    def _mouse(self, kind: QEvent.Type, place: QPointF) -> None:
        button = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseMove else Qt.MouseButton.LeftButton
        where = QPointF(self._slider.mapToGlobal(place))
        held, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        QApplication.sendEvent(self._slider, QMouseEvent(kind, place, where, button, held, keys))


def measure(app: QApplication, window: MainWindow, seconds: float) -> dict[str, Any]:
    """Drag in each quality, and say what it was like."""
    page = window.page("perform")
    assert isinstance(page, PerformPage)
    window.show_page("perform")
    _until(app, lambda: page.viewport.frame is not None and page.model.knows("yaw"))
    results: dict[str, Any] = {}
    for quality in QUALITIES:
        page.posing.moving = quality
        drag = Drag(page, page.controls.row("yaw"), seconds)
        drag.begin()
        _until(app, lambda drag=drag: drag.over)  # type: ignore[misc]
        results[quality] = drag.figures()
    return results


def _until(app: QApplication, there: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not there():
        if time.monotonic() > end:
            raise TimeoutError("the live picture did not come")
        app.processEvents()
        time.sleep(0.0005)


def main(words: list[str]) -> int:
    """Command line."""
    store, seconds = Store(Path(words[0])), float(words[1])
    app = QApplication([])
    window = open_window(app, store)
    window.resize(1280, 800)
    window.session.open_subject(store.subjects().subjects[0])
    window.show()
    try:
        results = measure(app, window, seconds)
        results["platform"] = app.platformName()
    finally:
        window.close()
    print(json.dumps(results), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
