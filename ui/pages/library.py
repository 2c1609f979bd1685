"""Everybody you work with."""

from __future__ import annotations

from PySide6.QtWidgets import QVBoxLayout

from ui.pages.page import Page
from ui.session import Session
from ui.widgets.empty_state import EmptyState


class LibraryPage(Page):
    """Subjects with their pictures; new ones from a clip."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        inside = QVBoxLayout(self)
        inside.addWidget(
            EmptyState(
                "library",
                self.tr("Nobody here yet"),
                self.tr("Bring in a phone video of a face: 20 to 60 seconds, phone held still, even light."),
            )
        )
