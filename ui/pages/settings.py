"""Theme, folders, weights, and what works here."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent
from PySide6.QtWidgets import QTabWidget, QVBoxLayout

from ui.pages.page import Page
from ui.pages.settings_general import GeneralPanel
from ui.pages.settings_health import Health, HealthPanel
from ui.pages.settings_weights import WeightsPanel
from ui.session import Session
from ui.theme import GAP
from ui.widgets.drop_hint import DropHint
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
        self.setAcceptDrops(True)
        self._hint = DropHint(self, self.tr("Drop the file to take it in"))

    def enter(self) -> None:
        """Look at the disk, and at the machine the first time."""
        self.general.enter()
        self.weights.enter()
        if self.health.report is None:
            self.health.ask()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Qt's door for something dragged over the page."""
        if _files(event):
            event.acceptProposedAction()
            self._hint.show_over()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """Qt's door for something dragged away."""
        self._hint.hide()

    def dropEvent(self, event: QDropEvent) -> None:
        """Qt's door for something dropped: weights, wherever on the page."""
        self._hint.hide()
        files = _files(event)
        if files:
            event.acceptProposedAction()
            self.tabs.setCurrentWidget(self.weights)
            self.weights.take_in(files)


def _files(event: QDropEvent) -> list[Path]:
    return [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
