"""A window may emit as many signals as it likes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

EMITTING = """
import ui
from PySide6.QtCore import QCoreApplication, QObject, Signal
class Source(QObject):
    signal = Signal()
app, source = QCoreApplication([]), Source()
for _ in range(20000):
    source.signal.emit()
    app.processEvents()
print("well")
"""


def test_emitting_signals_does_not_end_the_program() -> None:
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", EMITTING], cwd=root, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "well"), done.stderr
