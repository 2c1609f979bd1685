"""What the hands have set: a pose over an avatar's controls and handles, with undo."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

import numpy as np
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack

from studio.domain.controls import Control, ControlSheet, ControlState
from studio.domain.edits import GROUP
from studio.live import LiveHandle

Pose = dict[str, float]
"""Names of controls and handles to their values; what is not named is at its default."""
TOGETHER = 0.8
"""Seconds within which two changes of the same thing are one entry of the history."""


def is_edit(control: Control) -> bool:
    """Whether a control is the strength of an edit, which stays where a hand has put it."""
    return control.group == GROUP


class ControlsModel(QObject):
    """One pose, changed by sliders, by dragging on the picture, by presets, and back again.

    An edit rests at its strength. A slider that is moved changes that rest, which outlives the pose: see
    ``keeper``. A saved pose holds strengths as they were seen, and shows them without changing the rest.

    Attributes:
        keeper: told the name of an edit's control, the value before and the one now, when a hand has moved
            it; it keeps the strength and its history. Without it, edits are like any control.
        sheet_changed: other controls; widgets are made anew.
        value_changed: name and new value, for every control and handle that changed.
        changed: the pose is another one; once after all the values.
    """

    sheet_changed = Signal()
    value_changed = Signal(str, float)
    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.undo = QUndoStack(self)
        self._sheet = ControlSheet(())
        self._handles: tuple[LiveHandle, ...] = ()
        self._controls: dict[str, Control] = {}
        self._pose: Pose = {}
        self._before: Pose | None = None
        self._what = ("", "")
        self.keeper: Callable[[str, float, float], object] | None = None

    @property
    def sheet(self) -> ControlSheet:
        """The avatar's controls."""
        return self._sheet

    @property
    def handles(self) -> tuple[LiveHandle, ...]:
        """What people ask for by name."""
        return self._handles

    @property
    def pose(self) -> Pose:
        """A copy of what is set."""
        return dict(self._pose)

    def take_sheet(self, sheet: ControlSheet, handles: Iterable[LiveHandle]) -> None:
        """Another avatar's controls, or the same with other rests. The pose and its history stay: names mean
        the same everywhere."""
        before = {control.name: self.value(control.name) for control in self.edits}
        self._sheet, self._handles = sheet, tuple(handles)
        self._controls = {c.name: c for c in sheet.controls}
        self._controls |= {h.control.name: h.control for h in self._handles}
        defaults = {control.name: control.default for control in self.edits}
        self._pose = {name: value for name, value in self._pose.items() if value != defaults.get(name)}
        self.sheet_changed.emit()
        for name in defaults:
            if name in before and before[name] != self.value(name):
                self.value_changed.emit(name, self.value(name))

    @property
    def edits(self) -> tuple[Control, ...]:
        """Controls that are edits, in their order."""
        return tuple(control for control in self._sheet.controls if is_edit(control))

    @property
    def seen(self) -> Pose:
        """The pose with the strengths of all edits, also of those at rest: what saved poses come back to."""
        return {**{control.name: self.value(control.name) for control in self.edits}, **self._pose}

    @property
    def unedited(self) -> Pose:
        """The pose without any edit showing."""
        return {**self._pose, **{control.name: 0.0 for control in self.edits}}

    def control(self, name: str) -> Control:
        """A control, or a handle's. Raises KeyError for a name that this avatar does not know."""
        return self._controls[name]

    def knows(self, name: str) -> bool:
        """Whether this avatar has such a control or handle."""
        return name in self._controls

    def value(self, name: str) -> float:
        """Where it stands."""
        control = self._controls.get(name)
        return self._pose.get(name, 0.0 if control is None else control.default)

    def begin(self, text: str, key: str = "") -> None:
        """A movement of the hand begins: until :meth:`end` all changes are one entry of the history.

        Args:
            text: what the history calls it.
            key: movements of the same key soon after each other are one entry.
        """
        if self._before is None:
            self._before, self._what = self.pose, (text, key)

    def set(self, name: str, value: float) -> None:
        """Put one control somewhere, within its limits."""
        self.set_many({name: value})

    def set_many(self, values: Mapping[str, float]) -> None:
        """Put several controls somewhere; names that this avatar does not know are kept for another."""
        pose = self.pose
        for name, value in values.items():
            control = self._controls.get(name)
            held = value if control is None else min(max(value, control.low), control.high)
            pose[name] = held
        self._change(pose)

    def end(self) -> None:
        """The movement is over."""
        before, self._before = self._before, None
        if before is None or before == self._pose:
            return
        control = self._controls.get(self._what[1])
        if self.keeper is not None and control is not None and is_edit(control):
            name = control.name
            self.keeper(name, before.get(name, control.default), self.value(name))
        else:
            self.undo.push(_Change(self, before, self.pose, *self._what))

    def put(self, values: Mapping[str, float], text: str, key: str = "") -> None:
        """A change that is an entry of its own."""
        self.begin(text, key)
        self.set_many(values)
        self.end()

    def replace(self, pose: Mapping[str, float], text: str) -> None:
        """Another pose in place of this one, as one entry."""
        self.begin(text)
        self._change(dict(pose))
        self.end()

    def reset(self, name: str) -> None:
        """One control back to its default; an edit to no strength."""
        self.begin(self.tr("Reset {name}").format(name=self._controls[name].label), name)
        if is_edit(self._controls[name]):
            self.set(name, 0.0)
            self.end()
            return
        pose = self.pose
        pose.pop(name, None)
        self._change(pose)
        self.end()

    def reset_all(self) -> None:
        """Everything back to neutral; edits are part of the person and rest at their strengths."""
        self.replace({}, self.tr("Reset all"))

    def state(
        self, pose: Mapping[str, float] | None = None, under: ControlState | None = None
    ) -> ControlState:
        """What to render.

        Args:
            pose: instead of the present one.
            under: a state that the pose is added to, for example what a camera sees; neutral when None.
        """
        sheet = self._sheet
        values = sheet.neutral().values.copy() if under is None else under.values.copy()
        column = {name: i for i, name in enumerate(sheet.names)}
        changes = {handle.control.name: handle.change for handle in self._handles}
        asked = self._pose if pose is None else pose
        for name, value in asked.items():
            if name not in column:
                continue
            control = self._controls[name]
            # What nobody else moves is put there and not added, so that 0 is 0 and not nearly so.
            if under is None or is_edit(control):
                values[column[name]] = value
            else:
                values[column[name]] += value - control.default
        for name, value in asked.items():
            if name in changes:
                values += value * changes[name]
        if sheet.controls:
            low, high = (np.array([getattr(c, side) for c in sheet.controls]) for side in ("low", "high"))
            values = np.clip(values, low, high)
        return ControlState(sheet.names, np.asarray(values, np.float32))

    def _change(self, pose: Pose) -> None:
        defaults = {name: control.default for name, control in self._controls.items()}
        pose = {name: value for name, value in pose.items() if value != defaults.get(name)}
        old, self._pose = self._pose, pose
        moved = [name for name in old.keys() | pose.keys() if old.get(name) != pose.get(name)]
        for name in moved:
            self.value_changed.emit(name, self.value(name))
        if moved:
            self.changed.emit()


class _Change(QUndoCommand):
    """From one pose to another."""

    def __init__(self, model: ControlsModel, before: Pose, after: Pose, text: str, key: str) -> None:
        super().__init__(text)
        self._model, self._before, self._after, self._key = model, before, after, key
        self._when = time.monotonic()

    def id(self) -> int:
        """Qt's question whether entries may be joined."""
        return 1 if self._key else -1

    def mergeWith(self, other: QUndoCommand) -> bool:
        """Qt's door for joining: the same thing again, soon after."""
        if not isinstance(other, _Change) or other._key != self._key or other._when - self._when > TOGETHER:
            return False
        self._after, self._when = other._after, other._when
        self.setText(other.text())
        self.setObsolete(self._before == self._after)
        return True

    def undo(self) -> None:
        """Back."""
        self._model._change(dict(self._before))

    def redo(self) -> None:
        """And forth."""
        self._model._change(dict(self._after))
