"""Open a folder in the system's own file browser."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices


def show_folder(folder: Path) -> None:
    """Show it; the window goes on."""
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))
