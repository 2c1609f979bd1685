"""Edits that come from, or went into, other avatars of the same person."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtWidgets import QPushButton, QWidget

from pipelines.bake_job import about_copy, remove_copy
from pipelines.build_job import BAKED
from pipelines.edit_avatar import Copied, copy_edits
from studio.domain.avatar import Avatar
from ui.session import Session
from ui.widgets.plain import button, column, label, row
from ui.words import avatar_title


class EditCopies(QWidget):
    """Offers to copy another avatar's edits where there are none, and to undo the baking of a copy."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._source: Avatar | None = None
        self.copy = button(
            "",
            self._copy,
            picture="copy",
            tip=self.tr("Shapes and colours are copied; what one generator has learnt stays with it"),
        )
        self.baked = label(role="hint", wrap=True)
        self.unbake = button(
            self.tr("Undo baking"),
            self._unbake,
            picture="undo",
            tip=self.tr("Moves this copy to the trash and shows the original with its edits"),
        )
        self.setLayout(column(row(self.copy, None), self.baked, row(self.unbake, None), spacing=8))

    @property
    def keys(self) -> list[QPushButton]:
        """Where the keyboard goes, in order."""
        return [self.copy, self.unbake]

    @property
    def is_baked(self) -> bool:
        """Whether a copy with baked edits is open."""
        avatar = self._session.avatar
        return avatar is not None and BAKED in avatar.lineage

    def offer(self, elsewhere: tuple[Avatar, int] | None, empty: bool) -> None:
        """What there is to say.

        Args:
            elsewhere: another avatar with edits, and how many.
            empty: whether the open avatar has no edits.
        """
        avatar, baked = self._session.avatar, self.is_baked
        self._source, count = elsewhere or (None, 0)
        here = None if avatar is None else avatar.folder
        source = None if self._source is None else self._source.folder
        if here is None or source is None or source.parent != here.parent or source == here:
            self._source = None  # read when another avatar was open
        if self._source is not None:
            words = self.tr("Copy the edits of {title} ({n})")
            self.copy.setText(words.format(title=avatar_title(self._source), n=count))
        self.copy.setVisible(empty and not baked and self._source is not None)
        self.baked.setVisible(baked)
        self.unbake.setVisible(baked)
        if baked and avatar is not None:
            self.baked.setText(self.tr("Baked into this copy: {what}.").format(what=about_copy(avatar)))
        self.setVisible(baked or not self.copy.isHidden())

    def _copy(self) -> None:
        session, source, avatar = self._session, self._source, self._session.avatar
        if avatar is None or source is None:
            return

        def done(copied: Copied) -> None:
            session.edits.look()
            if copied.refused:
                session.said.emit(copied.refused)

        session.background.run(self, partial(copy_edits, source, avatar), done, self._not_copied)

    def _not_copied(self, error: Exception) -> None:
        self._session.fail(self.tr("The edits were not copied"), error)

    def _unbake(self) -> None:
        """Remove the copy that is open, and show what it was made from."""
        session = self._session
        subject, avatar, store = session.subject, session.avatar, session.store
        if subject is None or avatar is None or not self.is_baked:
            return
        self.unbake.setEnabled(False)

        def work() -> Avatar | None:
            from studio.project.avatar_files import load_avatar

            source = avatar.folder.parent / Path(str(avatar.lineage[BAKED]["from"])).name
            original = load_avatar(source) if source.is_dir() else None
            remove_copy(store, subject, avatar.key)
            return original

        def done(original: Avatar | None) -> None:
            self.unbake.setEnabled(True)
            if original is not None:
                session.open_avatar(original)
            session.refresh()
            session.said.emit(self.tr("The copy is in the trash; the original has its edits as before."))

        session.background.run(self, work, done, self._not_unbaked)

    def _not_unbaked(self, error: Exception) -> None:
        self.unbake.setEnabled(True)
        self._session.fail(self.tr("The copy could not be removed"), error)
