"""The program as ``python main.py --home DIR`` starts it, which also answers questions on standard input.

A question is one line of Python about the ``window``; the answer is one line of JSON. A widget is answered
with the place of its middle on the screen, so that a real mouse can go there. The window's own code knows
nothing of this.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]


def listen(window: Any) -> None:
    """Answer what comes in, in the window's own thread."""
    from PySide6.QtCore import QPoint, QPointF, QSocketNotifier
    from PySide6.QtWidgets import QAbstractButton, QLineEdit, QToolButton, QWidget

    from tests.ui.story import seen

    def button(words: str, kind: type = QAbstractButton) -> Any:
        """Its place, once it can be clicked."""
        found = seen(kind, words)
        return found if found is not None and found.isEnabled() else None

    def place(widget: QWidget, at: QPoint | QPointF | None = None) -> list[int]:
        """A place in a widget, its middle if none is named, on the screen."""
        inside = widget.rect().center() if at is None else QPointF(at).toPoint()
        there = widget.mapToGlobal(inside)
        return [there.x(), there.y()]

    known = {"window": window, "session": window.session, "button": button, "place": place}
    known |= {"field": lambda words: seen(QLineEdit, words), "rail": lambda words: button(words, QToolButton)}
    begun = bytearray()

    def answer() -> None:
        begun.extend(os.read(0, 65536))
        while b"\n" in begun:
            line, _, rest = bytes(begun).partition(b"\n")
            begun[:] = rest
            found = eval(line.decode(), dict(known))
            if isinstance(found, QWidget):
                found = place(found)
            sys.stdout.write(json.dumps(found, default=str) + "\n")
            sys.stdout.flush()

    notifier = QSocketNotifier(0, QSocketNotifier.Type.Read, window)
    notifier.activated.connect(answer)


def main(words: list[str]) -> int:
    """Start the program by its own door."""
    import main as door
    from ui import app

    made = app.open_window

    def open_window(*given: Any) -> Any:
        window = made(*given)
        listen(window)
        return window

    app.open_window = open_window  # type: ignore[assignment]
    return door.main(words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
