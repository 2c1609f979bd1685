"""One person of the library as a card: picture, name, engines built, what is at work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from PySide6.QtCore import QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QFocusEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
)
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QMenu, QProgressBar, QVBoxLayout, QWidget

from ui.actions.show_folder import show_folder
from ui.theme import GAP, RADIUS, icon, tokens
from ui.widgets.plain import button, label, set_role, tool

WIDTH = 240
"""Pixels that a card is at least wide."""
PICTURE = 176
"""Height of its picture."""
HEIGHT = PICTURE + 132
"""Every card's, whatever is on it, so that rows line up."""


class Portrait(QWidget):
    """A picture that fills its place, with the card's round corners; a sign while there is none."""

    def __init__(self, sign: str = "person") -> None:
        super().__init__()
        self._image, self._sign = QImage(), sign
        self.setFixedHeight(PICTURE)

    @property
    def empty(self) -> bool:
        """Whether there is no picture yet."""
        return self._image.isNull()

    def show_image(self, image: QImage) -> None:
        """Another picture."""
        self._image = image
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt's door for painting."""
        t = tokens()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        box = QRectF(self.rect())
        path = QPainterPath()
        path.addRoundedRect(box.adjusted(0, 0, 0, RADIUS), RADIUS - 1, RADIUS - 1)
        painter.setClipPath(path)
        painter.fillRect(box, QColor(t.stage))
        if self._image.isNull():
            side = 48
            sign = icon(self._sign, t.muted).pixmap(QSize(side, side))
            painter.drawPixmap(
                QPoint(round(box.center().x() - side / 2), round(box.center().y() - side / 2)), sign
            )
        else:
            size = self._image.size()
            scale = max(box.width() / size.width(), box.height() / size.height())
            wide, tall = box.width() / scale, box.height() / scale
            # Faces sit a little above the middle: what does not fit goes from below first.
            part = QRectF((size.width() - wide) / 2, (size.height() - tall) * 0.3, wide, tall)
            painter.drawImage(box, self._image, part)
        painter.end()


class Chip(QLabel):
    """A word in a pill."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setProperty("role", "chip")


class Card(QFrame):
    """What all cards of the library share: a picture, a heading, a line of small words, a place below.

    Attributes:
        opened: clicked, or Enter.
    """

    opened = Signal()

    def __init__(self, sign: str = "person") -> None:
        super().__init__()
        self.setProperty("role", "card")
        self.setMinimumWidth(WIDTH)
        self.setFixedHeight(HEIGHT)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.portrait = Portrait(sign)
        self.heading, self.words = label(role="heading"), label(role="hint")
        self._full = ("", "")
        self._head = QHBoxLayout()
        self._head.addWidget(self.heading, 1)
        self.below = QVBoxLayout()
        self.below.setSpacing(6)
        texts = QVBoxLayout()
        texts.setContentsMargins(GAP + 2, 6, GAP, GAP)
        texts.setSpacing(2)
        texts.addLayout(self._head)
        texts.addWidget(self.words)
        texts.addStretch(1)
        texts.addLayout(self.below)
        inside = QVBoxLayout(self)
        inside.setContentsMargins(1, 1, 1, 1)
        inside.setSpacing(0)
        inside.addWidget(self.portrait)
        inside.addLayout(texts, 1)

    def say(self, heading: str, words: str) -> None:
        """What stands below the picture; what is too long is cut and told in full by a tooltip."""
        self._full = (heading, words)
        self.setAccessibleName(heading)
        self.setAccessibleDescription(words)
        self._cut()

    def resizeEvent(self, event: object) -> None:
        """Qt's door for another size."""
        super().resizeEvent(event)  # type: ignore[arg-type]
        self._cut()

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Qt's door for the keyboard's arrival."""
        super().focusInEvent(event)
        set_role(self, "chosen", True)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Qt's door for the keyboard's leave."""
        super().focusOutEvent(event)
        set_role(self, "chosen", False)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Qt's door for a button going down: the release that follows is this card's."""
        event.accept()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Qt's door for a click."""
        if event.button() == Qt.MouseButton.LeftButton and self.rect().contains(event.position().toPoint()):
            self.opened.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Qt's door for keys; arrows are the grid's."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.opened.emit()
        else:
            event.ignore()

    def _cut(self) -> None:
        room = self.width() - 2 * GAP - 6
        for part, text, taken in ((self.heading, self._full[0], 40), (self.words, self._full[1], 0)):
            shown = part.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, room - taken)
            part.setText(shown)
            part.setToolTip(text if shown != text else "")


Asked = Literal["open", "clip", "rename", "consent", "folder", "delete"]


