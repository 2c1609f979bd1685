"""The finished avatars of the open subject."""

from __future__ import annotations

from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from pipelines.build_job import avatars
from studio.domain.avatar import Avatar
from studio.project.store import SubjectFolder
from ui.avatar_names import clip_of, clips_of, finished
from ui.session import Session
from ui.theme import GAP
from ui.widgets.plain import button, card, column, label, row
from ui.words import avatar_title


def read_avatars(subject: SubjectFolder) -> list[tuple[Avatar, str, str]]:
    """Avatar, title of its clip, when it was finished; the newest first."""
    clips = clips_of(subject)
    found = [(avatar, clip_of(avatar, clips)) for avatar in avatars(subject)]
    lines = [(avatar, "" if clip is None else clip.clip.title, finished(avatar)) for avatar, clip in found]
    return sorted(lines, key=lambda one: one[0].folder.stat().st_mtime, reverse=True)


class TrainAvatars(QWidget):
    """A line for each, with a button that leads to Perform."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._list = QVBoxLayout()
        self._list.setSpacing(8)
        inside = QVBoxLayout(self)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(GAP)
        inside.addWidget(label(self.tr("Finished avatars"), "heading"))
        inside.addLayout(self._list)
        self.setVisible(False)

    def read(self) -> None:
        """Look at the disk again."""
        subject = self._session.subject
        if subject is None:
            self._show([])
            return
        self._session.background.run(self, lambda: read_avatars(subject), self._show)

    def _show(self, found: list[tuple[Avatar, str, str]]) -> None:
        while (item := self._list.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.deleteLater()
        for avatar, clip, when in found:
            self._list.addWidget(self._line(avatar, f"{clip} · {when}" if clip else when))
        self.setVisible(bool(found))

    def _line(self, avatar: Avatar, origin: str) -> QFrame:
        perform = button(self.tr("Perform"), lambda: self._perform(avatar), picture="perform")
        perform.setAccessibleName(self.tr("Perform with {title}").format(title=avatar_title(avatar)))
        # Long titles wrap: a line that is wider than its half of the page would be cut off.
        words = column(label(avatar_title(avatar), wrap=True), label(origin, "hint", wrap=True), spacing=1)
        line = row(words, perform)
        line.setStretch(0, 1)
        return card(line)

    def _perform(self, avatar: Avatar) -> None:
        self._session.open_avatar(avatar)
        self._session.show_page("perform")
