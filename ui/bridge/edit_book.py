"""The edits of the avatar that is open: read and kept on threads, changed at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from studio.domain.avatar import Avatar
from studio.domain.edits import EditStack

if TYPE_CHECKING:
    from ui.session import Session

EVERY = 1000
"""Milliseconds between two looks whether somebody else, such as a command or a job, changed them."""
Change = Callable[[EditStack], EditStack]
"""A stack to another one. It is applied to what is shown and to what is on the disk, where more may have
come meanwhile: it names edits and leaves alone what it does not find."""
Stamp = tuple[int, int, int]
"""What the file looks like from outside; every writing makes a new one."""
_UNREAD: Stamp = (0, 0, 0)
"""No file looks like this: what is there must be read."""


class EditBook(QObject):
    """Keeps ``session.avatar.edits`` and the disk together.

    Attributes:
        changed: the open avatar has other edits, or it is known now which it has.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._folder: Path | None = None
        self._stack = EditStack()
        self._stamp: Stamp | None = None
        self._error: Exception | None = None
        self._known = self._looking = self._writing = False
        self._waiting: list[tuple[Path, Change]] = []
        self._under_way: list[tuple[Path, Change]] = []
        self._timer = QTimer(self)
        self._timer.setInterval(EVERY)
        self._timer.timeout.connect(self.look)
        session.avatar_changed.connect(self._follow)

    @property
    def known(self) -> bool:
        """Whether the open avatar's edits have been read; true as well where nobody is open."""
        return self._folder is None or self._known

    @property
    def busy(self) -> bool:
        """Whether something is not on the disk yet."""
        return self._writing or bool(self._waiting)

    @property
    def stack(self) -> EditStack:
        """Of the open avatar, as far as they are known."""
        return self._stack

    def dressed(self, avatar: Avatar | None) -> Avatar | None:
        """An avatar with its edits, if it is the open one; another one as it is."""
        if avatar is None or avatar.folder != self._folder:
            return avatar
        return replace(avatar, edits=self._stack)

    def change(self, change: Change, folder: Path | None = None) -> None:
        """Change edits: at once in this window, and as soon as the disk allows there.

        Args:
            change: see :data:`Change`.
            folder: the avatar's; the open one's when None.
        """
        folder = folder or self._folder
        if folder is None:
            return
        if folder == self._folder:
            if self._error is not None:
                self._fail_to_keep(self._error)
                return
            self._take(change(self._stack))
        self._waiting.append((folder, change))
        self._go_on()

    def look(self) -> None:
        """Read them again if they are not on the disk as they were."""
        folder = self._folder
        if folder is None or self._looking or self.busy:
            return
        self._looking = True
        work = partial(_read, folder, (self._stamp,) if self._known else None)
        self._session.background.run(self, work, partial(self._seen, folder), partial(self._unseen, folder))

    def close(self) -> None:
        """Look no more."""
        self._timer.stop()

    def write_the_rest(self) -> None:
        """After the threads have ended: what was changed in the last moment is kept all the same."""
        changes, self._waiting, self._under_way = [*self._under_way, *self._waiting], [], []
        try:
            _write(changes)
        except Exception as error:
            self._fail_to_keep(error)

    def _follow(self) -> None:
        """Another avatar may be open."""
        avatar = self._session.avatar
        folder = None if avatar is None else avatar.folder
        if folder == self._folder:
            self.look()
            return
        self._folder, self._known, self._error = folder, False, None
        self._stack, self._stamp = EditStack(), None
        self._looking = False
        if folder is None:
            self._timer.stop()
            return
        self._timer.start()
        if not self.busy:
            self.look()

    def _seen(self, folder: Path, found: tuple[Stamp | None, EditStack | None]) -> None:
        if folder != self._folder:
            return
        self._looking = False
        stamp, stack = found
        if self.busy:
            return  # written after it was read: looked at again soon
        self._stamp = stamp
        if stack is not None:
            self._error = None
            self._session.mended.emit("edits")
            self._take(stack)

    def _unseen(self, folder: Path, error: Exception) -> None:
        if folder != self._folder:
            return
        self._looking = False
        if self._error is None:
            safe = self.tr("The avatar is shown without its edits; the file stays as it is.")
            self._session.fail(self.tr("The edits cannot be read"), error, safe, about="edits")
        self._error, self._stamp = error, _UNREAD
        self._take(EditStack())

    def _take(self, stack: EditStack) -> None:
        """These are the open avatar's edits."""
        session = self._session
        if self._known and stack == self._stack:
            return
        self._stack, self._known = stack, True
        session.avatar = self.dressed(session.avatar)
        self.changed.emit()

    def _go_on(self) -> None:
        if self._writing or not self._waiting:
            return
        self._writing = True
        self._under_way, self._waiting = self._waiting, []
        work = partial(_write, self._under_way)
        self._session.background.run(self, work, self._written, self._not_written)

    def _written(self, found: dict[Path, tuple[Stamp | None, EditStack]]) -> None:
        self._writing, self._under_way = False, []
        mine = None if self._folder is None else found.get(self._folder)
        if mine is not None and not self._waiting:
            self._stamp, stack = mine
            self._take(stack)
        self._session.mended.emit("edits")
        self._go_on()
        if not self._known:
            self.look()

    def _not_written(self, error: Exception) -> None:
        self._writing, self._under_way = False, []
        self._fail_to_keep(error)
        self._go_on()
        self._stamp = _UNREAD  # this window shows what is not there
        self.look()

    def _fail_to_keep(self, error: Exception) -> None:
        safe = self.tr("What is on the disk stays as it was.")
        self._session.fail(self.tr("The edits could not be kept"), error, safe, about="edits")


def _read(folder: Path, known: tuple[Stamp | None] | None) -> tuple[Stamp | None, EditStack | None]:
    """How the file looks, and what is in it if it does not look as known."""
    from studio.project.edit_files import load_edits

    stamp = _stamp(folder)
    return stamp, None if known and stamp == known[0] else load_edits(folder)


def _write(changes: Sequence[tuple[Path, Change]]) -> dict[Path, tuple[Stamp | None, EditStack]]:
    """Apply changes to what is on the disk, in order. Returns what is there now."""
    from studio.project.edit_files import change_edits

    found = {}
    for folder in dict.fromkeys(folder for folder, _ in changes):
        if not folder.is_dir():
            continue  # the avatar was removed
        mine = tuple(change for one, change in changes if one == folder)
        stack = change_edits(folder, partial(_all, mine))
        found[folder] = (_stamp(folder), stack)
    return found


def _all(changes: Sequence[Change], stack: EditStack) -> EditStack:
    for change in changes:
        stack = change(stack)
    return stack


def _stamp(folder: Path) -> Stamp | None:
    """None where there is no file."""
    from studio.project.edit_files import FILE

    try:
        facts = (folder / "edits" / FILE).stat()
    except OSError:
        return None
    return facts.st_mtime_ns, facts.st_size, facts.st_ino
