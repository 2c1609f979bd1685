"""What the window remembers from one time to the next, in the home folder."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QByteArray, QObject, QSettings, Signal

from ui.theme import Choice


class Preferences(QObject):
    """Small things that nobody should have to set twice.

    Attributes:
        theme_changed: the new choice.
    """

    theme_changed = Signal(str)

    def __init__(self, home: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._file = QSettings(str(home / "window.ini"), QSettings.Format.IniFormat, self)

    @property
    def theme(self) -> Choice:
        """Light, dark, or as the system has it."""
        found = str(self._file.value("theme", "system"))
        return "light" if found == "light" else "dark" if found == "dark" else "system"

    @theme.setter
    def theme(self, choice: Choice) -> None:
        if choice != self.theme:
            self._file.setValue("theme", choice)
            self.theme_changed.emit(choice)

    @property
    def geometry(self) -> QByteArray:
        """Where the window was."""
        found = self._file.value("geometry")
        return found if isinstance(found, QByteArray) else QByteArray()

    @geometry.setter
    def geometry(self, value: QByteArray) -> None:
        self._file.setValue("geometry", value)

    def text(self, name: str, default: str = "") -> str:
        """Anything else, by name."""
        return str(self._file.value(name, default))

    def keep(self, name: str, value: str) -> None:
        """Remember a text by name."""
        self._file.setValue(name, value)

    def save(self) -> None:
        """Write now."""
        self._file.sync()
