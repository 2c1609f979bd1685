"""Open the window."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

from studio.project.store import Store
from ui import theme
from ui.actions.device import use_device
from ui.main_window import MainWindow
from ui.session import Session


def main(words: list[str]) -> int:
    """``studio [--home DIR]``. Returns the exit status."""
    from pipelines.cli.words import Everywhere, parse
    from studio.domain.problem import Problem

    try:
        options: Everywhere = parse(Everywhere, words, "studio", "Open the window.")
        return run(options.store)
    except Problem as problem:
        sys.stderr.write(f"{problem}\n")
        return 2


def run(store: Store, words: Sequence[str] = ()) -> int:
    """Show the window until it is closed. Returns the exit status."""
    app = QApplication([sys.argv[0], *words])
    window = open_window(app, store)
    window.show()
    return app.exec()


def open_window(app: QApplication, store: Store) -> MainWindow:
    """The window, not yet shown, with whoever was open last."""
    QCoreApplication.setApplicationName("Avatar Studio")
    QCoreApplication.setOrganizationName("Avatar Studio")
    store.home.mkdir(parents=True, exist_ok=True)
    session = Session(store)
    theme.apply(app, session.preferences.theme)
    app.setWindowIcon(QIcon(str(theme.ICONS / "perform.svg")))
    if chosen := session.preferences.text("device"):
        use_device(chosen)
    window = MainWindow(session)
    last = session.preferences.text("subject")
    for subject in store.subjects().subjects:
        if subject.path.name == last:
            session.open_subject(subject)
    session.jobs.begin()
    return window
