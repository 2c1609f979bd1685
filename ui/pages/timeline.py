"""Timeline: the avatar above, curves of what it does below."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QFrame, QSplitter, QStackedLayout, QVBoxLayout, QWidget

from pipelines.timeline_evaluation import evaluate_timeline
from studio.domain.controls import ControlTrack
from studio.domain.timeline import Timeline
from ui.pages.page import Page
from ui.pages.timeline_actions import TimelineActions, TimelineDeeds
from ui.pages.timeline_bar import TimelineBar
from ui.pages.timeline_exchange import TimelineExchange
from ui.pages.timeline_import import ImportDialog
from ui.pages.timeline_picture import TimelinePicture
from ui.pages.timeline_player import Player
from ui.pages.timeline_saver import TimelineSaver, open_timeline
from ui.session import Session
from ui.theme import GAP
from ui.widgets.curve_editor import CurveEditor
from ui.widgets.curve_list import CurveList
from ui.widgets.curve_model import CurveModel
from ui.widgets.empty_state import EmptyState
from ui.widgets.plain import card, label, row
from ui.widgets.viewport import Viewport

LIST = 232
"""Width of the list of curves."""


class TimelinePage(Page):
    """A picture, a row of tools, and the curve editor with its list."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.model = CurveModel(self)
        self.deeds = TimelineDeeds(self.model, self)
        self.player = Player(self)
        self.saver = TimelineSaver(session, self)
        self.viewport = Viewport()
        self.viewport.setMinimumHeight(200)
        self.viewport.setToolTip(self.tr("Drag to turn the head: it becomes a keyframe at the playhead"))
        self.picture = TimelinePicture(session, self.model, self.viewport)
        self.editor = CurveEditor(self.model)
        self.list = CurveList(self.model)
        self.bar = TimelineBar(self.model, self.player, self.ask_import, self.editor.fit)
        self._subject: Path | None = None
        self._active = False
        self._notes_wanted = False
        self._notes_running = False
        self._empty = EmptyState(
            "timeline",
            self.tr("No avatar yet"),
            self.tr("Build one first: the instant engine is ready in seconds and needs nothing else."),
            self.tr("Go to Train"),
            lambda: session.show_page("train"),
        )
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self._body())
        self.actions_ = TimelineActions(self.deeds, self)
        self.exchange = TimelineExchange(session, self.model, self)
        everything = self.actions_.menu(self.bar.edit)
        everything.addSeparator()
        everything.addActions([self.exchange.open, self.exchange.save])
        self.bar.edit.setMenu(everything)
        self._menu = self.actions_.menu(self)
        self.editor.menu_asked.connect(self._show_menu)
        self.editor.hovered.connect(self._hover)
        self.list.wanted.connect(self._add_curve)
        self.player.moved.connect(self.model.go)
        self.model.moved.connect(self._moved)
        self.model.changed.connect(self._changed)
        self.model.settled.connect(self._settled)
        self.model.sheet_changed.connect(self._look_for_notes)
        session.subject_changed.connect(self._open)
        session.avatar_changed.connect(self._refresh)
        self._shortcuts()
        self._refresh()
        self._open()

    def enter(self) -> None:
        """It is shown now."""
        self._active = True
        self._refresh()
        if self.session.avatar is not None:
            self.editor.setFocus()

    def leave(self) -> None:
        """It is hidden now."""
        self._active = False
        self.player.pause()
        self.picture.leave()
        self.saver.hurry()

    def close_page(self) -> None:
        """The window closes: everything is on the disk."""
        self.leave()
        self.saver.flush()

    def ask_import(self) -> ImportDialog:
        """Ask which clip's motion to bring in."""
        self.player.pause()
        dialog = ImportDialog(self.session, self.model, self)
        dialog.accepted.connect(self.editor.fit)
        dialog.open()
        return dialog

    def _body(self) -> QWidget:
        self._hint = label("", "hint", wrap=True)
        self._note = label("", "warn", wrap=True)
        self._note.hide()
        side = QFrame()
        side.setFixedWidth(LIST)
        inside = QVBoxLayout(side)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.addWidget(self.list)
        curves = row(side, self.editor, spacing=GAP)
        curves.setStretch(1, 1)
        below = card(QVBoxLayout())
        self._curves: QWidget = below
        layout = below.layout()
        assert isinstance(layout, QVBoxLayout)
        layout.addWidget(self.bar)
        layout.addLayout(curves, 1)
        layout.addWidget(self._note)
        layout.addWidget(self._hint)
        split = QSplitter(Qt.Orientation.Vertical)
        split.addWidget(self.viewport)
        split.addWidget(below)
        split.setStretchFactor(0, 1)
        split.setStretchFactor(1, 1)
        split.setSizes([360, 380])
        split.setChildrenCollapsible(False)
        split.setHandleWidth(GAP)
        body = QWidget()
        whole = QVBoxLayout(body)
        whole.setContentsMargins(2 * GAP, GAP + 4, 2 * GAP, GAP + 4)
        whole.addWidget(split)
        self._say_next()
        return body

    def _shortcuts(self) -> None:
        step, curves = self._step, self._curves  # over the picture arrows turn the head
        for where, keys, act in (
            (self, "Space", self.player.toggle),
            (self, "J", partial(self.player.faster, -1)),
            (self, "K", self.player.pause),
            (self, "L", partial(self.player.faster, 1)),
            (curves, "Left", partial(step, -1)),
            (curves, "Right", partial(step, 1)),
            (curves, "Shift+Left", partial(step, -10)),
            (curves, "Shift+Right", partial(step, 10)),
            (self, "Home", partial(step, -(10**9))),
            (self, "End", partial(step, 10**9)),
            (self, "F", self.editor.fit),
            (curves, "Escape", self.editor.give_up),
        ):
            shortcut = QShortcut(QKeySequence(keys), where)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(act)
        find = QShortcut(QKeySequence.StandardKey.Find, self)
        find.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        find.activated.connect(self.list.search.setFocus)

    def _step(self, frames: int) -> None:
        self.player.pause()
        self.model.go(self.model.playhead + frames)

    def _open(self) -> None:
        """Another subject: their timeline is read on a thread; the old one's is on the disk before."""
        subject = None if self.session.subject is None else self.session.subject.path
        if subject == self._subject:
            return
        self.player.pause()
        self.saver.flush()
        self._subject = subject
        self.viewport.show_frame(None)
        self._load(Timeline())
        if subject is not None:
            self.setEnabled(False)
            self.session.background.run(
                self, partial(open_timeline, subject), partial(self._opened, subject), self._not_opened
            )

    def _opened(self, subject: Path, timeline: Timeline) -> None:
        if subject == self._subject:
            self.setEnabled(True)
            self._load(timeline)
            self.session.open_timeline(timeline)
            if self._active:
                self.editor.setFocus()

    def _not_opened(self, error: Exception) -> None:
        """A damaged one, or one of a newer version, is kept beside the new one that is begun."""
        self.setEnabled(True)
        self.saver.unreadable = True
        safe = self.tr("It stays on the disk; your first edit here begins a new timeline beside it.")
        self.session.fail(self.tr("The timeline could not be opened"), error, safe)

    def _load(self, timeline: Timeline) -> None:
        self.model.load(timeline)
        self._look_for_notes()
        self.player.go(self.model.playhead)
        self.editor.fit()

    def _refresh(self) -> None:
        self._stack.setCurrentIndex(0 if self.session.avatar is None else 1)
        if self.session.avatar is None:
            self.player.pause()
            self.picture.leave()
        elif self._active:
            self.picture.enter()

    def _moved(self, frame: int) -> None:
        if frame != self.player.frame:
            self.player.go(frame)

    def _changed(self) -> None:
        line = self.model.timeline
        self.player.take(line.rate, line.length, line.loop)
        self._say_next()

    def _settled(self) -> None:
        line = self.model.timeline
        if self._subject is not None:
            self.saver.keep(self._subject, line)
        self.session.open_timeline(line)
        self._look_for_notes()

    def _add_curve(self, name: str) -> None:
        self.deeds.add_curve(name)
        self.editor.setFocus()

    def _show_menu(self, place: QPoint) -> None:
        self._menu.popup(place)

    def _hover(self, words: str) -> None:
        if words:
            self._hint.setText(words)
        else:
            self._say_next()

    def _say_next(self) -> None:
        """What to do next, at the foot of the curves."""
        if self.model.timeline.empty:
            words = self.tr("Add a control at the left, or import how somebody moves in a clip.")
        else:
            words = self.tr(
                "Double-click adds a keyframe, drag moves it, drag the ground to choose several, with Shift "
                "a range. Wheel zooms, middle button pans. Space plays."
            )
        self._hint.setText(words)

    def _look_for_notes(self) -> None:
        """Every moment, and what of it the avatar cannot follow: found on a thread."""
        self._notes_wanted = True
        if self._notes_running or not self.model.sheet.controls:
            return
        self._notes_wanted, self._notes_running = False, True
        line, sheet, handles = self.model.timeline, self.model.sheet, self.model.handles

        def work() -> tuple[Timeline, ControlTrack, list[str]]:
            said: list[str] = []
            return line, evaluate_timeline(line, sheet, handles, said.append), said

        self.session.background.run(self, work, self._show_notes)

    def _show_notes(self, found: tuple[Timeline, ControlTrack, list[str]]) -> None:
        self._notes_running = False
        line, track, said = found
        self.picture.take_track(line, track)
        self._note.setText(" ".join(said))
        self._note.setVisible(bool(said))
        if self._notes_wanted:
            self._look_for_notes()