class SubjectCard(Card):
    """A person.

    Attributes:
        asked: one of :data:`Asked`, chosen from the menu or with a key.
        go_on: their paused or broken job should continue.
    """

    asked = Signal(str)
    go_on = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.more = tool("more", self.tr("More: rename, permission, delete…"), self._show_menu)
        self.more.setProperty("role", "flat")
        self._head.addWidget(self.more)
        self.chips: tuple[str, ...] = ()
        self._shown: list[Chip] = []
        self._chips = QHBoxLayout()
        self._chips.setSpacing(6)
        self._chips.addStretch(1)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.trouble = label(role="bad")
        self.again = button(self.tr("Continue"), self.go_on.emit)
        self.again.setCursor(Qt.CursorShape.ArrowCursor)
        feet = QHBoxLayout()
        feet.setSpacing(6)
        feet.addWidget(self.trouble, 1)
        feet.addLayout(self._chips)
        feet.addWidget(self.again)
        self.below.addWidget(self.bar)
        self.below.addLayout(feet)
        self.show_work("", None)

    def show_engines(self, titles: tuple[str, ...]) -> None:
        """The engines that are built."""
        if titles == self.chips:
            return
        for chip in self._shown:
            chip.deleteLater()
        self.chips, self._shown = titles, [Chip(title) for title in titles]
        for number, chip in enumerate(self._shown):
            self._chips.insertWidget(number, chip)

    def show_work(self, what: str, share: float | None, trouble: str = "", idle: bool = False) -> None:
        """What is at work for them.

        Args:
            what: nothing is at work when empty.
            share: 0..1, None while unknown.
            trouble: instead: work that is paused or broken, in a few words.
            idle: whether that was asked for, so that it is no fault.
        """
        self.bar.setVisible(bool(what))
        self.bar.setRange(0, 1000 if share is not None else 0)
        if share is not None:
            self.bar.setValue(round(1000 * share))
        self.bar.setToolTip(what)
        self.bar.setAccessibleName(what)
        self.trouble.setVisible(bool(trouble))
        self.trouble.setText(trouble)
        set_role(self.trouble, "role", "warn" if idle else "bad")
        self.again.setVisible(bool(trouble))
        for chip in self._shown:
            chip.setVisible(not trouble)

    def menu(self) -> QMenu:
        """What can be done with them."""
        made = QMenu(self)
        made.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        entries: tuple[tuple[str, Asked], ...] = (
            (self.tr("Open"), "open"),
            (self.tr("Add a clip…"), "clip"),
            (self.tr("Rename…"), "rename"),
            (self.tr("Permission…"), "consent"),
            (self.tr("Open folder"), "folder"),
            (self.tr("Delete"), "delete"),
        )
        for words, what in entries:
            if what in ("clip", "delete"):
                made.addSeparator()
            made.addAction(words).triggered.connect(self._asking(what))
        return made

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Qt's door for a right click, and for the menu key."""
        self.menu().popup(event.globalPos())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Qt's door for keys."""
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.asked.emit("delete")
        elif event.key() == Qt.Key.Key_F2:
            self.asked.emit("rename")
        else:
            super().keyPressEvent(event)

    def _show_menu(self) -> None:
        self.menu().popup(self.more.mapToGlobal(QPoint(0, self.more.height())))

    def _asking(self, what: Asked) -> Callable[[], None]:
        return lambda: self.asked.emit(what)


class IncomingCard(Card):
    """A clip on its way in.

    Attributes:
        cancelled: it is not wanted any more.
    """

    cancelled = Signal()

    def __init__(self, name: str) -> None:
        super().__init__("film")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setRange(0, 0)
        self.cancel = tool("close", self.tr("Cancel"), self.cancelled.emit)
        self.cancel.setProperty("role", "flat")
        self._head.addWidget(self.cancel)
        self.below.addWidget(self.bar)
        self.say(name, self.tr("Bringing the clip in"))

    def show_share(self, what: str, share: float | None) -> None:
        """How far it is."""
        self.say(self.accessibleName(), what or self.tr("Bringing the clip in"))
        self.bar.setRange(0, 1000 if share is not None else 0)
        if share is not None:
            self.bar.setValue(round(1000 * share))


class DamagedCard(Card):
    """A folder that cannot be read, with the reason."""

    def __init__(self, sentence: str, folder: Path) -> None:
        super().__init__("warning")
        self.say(self.tr("Damaged"), "")
        self.words.hide()
        told = label(sentence, "bad", wrap=True)
        told.setToolTip(sentence)
        told.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.portrait.setFixedHeight(72)
        self.below.addWidget(told)
        self.below.addWidget(button(self.tr("Open folder"), lambda: show_folder(folder), picture="folder"))
        self.setAccessibleDescription(sentence)
