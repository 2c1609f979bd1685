"""The window: navigation at the left, who is open at the top, a page, and what is at work at the foot."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QSize, Qt
from PySide6.QtGui import QCloseEvent, QGuiApplication, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QMainWindow,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ui import theme
from ui.pages.catalog import PAGES, PageSpec
from ui.pages.page import Page
from ui.session import Session
from ui.theme import GAP
from ui.widgets.banner import Banner
from ui.widgets.plain import themed_icon
from ui.widgets.toast import Toast
from ui.widgets.top_bar import TopBar

SMALLEST = QSize(1024, 680)


USUAL = QSize(1280, 800)
FRAME = QSize(0, 40)
"""What a window's frame and title take of a screen."""


def first_size(screen: QSize) -> QSize:
    """Of a window that was never opened before: as usual, or as large as the screen shows whole."""
    return USUAL.boundedTo(screen - FRAME).expandedTo(SMALLEST)


class MainWindow(QMainWindow):
    """Owns the session and the pages; pages are made when first shown."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        session.setParent(self)
        self.setWindowTitle("Avatar Studio")
        self.setMinimumSize(SMALLEST)
        self._pages: dict[str, Page] = {}
        self._shown = ""
        self._stack = QStackedWidget()
        self.banner = Banner()
        # With the banner goes its margin, so that pages begin at one height.
        self._notice = QWidget()
        around = QVBoxLayout(self._notice)
        around.setContentsMargins(2 * GAP, GAP, 2 * GAP, 0)
        around.addWidget(self.banner)
        self.banner.shown.connect(self._notice.setVisible)
        self._notice.hide()
        self.top = TopBar(session)
        self._buttons: dict[str, QToolButton] = {}
        body = QWidget()
        body.setProperty("role", "ground")
        right = QVBoxLayout()
        right.setContentsMargins(0, 0, 0, 0)
        right.setSpacing(0)
        right.addWidget(self.top)
        right.addWidget(self._notice)
        right.addWidget(self._stack, 1)
        whole = QHBoxLayout(body)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(self._rail())
        whole.addLayout(right, 1)
        self.setCentralWidget(body)
        self.toast = Toast(self._stack)

        session.failed.connect(self.banner.show_failure)
        session.said.connect(self.toast.say)
        session.mended.connect(self.banner.mend)
        session.asked_for.connect(self.show_page)
        session.subject_changed.connect(self._subject_changed)
        session.preferences.theme_changed.connect(self._take_theme)
        QShortcut(QKeySequence(Qt.Key.Key_Escape), self, self.banner.dismiss)
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._system_changed)
        if not self.restoreGeometry(session.preferences.geometry):
            self.resize(first_size(self.screen().availableSize()))
        self._subject_changed()
        self.show_page("library")

    def page(self, name: str) -> Page:
        """A page, made if need be."""
        if name not in self._pages:
            spec = next(spec for spec in PAGES if spec.id == name)
            made = spec.make(self.session)
            for box in made.findChildren(QAbstractSpinBox):
                # A stylesheet's padding reaches the words of every field but these.
                box.lineEdit().setTextMargins(7, 0, 0, 0)
            self._pages[name] = made
            self._stack.addWidget(made)
        return self._pages[name]

    @property
    def shown(self) -> str:
        """Id of the page shown."""
        return self._shown

    def show_page(self, name: str) -> None:
        """Show a page, or with ``page#part`` a part of it."""
        name, _, part = name.partition("#")
        self._show(name)
        if part:
            self._pages[name].show_part(part)

    def _show(self, name: str) -> None:
        if name == self._shown:
            return
        page = self.page(name)
        if self._shown:
            self._pages[self._shown].leave()
        self._shown = name
        self._buttons[name].setChecked(True)
        self._stack.setCurrentWidget(page)
        page.enter()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Qt's door for closing: remember the place, let go of threads and the live worker; jobs go on."""
        self.session.preferences.geometry = self.saveGeometry()
        self.session.preferences.keep("page", self._shown)
        for page in self._pages.values():
            page.close_page()
        self.session.close()
        event.accept()

    def _rail(self) -> QFrame:
        rail = QFrame()
        rail.setProperty("role", "rail")
        rail.setFixedWidth(92)
        inside = QVBoxLayout(rail)
        inside.setContentsMargins(8, GAP, 8, GAP)
        inside.setSpacing(4)
        group = QButtonGroup(self)
        for number, spec in enumerate(PAGES, 1):
            made = self._rail_button(spec, number)
            group.addButton(made)
            self._buttons[spec.id] = made
            if spec.id == "settings":
                inside.addStretch(1)
            inside.addWidget(made)
        return rail

    def _rail_button(self, spec: PageSpec, number: int) -> QToolButton:
        made = QToolButton()
        made.setProperty("role", "rail")
        title = QCoreApplication.translate("pages", spec.title)
        made.setText(title)
        keys = QKeySequence(f"Ctrl+{number}")
        hint = QCoreApplication.translate("pages", spec.hint)
        made.setProperty("hint", f"{hint} ({keys.toString(QKeySequence.SequenceFormat.NativeText)})")
        made.setAccessibleName(title)
        made.setAccessibleDescription(hint)
        made.setCheckable(True)
        made.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        made.setFixedSize(76, 60)
        themed_icon(made, spec.id)
        made.setIconSize(QSize(24, 24))
        made.clicked.connect(lambda: self.show_page(spec.id))
        QShortcut(keys, self, made.click)
        return made

    def _subject_changed(self) -> None:
        someone = self.session.subject is not None
        for spec in PAGES:
            made = self._buttons[spec.id]
            made.setEnabled(someone or not spec.needs_subject)
            first = "" if made.isEnabled() else self.tr("Open somebody in the Library first. ")
            made.setToolTip(first + str(made.property("hint")))
        if not someone and self._shown and next(s for s in PAGES if s.id == self._shown).needs_subject:
            self.show_page("library")

    def _take_theme(self, choice: str) -> None:
        app = QGuiApplication.instance()
        theme.apply(app, choice)  # type: ignore[arg-type]

    def _system_changed(self) -> None:
        if self.session.preferences.theme == "system":
            self._take_theme("system")
