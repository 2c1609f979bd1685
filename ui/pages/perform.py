"""Perform: the avatar live, posed by hand, by a camera or by a clip."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QStackedLayout,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from pipelines.first_avatar import footing
from studio.domain.avatar import Avatar
from ui.avatar_names import clips_of, introduction
from ui.controls_model import ControlsModel
from ui.pages.page import Page
from ui.pages.perform_drive import DriveRow
from ui.pages.perform_edits import EditsPanel
from ui.pages.perform_poses import PoseRow
from ui.pages.perform_posing import Posing
from ui.session import Session
from ui.theme import GAP
from ui.widgets.control_list import ControlList
from ui.widgets.empty_state import EmptyState
from ui.widgets.plain import button, card, column, label, row, tool
from ui.widgets.viewport import Viewport
from ui.widgets.viewport_layers import LayerChoice
from ui.words import avatar_title

PANEL = 400
"""Width of controls and edits."""


class PerformPage(Page):
    """A large picture at the left, controls at the right, poses and comparison below."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.model = ControlsModel(self)
        self.viewport = Viewport()
        self.posing = Posing(session, self.model, self.viewport)
        self.poses = PoseRow(session, self.model)
        self.drive = DriveRow(self.posing)
        self.controls = ControlList(self.model)
        self.edits = EditsPanel(session, self.model, self.posing)
        self._subject: Path | None = None
        self._known: set[Path] = set()
        self._entered = False
        self._empty = EmptyState(
            "perform",
            self.tr("No avatar yet"),
            self.tr("Build one first: the instant engine is ready in seconds and needs nothing else."),
            self.tr("Go to Train"),
            lambda: session.show_page("train"),
        )
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self._body())
        session.avatar_changed.connect(self._refresh)
        session.subject_changed.connect(self._refresh)
        session.library_changed.connect(self._look_for_trained)
        self.poses.poses_changed.connect(self._fill_others)
        self._shortcuts()

    def enter(self) -> None:
        """It is shown now."""
        self._entered = True
        self._refresh()
        if self.session.avatar is not None:
            self.viewport.setFocus()

    def leave(self) -> None:
        """It is hidden now."""
        self._entered = False
        self.drive.driving.stop()
        self.edits.leave()
        self.posing.leave()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Qt's door for keys: holding C compares, holding B shows the person before all edits."""
        if event.key() in (Qt.Key.Key_C, Qt.Key.Key_B) and not event.modifiers():
            if not event.isAutoRepeat():
                self._hold(Qt.Key(event.key()), True)
            return
        super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """Qt's door for keys going up."""
        if event.key() in (Qt.Key.Key_C, Qt.Key.Key_B):
            if not event.isAutoRepeat():
                self._hold(Qt.Key(event.key()), False)
            return
        super().keyReleaseEvent(event)

    def _hold(self, key: Qt.Key, held: bool) -> None:
        if key == Qt.Key.Key_C:
            self.compare.setDown(held)
            self._compare(held)
        else:
            self.edits.before.setDown(held)
            self.edits.show_before(held)

    def _body(self) -> QWidget:
        body = QWidget()
        self.introduction = label(role="hint", wrap=True)
        self.undo = tool("undo", self.tr("Undo (Ctrl+Z)"), self.model.undo.undo)
        self.redo = tool("redo", self.tr("Redo (Ctrl+Shift+Z)"), self.model.undo.redo)
        self.reset = button(
            self.tr("Reset all"),
            self.model.reset_all,
            picture="reset",
            tip=self.tr("The pose back to neutral; edits stay as they are"),
        )
        for made, signal in (
            (self.undo, self.model.undo.canUndoChanged),
            (self.redo, self.model.undo.canRedoChanged),
        ):
            made.setEnabled(False)
            signal.connect(made.setEnabled)
        self.compare = button(
            self.tr("Hold to compare"),
            picture="swap",
            tip=self.tr("Shows the other pose for as long as you hold this button, or the C key"),
        )
        self.compare.setAutoRepeat(False)
        self.compare.pressed.connect(lambda: self._compare(True))
        self.compare.released.connect(lambda: self._compare(False))
        self.others = QComboBox()
        self.others.setAccessibleName(self.tr("Compare with"))
        self.others.setToolTip(self.tr("What “Hold to compare” shows"))
        self.again = button(self.tr("Start again"), self._start_again, "primary")
        self.again.hide()
        self.layers = LayerChoice()
        self.layers.chosen.connect(self.posing.show_layer)
        top = row(self.introduction, self.layers, self.again)
        top.setStretch(0, 1)
        tools = row(self.undo, self.redo, self.reset, None, self.compare, self.others, spacing=8)
        left = column(top, spacing=GAP)
        left.addWidget(self.viewport, 1)
        left.addLayout(tools)
        left.addWidget(self.drive)
        left.addWidget(self.poses)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.tabBar().setDrawBase(False)
        self.tabs.addTab(self.controls, self.tr("Controls"))
        self.tabs.addTab(self.edits, self.tr("Edits"))
        self.tabs.setTabToolTip(1, self.tr("What is changed about the person: shape, colours, by words"))
        self.tabs.currentChanged.connect(self._tab_changed)
        self.edits.counted.connect(self._count_edits)
        self._count_edits(len(self.session.edits.stack))
        panel = card(QVBoxLayout())
        panel.setFixedWidth(PANEL)
        panel.layout().addWidget(self.tabs)  # type: ignore[union-attr]
        panel.layout().setContentsMargins(GAP + 4, 4, GAP + 4, GAP + 2)  # type: ignore[union-attr]
        whole = QHBoxLayout(body)
        whole.setContentsMargins(2 * GAP, GAP + 4, 2 * GAP, GAP + 4)
        whole.setSpacing(2 * GAP)
        whole.addLayout(left, 1)
        whole.addWidget(panel)
        return body

    def _shortcuts(self) -> None:
        within = Qt.ShortcutContext.WidgetWithChildrenShortcut
        for keys, act in (
            (QKeySequence.StandardKey.Undo, self.model.undo.undo),
            (QKeySequence.StandardKey.Redo, self.model.undo.redo),
            (QKeySequence("Ctrl+0"), self.model.reset_all),
            (QKeySequence("Ctrl+F"), self._find),
            (QKeySequence("Ctrl+E"), self._go_to_edits),
        ):
            shortcut = QShortcut(QKeySequence(keys), self)
            shortcut.setContext(within)
            shortcut.activated.connect(act)
        self.reset.setToolTip(self.tr("The pose back to neutral; edits stay as they are (Ctrl+0)"))

    def _find(self) -> None:
        self.tabs.setCurrentWidget(self.controls)
        self.controls.search.setFocus()

    def _go_to_edits(self) -> None:
        self.tabs.setCurrentWidget(self.edits)
        self.edits.setFocus()

    def _tab_changed(self) -> None:
        if self._entered and self.session.avatar is not None and self.tabs.currentWidget() is self.edits:
            self.edits.enter()
        else:
            self.edits.leave()

    def _count_edits(self, count: int) -> None:
        words = self.tr("Edits ({n})").format(n=count) if count else self.tr("Edits")
        self.tabs.setTabText(1, words)

    def _refresh(self) -> None:
        """Who is open may have changed."""
        session = self.session
        subject = None if session.subject is None else session.subject.path
        if subject != self._subject:
            self._subject = subject
            self._known = set(self._folders())
            self.model.replace({}, "")
            self.model.undo.clear()
            self.viewport.show_frame(None)
        if not self._entered:
            return
        self._stack.setCurrentIndex(0 if session.avatar is None else 1)
        if session.avatar is None:
            self.edits.leave()
            self.posing.leave()
            return
        self.poses.enter()
        self.posing.enter()
        self._tab_changed()
        live = self.posing.live
        live.stopped.connect(self._stopped, Qt.ConnectionType.UniqueConnection)
        live.took_over.connect(self._introduce, Qt.ConnectionType.UniqueConnection)
        self._introduce()

    def _avatars(self) -> list[Avatar]:
        subject = self.session.subject
        if subject is None:
            return []
        from pipelines.build_job import avatars

        return avatars(subject)

    def _folders(self) -> list[Path]:
        return [avatar.folder for avatar in self._avatars()]

    def _look_for_trained(self) -> None:
        """A trained avatar that has just become ready takes over while the old one plays on, unless that one
        learnt more about the person."""
        found = self._avatars()
        new = [
            avatar
            for avatar in found
            if avatar.folder not in self._known
            and avatar.engine != "instant"
            and not avatar.lineage.get("held_out")
        ]
        self._known = {avatar.folder for avatar in found}
        shown = self.session.avatar
        if new and shown is not None and new[-1].folder != shown.folder:
            takes_over = footing(new[-1]) >= footing(shown)
            words = self.tr("{title} is ready: choose it at the top.")
            if takes_over:
                words = self.tr("{title} is ready and takes over.")
            self.session.said.emit(words.format(title=avatar_title(new[-1])))
            if takes_over:
                self.session.open_avatar(new[-1], "finished")
        if self._entered:
            self._introduce()

    def _introduce(self) -> None:
        """Say which avatar is shown and why."""
        session = self.session
        if session.avatar is not None and session.subject is not None:
            clips, count = clips_of(session.subject), len(self._avatars())
            self.introduction.setText(introduction(session.avatar, clips, session.why, count))
        self.layers.offer(self.posing.live.layers, self.posing.layer)
        self.again.setVisible(not self.posing.live.worker.alive)
        self.posing.show_figures()

    def _fill_others(self) -> None:
        kept = self.others.currentText()
        self.others.clear()
        self.others.addItem(self.tr("Neutral"), {})
        for name, pose in self.poses.poses.items():
            self.others.addItem(name, pose)
        self.others.setCurrentIndex(max(0, self.others.findText(kept)))

    def _compare(self, held: bool) -> None:
        self.posing.peek(dict(self.others.currentData() or {}) if held else None)

    def _stopped(self) -> None:
        self.again.show()
        self.posing.show_figures()

    def _start_again(self) -> None:
        self.again.hide()
        self.posing.live.restart()
        self.posing.show_figures()
