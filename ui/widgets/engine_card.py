"""One engine of the catalog: what it is, its presets with what they take, or what it lacks here."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QButtonGroup,
    QFrame,
    QGridLayout,
    QLabel,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from pipelines.forecast import BuildForecast
from studio.engines.engine import EngineSpec
from ui.theme import GAP
from ui.widgets.plain import label, set_role


class EngineCard(QFrame):
    """Chosen by a click anywhere on it or with the keyboard; only the chosen one shows its presets.

    Attributes:
        chosen: it wants to be the chosen one.
        preset_changed: another preset is chosen.
    """

    chosen = Signal()
    preset_changed = Signal(str)

    def __init__(self, spec: EngineSpec) -> None:
        super().__init__()
        self.spec = spec
        self.missing: str | None = None
        self.setProperty("role", "card")
        self.title = QRadioButton(spec.title)
        self.title.setAutoExclusive(False)
        self.title.setAccessibleDescription(spec.summary)
        self.title.clicked.connect(self._asked)
        self._summary = label(spec.summary, "hint", wrap=True)
        self._lack = label("", "hint", wrap=True)
        self._lack.hide()
        self._choices = QWidget()
        grid = QGridLayout(self._choices)
        grid.setContentsMargins(GAP, 2, 0, 0)
        grid.setHorizontalSpacing(2 * GAP)
        grid.setVerticalSpacing(6)
        grid.setColumnStretch(1, 1)
        self._group = QButtonGroup(self)
        self.presets: dict[str, QRadioButton] = {}
        self._takes: dict[str, QLabel] = {}
        for number, preset in enumerate(spec.presets):
            choice, takes = QRadioButton(preset.capitalize()), label(role="hint")
            self._group.addButton(choice)
            grid.addWidget(choice, number, 0)
            grid.addWidget(takes, number, 1)
            self.presets[preset], self._takes[preset] = choice, takes
        self._group.buttonToggled.connect(self._toggled)
        inside = QVBoxLayout(self)
        inside.setContentsMargins(GAP + 2, GAP, GAP + 2, GAP)
        inside.setSpacing(6)
        for part in (self.title, self._summary, self._lack, self._choices):
            inside.addWidget(part)
        self.set_chosen(False)

    def show_missing(self, missing: str | None) -> None:
        """Why it cannot be built here and now, one sentence; None when it can."""
        self.missing = missing
        self._lack.setText(missing or "")
        self._lack.setVisible(missing is not None)
        # What it would do gives way to what it needs, or the button to build is below the page's end.
        self._summary.setVisible(missing is None)
        self.title.setToolTip("" if missing is None else self.spec.summary)
        self.title.setEnabled(missing is None)

    @property
    def preset(self) -> str:
        """The preset that is chosen."""
        return next(
            (name for name, choice in self.presets.items() if choice.isChecked()), self.spec.presets[0]
        )

    def choose_preset(self, preset: str) -> None:
        """Choose one; unknown names are left alone."""
        if preset in self.presets:
            self.presets[preset].setChecked(True)

    def set_chosen(self, chosen: bool) -> None:
        """Show whether it is the one to build."""
        self.title.setChecked(chosen)
        self._choices.setVisible(chosen)
        set_role(self, "chosen", chosen)

    def show_forecasts(self, forecasts: Mapping[str, BuildForecast]) -> None:
        """What each preset takes; presets without a forecast show nothing."""
        for preset, takes in self._takes.items():
            found = forecasts.get(preset)
            takes.setText("" if found is None else found.sentence)
            takes.setToolTip("" if found is None else found.trust)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Qt's door."""
        super().mousePressEvent(event)
        if self.missing is None:
            self._asked()

    def _toggled(self, choice: QAbstractButton, on: bool) -> None:
        if on:
            self.preset_changed.emit(self.preset)

    def _asked(self) -> None:
        # A radio button lets go of its dot when it is clicked again: it is the only one it could be.
        self.title.setChecked(True)
        self.chosen.emit()
