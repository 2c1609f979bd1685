"""Theme, folders, weights, and what works here."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QTabWidget, QVBoxLayout

from ui.pages.page import Page
from ui.pages.settings_general import GeneralPanel
from ui.pages.settings_health import Health, HealthPanel
from ui.pages.settings_weights import WeightsPanel
from ui.session import Session
from ui.theme import GAP
from ui.widgets.file_drop import FileDrop
from ui.widgets.plain import label


class SettingsPage(Page):
    """Three tabs: general, weights, health."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.health = Health(session)
        self.general = GeneralPanel(session, self.health)
        self.weights = WeightsPanel(session)
        self.doctor = HealthPanel(self.health)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.tabBar().setDrawBase(False)
        self.tabs.addTab(self.general, self.tr("General"))
        self.tabs.addTab(self.weights, self.tr("Weights"))
        self.tabs.addTab(self.doctor, self.tr("Health"))
        inside = QVBoxLayout(self)
        inside.setContentsMargins(2 * GAP, 2 * GAP, 2 * GAP, 2 * GAP)
        inside.setSpacing(GAP)
        inside.addWidget(label(self.tr("Settings"), "title"))
        inside.addWidget(self.tabs, 1)
        self.drop = FileDrop(self, self.tr("Drop the file to take it in"), self._dropped)

    def show_part(self, part: str) -> None:
        """One of the tabs by its name."""
        self.tabs.setCurrentWidget({"weights": self.weights, "health": self.doctor}.get(part, self.general))

    def enter(self) -> None:
        """Look at the disk, and at the machine the first time."""
        self.general.enter()
        self.weights.enter()
        if self.health.report is None:
            self.health.ask()

    def _dropped(self, files: list[Path]) -> None:
        """Weights, wherever on the page."""
        self.tabs.setCurrentWidget(self.weights)
        self.weights.take_in(files)
