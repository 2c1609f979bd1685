"""What a page is to the window."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QWidget

if TYPE_CHECKING:
    from ui.session import Session


class Page(QWidget):
    """One page. It is made when first shown, and lives as long as the window.

    A page listens to the session's signals, but does its work in :meth:`enter` or while it is shown: reading
    files on ``session.background``, long work as jobs on ``session.jobs``.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session

    def enter(self) -> None:
        """It is shown now."""

    def leave(self) -> None:
        """It is hidden now: stop timers and players."""

    def show_part(self, part: str) -> None:
        """Show a part of it that somebody asked for, as in ``settings#weights``."""

    def close_page(self) -> None:
        """The window closes: let go of everything."""
        self.leave()
