"""One edit of the stack: its face, title, strength, and what can be done with it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, Qt, Signal
from PySide6.QtGui import (
    QAction,
    QColor,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QShortcut,
)
from PySide6.QtWidgets import QFrame, QLineEdit, QMenu, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from studio.domain.edits import Edit
from ui.controls_model import ControlsModel
from ui.theme import tokens
from ui.widgets.control_slider import ControlSlider
from ui.widgets.edit_drift import DriftMeter
from ui.widgets.edit_face import EditFace
from ui.widgets.plain import column, label, row, tool
from ui.widgets.themed import IconFollowsTheme

FACE = 60
"""Pixels of the picture."""
LONGEST = 120
"""Letters of a title."""


class EditRow(QFrame):
    """Shows an edit as it is; asks for what hands want done with it.

    Attributes:
        titled: another title was typed.
        switched: it should show, or not.
        asked: ``up``, ``down`` or ``remove``.
        dragged: the hand that holds the grip is at this height of the screen.
        dropped: the hand has let go.
    """

    titled = Signal(str)
    switched = Signal(bool)
    asked = Signal(str)
    dragged = Signal(int)
    dropped = Signal()

    def __init__(self, model: ControlsModel, edit: Edit) -> None:
        super().__init__()
        self._model, self.edit = model, edit
        self.setProperty("role", "edit")
        self.grip = _Grip()
        self.grip.dragged.connect(self.dragged)
        self.grip.dropped.connect(self.dropped)
        self.face = EditFace(FACE)
        self.title = EditTitle()
        self.title.typed.connect(self.titled)
        self.show_button = tool("eye", "", self._switch, checkable=True)
        self.show_button.setProperty("role", "flat")
        self.show_button.setFixedSize(28, 26)
        self._sign = self.show_button.findChild(IconFollowsTheme)
        self.more = tool("more", self.tr("Rename, move, remove"))
        self.more.setProperty("role", "flat")
        self.more.setFixedSize(28, 26)
        self.more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._menu = QMenu(self.more)
        self.more.setMenu(self._menu)
        self.slider: ControlSlider | None = None
        self._wait = label(self.tr("Opening…"), "hint")
        self._wait.setFixedHeight(30)
        self.drift = DriftMeter()
        self._strength = QVBoxLayout()
        self._strength.setContentsMargins(0, 0, 0, 0)
        self._strength.addWidget(self._wait)
        top = row(self.title, self.show_button, self.more, spacing=2)
        top.setStretch(0, 1)
        for part in (self.show_button, self.more):
            top.setAlignment(part, Qt.AlignmentFlag.AlignTop)
        words = column(top, self._strength, self.drift, spacing=0)
        self.setLayout(row(self.grip, self.face, words, spacing=8))
        self.layout().setContentsMargins(2, 6, 2, 6)  # type: ignore[union-attr]
        self.layout().setAlignment(self.face, Qt.AlignmentFlag.AlignTop)  # type: ignore[union-attr]
        self._keys()
        self.show_edit(edit)
        self.take_control()

    @property
    def keys(self) -> list[QWidget]:
        """Where the keyboard goes, in order."""
        return [self.show_button, self.more, *([self.slider] if self.slider is not None else [])]

    def show_edit(self, edit: Edit) -> None:
        """What is known of it now."""
        self.edit = edit
        self.title.show_title(edit.title)
        self.show_button.setChecked(edit.on)
        words = self.tr("Hide {title}") if edit.on else self.tr("Show {title}")
        self.show_button.setToolTip(words.format(title=edit.title))
        self.show_button.setAccessibleName(words.format(title=edit.title))
        self.more.setAccessibleName(self.tr("More for {title}").format(title=edit.title))
        if isinstance(self._sign, IconFollowsTheme):
            self._sign.show_picture("eye" if edit.on else "eye-off")
        self.face.show_faint(not edit.on)
        self.drift.show_found(edit.found)
        self.drift.show_strength(self._model.value(edit.control_name))
        self.setAccessibleName(edit.title)

    def take_control(self) -> None:
        """The avatar shown may know it by now, or not any more."""
        name = self.edit.control_name
        known = self._model.knows(name)
        if known == (self.slider is not None):
            return
        if self.slider is not None:
            self.slider.hide()
            self.slider.deleteLater()
            self.slider = None
        else:
            self.slider = ControlSlider(self._model, self._model.control(name), name_room=0)
            self.slider.setAccessibleName(self.tr("Strength of {title}").format(title=self.edit.title))
            self._strength.addWidget(self.slider)
        self._wait.setVisible(self.slider is None)

    def show_value(self, value: float) -> None:
        """The model says how strong it is."""
        if self.slider is not None:
            self.slider.show_value(value)
        self.drift.show_strength(value)

    def offer(self, actions: list[QAction]) -> None:
        """What stands behind the three dots."""
        self._menu.clear()
        self._menu.addActions(actions)

    def _keys(self) -> None:
        for keys, act in (
            ("F2", self.title.edit),
            ("Alt+Up", lambda: self.asked.emit("up")),
            ("Alt+Down", lambda: self.asked.emit("down")),
            ("Ctrl+Delete", lambda: self.asked.emit("remove")),
        ):
            shortcut = QShortcut(QKeySequence(keys), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(act)

    def _switch(self) -> None:
        self.switched.emit(self.show_button.isChecked())


class EditTitle(QWidget):
    """Words that wrap; a click or F2 makes a field of them.

    Attributes:
        typed: another title.
    """

    typed = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.words = label(wrap=True)
        self.words.setProperty("role", "strong")
        self.words.setCursor(Qt.CursorShape.IBeamCursor)
        self.words.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.words.setToolTip(self.tr("Click to type another title (F2)"))
        self.words.installEventFilter(self)
        self.field = QLineEdit()
        self.field.setMaxLength(LONGEST)
        self.field.setAccessibleName(self.tr("Title"))
        self.field.setStyleSheet("padding: 1px 4px; min-height: 0;")
        self.field.editingFinished.connect(self._typed)
        self.field.installEventFilter(self)
        self.field.hide()
        self.setLayout(row(self.words, self.field, spacing=0))

    def show_title(self, title: str) -> None:
        """Another title, from outside."""
        self.words.setText(title)

    def edit(self) -> None:
        """Make a field of it."""
        self.field.setText(self.words.text())
        self.words.hide()
        self.field.show()
        self.field.selectAll()
        self.field.setFocus()

    def eventFilter(self, watched: object, event: QEvent) -> bool:
        """Qt's door: a click on the words, Escape in the field."""
        if watched is self.words and event.type() == QEvent.Type.MouseButtonPress:
            self.edit()
            return True
        escape = isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape
        if watched is self.field and escape and event.type() != QEvent.Type.KeyRelease:
            self.field.setText(self.words.text())
            self._typed()
            return True
        return False

    def _typed(self) -> None:
        if self.field.isHidden():
            return
        words = " ".join(self.field.text().split())
        self.field.hide()
        self.words.show()
        if words and words != self.words.text():
            self.typed.emit(words)


class _Grip(QWidget):
    """Six dots that a hand takes a row by.

    Attributes:
        dragged: the hand is at this height of the screen.
        dropped: it has let go.
    """

    dragged = Signal(int)
    dropped = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._held = False
        self.setFixedWidth(12)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        self.setCursor(Qt.CursorShape.SizeVerCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setToolTip(self.tr("Drag to change the order (Alt+Up, Alt+Down)"))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Qt's door for a button going down."""
        self._held = event.button() == Qt.MouseButton.LeftButton

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Qt's door for a moving pointer."""
        if self._held:
            self.dragged.emit(self.mapToGlobal(event.position().toPoint()).y())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Qt's door for a button going up."""
        if self._held:
            self._held = False
            self.dropped.emit()

    def hideEvent(self, event: QEvent) -> None:
        """Qt's door: the page is left while it is held."""
        if self._held:
            self._held = False
            self.dropped.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt's door for painting."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(tokens().text if self.underMouse() else tokens().muted))
        middle = QPointF(self.width() / 2, self.height() / 2)
        for down in (-6, 0, 6):
            for across in (-2.5, 2.5):
                painter.drawEllipse(middle + QPointF(across, down), 1.3, 1.3)
        painter.end()
