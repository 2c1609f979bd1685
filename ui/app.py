"""Open the window."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from types import TracebackType

from PySide6.QtCore import QCoreApplication, QTimer
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication
from shiboken6 import isValid

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
    show_defects(window.session)
    window.show()
    # What pages draw curves with takes a second to import; the window is there meanwhile.
    session = window.session
    QTimer.singleShot(500, window, lambda: session.background.run(window, _warm, lambda nothing: None))
    return app.exec()


def show_defects(session: Session) -> None:
    """Whatever escapes from a slot lands in the banner, with its traceback to copy; the window goes on."""
    before = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        before(kind, error, trace)
        if isinstance(error, Exception) and isValid(session):
            session.fail(QCoreApplication.translate("app", "Something went wrong"), error)

    sys.excepthook = hook


def _warm() -> None:
    for slow in ("pyqtgraph", "pipelines.coverage", "studio.project.people_files"):
        importlib.import_module(slow)


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
