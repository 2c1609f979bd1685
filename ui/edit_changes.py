"""What hands do to the edits of an avatar, as changes that can be taken back."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtGui import QUndoCommand

from studio.domain.edits import Edit, EditStack
from ui.bridge.edit_book import Change, EditBook
from ui.controls_model import TOGETHER


@dataclass(frozen=True)
class TwoWays:
    """A change and its opposite."""

    there: Change
    """Does it."""
    back: Change
    """Takes it back."""


def added(edit: Edit) -> TwoWays:
    """One more edit, at the end."""
    return TwoWays(lambda stack: stack.put(edit), _without(edit.name))


def removed(stack: EditStack, name: str) -> TwoWays:
    """One edit less; coming back, it stands where it stood."""
    edit, place = stack.find(name), _place(stack, name)
    return TwoWays(_without(name), lambda stack: stack.put(edit).moved(name, place))


def replaced(stack: EditStack, name: str, edit: Edit) -> TwoWays:
    """Another edit in the place of one."""
    old, place = stack.find(name), _place(stack, name)

    def put(gone: str, come: Edit) -> Change:
        return lambda now: _without(gone)(now).put(come).moved(come.name, place)

    return TwoWays(put(name, edit), put(edit.name, old))


def moved(stack: EditStack, name: str, place: int) -> TwoWays:
    """Another order."""
    before = _place(stack, name)
    return TwoWays(_to(name, place), _to(name, before))


def strengthened(stack: EditStack, name: str, strength: float, before: float | None = None) -> TwoWays:
    """Another strength, at which it shows.

    Args:
        stack: as it is.
        name: of the edit.
        strength: the new one.
        before: what was seen before; None for what it rested at.
    """
    edit = stack.find(name)
    rest = edit.strength if edit.on else 0.0
    old = (edit.strength, edit.on) if before is None or before == rest else (before, True)
    return TwoWays(_with(name, strength=strength, on=True), _with(name, strength=old[0], on=old[1]))


def switched(stack: EditStack, name: str, on: bool) -> TwoWays:
    """On or off; one that has no strength is given what is suggested, so that something is seen."""
    edit = stack.find(name)
    strength = edit.strength
    if on and strength == 0.0:
        strength = edit.suggested[1] or edit.suggested[0] or edit.limits[1]
    return TwoWays(_with(name, on=on, strength=strength), _with(name, on=edit.on, strength=edit.strength))


def titled(stack: EditStack, name: str, title: str) -> TwoWays:
    """Another title."""
    return TwoWays(_with(name, title=title), _with(name, title=stack.find(name).title))


class EditCommand(QUndoCommand):
    """One entry of the history. It belongs to the avatar that was open, whichever is open later."""

    def __init__(self, book: EditBook, folder: Path, change: TwoWays, text: str, key: str = "") -> None:
        """
        Args:
            book: keeps the edits.
            folder: the avatar's.
            change: what is done.
            text: what the history calls it.
            key: changes of the same key soon after each other are one entry.
        """
        super().__init__(text)
        self._book, self._folder, self._change, self._key = book, folder, change, key
        self._when = time.monotonic()

    def id(self) -> int:
        """Qt's question whether entries may be joined."""
        return 2 if self._key else -1

    def mergeWith(self, other: QUndoCommand) -> bool:
        """Qt's door for joining: the same thing again, soon after."""
        if not isinstance(other, EditCommand) or (other._key, other._folder) != (self._key, self._folder):
            return False
        if other._when - self._when > TOGETHER:
            return False
        self._change, self._when = TwoWays(other._change.there, self._change.back), other._when
        return True

    def undo(self) -> None:
        """Back."""
        self._book.change(self._change.back, self._folder)

    def redo(self) -> None:
        """And forth."""
        self._book.change(self._change.there, self._folder)


def _place(stack: EditStack, name: str) -> int:
    return [edit.name for edit in stack.edits].index(name)


def _has(stack: EditStack, name: str) -> bool:
    return any(edit.name == name for edit in stack.edits)


def _without(name: str) -> Change:
    return lambda stack: stack.without(name) if _has(stack, name) else stack


def _to(name: str, place: int) -> Change:
    return lambda stack: stack.moved(name, place) if _has(stack, name) else stack


def _with(name: str, **values: Any) -> Change:
    return lambda stack: stack.changed(name, **values) if _has(stack, name) else stack
