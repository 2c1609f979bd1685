"""What the curve editor edits: a timeline, what is chosen in it, and the way back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack

from pipelines.timeline_edits import Chosen, Copied, chosen_span, keyframes_within, set_keyframe
from pipelines.timeline_evaluation import knob_values, knobs
from studio.domain.controls import Control, ControlSheet
from studio.domain.timeline import Ease, Timeline
from studio.live import LiveHandle

Frames = Mapping[str, frozenset[int]]


class CurveModel(QObject):
    """One timeline under somebody's hands.

    Attributes:
        changed: the timeline is another one, also in the middle of a movement of the hand.
        settled: a change is an entry of the history now: keep it.
        chosen_changed: other curves, keyframes or another range are chosen.
        moved: the playhead's frame.
        sheet_changed: other controls.
    """

    changed = Signal()
    settled = Signal()
    chosen_changed = Signal()
    moved = Signal(int)
    sheet_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.undo = QUndoStack(self)
        self.copied: Copied | None = None
        self._timeline = Timeline()
        self._sheet = ControlSheet(())
        self._handles: tuple[LiveHandle, ...] = ()
        self._knobs: Mapping[str, Control] = {}
        self._names: tuple[str, ...] = ()
        self._chosen: Frames = {}
        self._span: tuple[int, int] | None = None
        self._playhead = 0
        self._before: tuple[Timeline, Frames] | None = None

    @property
    def timeline(self) -> Timeline:
        """As it is now."""
        return self._timeline

    @property
    def sheet(self) -> ControlSheet:
        """The avatar's controls."""
        return self._sheet

    @property
    def handles(self) -> tuple[LiveHandle, ...]:
        """What people ask of the avatar."""
        return self._handles

    @property
    def names(self) -> tuple[str, ...]:
        """Curves that are edited; the others stand behind them."""
        return self._names

    @property
    def chosen(self) -> Frames:
        """Keyframes that an edit is about."""
        return self._chosen

    @property
    def span(self) -> tuple[int, int] | None:
        """The chosen range, first and last frame."""
        return self._span

    @property
    def playhead(self) -> int:
        """The frame that is looked at."""
        return self._playhead

    def load(self, timeline: Timeline) -> None:
        """Open another timeline; the history begins anew."""
        self.undo.clear()
        self._before, self._span, self._chosen = None, None, {}
        self._timeline = timeline
        self._names = tuple(timeline.curves)[:1]
        self._playhead = min(self._playhead, timeline.length - 1)
        self.changed.emit()
        self.chosen_changed.emit()
        self.moved.emit(self._playhead)

    def take_sheet(self, sheet: ControlSheet, handles: Iterable[LiveHandle]) -> None:
        """Another avatar's controls; the timeline stays, names mean the same everywhere."""
        self._sheet, self._handles = sheet, tuple(handles)
        self._knobs = knobs(sheet, self._handles)
        self.sheet_changed.emit()

    def knob(self, name: str) -> Control:
        """What a curve moves; one that this avatar does not have looks like a handle."""
        found = self._knobs.get(name)
        return found or Control(name, name, "amount", "", -1.0, 1.0, 0.0)

    def knobs(self) -> tuple[Control, ...]:
        """Everything that a curve can move, handles first."""
        return tuple(self._knobs.values())

    def value(self, name: str, frame: int | None = None) -> float:
        """What a control is set to at a frame (the playhead's), by its curve, imported motion, or neutral."""
        frame = self._playhead if frame is None else frame
        curve, base = self._timeline.curves.get(name), self._timeline.base
        if curve is not None:
            return float(knob_values(curve, self._timeline, [frame])[0])
        if base is not None and name in base.names:
            return float(base.at([frame])[0, base.names.index(name)])
        return self.knob(name).default

    def go(self, frame: int) -> None:
        """Move the playhead, within the timeline."""
        frame = min(max(frame, 0), self._timeline.length - 1)
        if frame != self._playhead:
            self._playhead = frame
            self.moved.emit(frame)

    def edit_curves(self, names: Iterable[str]) -> None:
        """Choose which curves are edited."""
        names = tuple(names)
        if names != self._names:
            self._names = names
            self._chosen = {name: frames for name, frames in self._chosen.items() if name in names}
            self.chosen_changed.emit()

    def choose(self, chosen: Chosen, span: tuple[int, int] | None = None) -> None:
        """Choose keyframes, and the range they were taken from if there was one."""
        kept = {name: frozenset(frames) for name, frames in chosen.items() if frames}
        if (kept, span) != (self._chosen, self._span):
            self._chosen, self._span = kept, span
            self.chosen_changed.emit()

    def choose_range(self, first: int, last: int) -> None:
        """Choose every keyframe of the edited curves between two frames, in either order."""
        first, last = sorted((max(first, 0), max(last, 0)))
        self.choose(keyframes_within(self._timeline, self._names, first, last), (first, last))

    def choose_all(self) -> None:
        """Every keyframe of the edited curves."""
        self.choose(keyframes_within(self._timeline, self._names, 0, self._timeline.length - 1))

    def put(self, timeline: Timeline, text: str, chosen: Chosen | None = None) -> None:
        """An edit that is an entry of its own; ``chosen`` is what is chosen after it, the same if None."""
        self.begin()
        self.show(timeline, chosen)
        self.settle(text)

    def begin(self) -> None:
        """A movement of the hand begins."""
        if self._before is None:
            self._before = (self._timeline, self._chosen)

    def show(self, timeline: Timeline, chosen: Chosen | None = None) -> None:
        """What it has come to so far."""
        self._set(timeline, self._chosen if chosen is None else chosen)

    def settle(self, text: str) -> None:
        """The movement is over, and one entry of the history."""
        before, self._before = self._before, None
        if before is not None and before[0] != self._timeline:
            self.undo.push(_Edit(self, before, (self._timeline, self._chosen), text))

    def give_up(self) -> None:
        """The movement is over, and was not meant."""
        before, self._before = self._before, None
        if before is not None:
            self._set(*before)

    def set_value(self, name: str, frame: int, value: float, ease: Ease | None = None) -> Timeline:
        """The timeline with a keyframe there, within the control's limits. A control that follows imported
        motion gets a curve that adds to it, so that nothing jumps elsewhere."""
        knob, base = self.knob(name), self._timeline.base
        value = min(max(value, knob.low), knob.high)
        if name not in self._timeline.curves and base is not None and name in base.names:
            beside = value - self.value(name, frame) + knob.default
            return set_keyframe(self._timeline, name, frame, beside, ease, "add")
        return set_keyframe(self._timeline, name, frame, value, ease)

    def limited(self, timeline: Timeline, chosen: Chosen) -> Timeline:
        """The same with these keyframes within their controls' limits."""
        for name, frames in chosen.items():
            curve = timeline.curves.get(name)
            if curve is None or curve.mode == "add":
                continue
            knob, wanted = self.knob(name), set(frames)
            keys = [
                replace(key, value=min(max(key.value, knob.low), knob.high)) if key.frame in wanted else key
                for key in curve.keyframes
            ]
            timeline = timeline.with_curve(name, curve.through(keys))
        return timeline

    def chosen_range(self) -> tuple[int, int] | None:
        """First and last chosen frame, None without any."""
        return chosen_span(self._timeline, self._chosen)

    def _set(self, timeline: Timeline, chosen: Chosen) -> None:
        new = timeline != self._timeline
        there = {name: set(curve.frames) for name, curve in timeline.curves.items()}
        kept = {n: frozenset(frames) & there[n] for n, frames in chosen.items() if n in there}
        kept = {name: frames for name, frames in kept.items() if frames}
        other = kept != self._chosen
        self._timeline, self._chosen = timeline, kept
        if timeline.length <= self._playhead:
            self.go(timeline.length - 1)
        if new:
            self.changed.emit()
        if other:
            self.chosen_changed.emit()


class _Edit(QUndoCommand):
    """From one timeline to another."""

    def __init__(
        self,
        model: CurveModel,
        before: tuple[Timeline, Frames],
        after: tuple[Timeline, Frames],
        text: str,
    ) -> None:
        super().__init__(text)
        self._model, self._before, self._after = model, before, after

    def undo(self) -> None:
        """Back."""
        self._model._set(*self._before)
        self._model.settled.emit()

    def redo(self) -> None:
        """And forth."""
        self._model._set(*self._after)
        self._model.settled.emit()
