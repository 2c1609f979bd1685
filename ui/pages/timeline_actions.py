"""What can be done to keyframes: each as a *do* without questions, and as an action that asks first."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QInputDialog, QMenu, QWidget

from pipelines import timeline_edits as edits
from studio.domain.timeline import EASES, Ease
from ui.widgets.control_kinds import LOOKS
from ui.widgets.curve_model import CurveModel, Frames


class TimelineDeeds(QObject):
    """Edits of what is chosen in a model. Without anything chosen they do nothing."""

    def __init__(self, model: CurveModel, parent: QObject) -> None:
        super().__init__(parent)
        self.model = model

    @property
    def chosen(self) -> Frames:
        """What they are about."""
        return self.model.chosen

    def delete(self) -> None:
        """Remove the chosen keyframes."""
        self.model.put(edits.delete_keyframes(self.model.timeline, self.chosen), self.tr("Delete keyframes"))

    def remove_curves(self) -> None:
        """Remove the edited curves altogether."""
        line = self.model.timeline
        for name in self.model.names:
            line = line.with_curve(name, None)
        self.model.put(line, self.tr("Remove curves"))

    def copy(self) -> None:
        """Remember the chosen keyframes."""
        self.model.copied = edits.copy_keyframes(self.model.timeline, self.chosen) or self.model.copied

    def cut(self) -> None:
        """Remember and remove them."""
        self.copy()
        self.delete()

    def paste(self) -> None:
        """Put copies down at the playhead: copies of one control on the one that is edited."""
        copied, model = self.model.copied, self.model
        if copied is None:
            return
        single = len(copied.keyframes) == 1 and len(model.names) == 1
        onto = model.names[0] if single else None
        line = edits.paste_keyframes(model.timeline, copied, model.playhead, onto)
        put = {
            onto or name: [key.frame + model.playhead for key in keys]
            for name, keys in copied.keyframes.items()
        }
        model.put(model.limited(line, put), self.tr("Paste keyframes"), put)
        if onto is None:
            model.edit_curves(put)
        model.choose(put)

    def set_ease(self, ease: Ease) -> None:
        """How they go on."""
        self.model.put(edits.set_ease(self.model.timeline, self.chosen, ease), self.tr("Change the ease"))

    def smooth(self) -> None:
        """Take bumps out."""
        self.model.put(edits.smooth_values(self.model.timeline, self.chosen), self.tr("Smooth"))

    def reverse(self) -> None:
        """Backwards in time."""
        span = edits.chosen_span(self.model.timeline, self.chosen)
        if span is not None:
            after = {name: [sum(span) - frame for frame in of] for name, of in self.chosen.items()}
            line = edits.reverse_keyframes(self.model.timeline, self.chosen)
            self.model.put(line, self.tr("Reverse"), after)

    def scale(self, factor: float) -> None:
        """Farther from neutral, or nearer."""
        neutral = {name: self.model.knob(name).default for name in self.chosen}
        line = edits.scale_values(self.model.timeline, self.chosen, factor, neutral)
        self.model.put(self.model.limited(line, self.chosen), self.tr("Scale"))

    def offset(self, by: float) -> None:
        """Higher or lower, in the unit of each control."""
        line = edits.offset_values(self.model.timeline, self.chosen, by)
        self.model.put(self.model.limited(line, self.chosen), self.tr("Offset"))

    def stretch(self, factor: float) -> None:
        """Slower or faster."""
        span = edits.chosen_span(self.model.timeline, self.chosen)
        if span is not None:
            after = {
                n: [span[0] + round((f - span[0]) * factor) for f in of] for n, of in self.chosen.items()
            }
            line = edits.stretch_keyframes(self.model.timeline, self.chosen, factor)
            self.model.put(line, self.tr("Stretch"), after)

    def add_here(self) -> None:
        """A keyframe on every edited curve at the playhead, where each curve is."""
        model, frame = self.model, self.model.playhead
        line = model.timeline
        for name in model.names:
            curve = line.curves.get(name)
            if curve is None:
                line = model.set_value(name, frame, model.value(name, frame))
            elif curve.at(frame) is None:
                line = edits.set_keyframe(line, name, frame, model.value(name, frame))
        model.put(line, self.tr("Add a keyframe"), {name: [frame] for name in model.names})

    def add_curve(self, name: str) -> None:
        """A curve for a control, beginning with a keyframe at the playhead."""
        model = self.model
        if name not in model.timeline.curves:
            line = model.set_value(name, model.playhead, model.value(name))
            model.put(line, self.tr("Add a curve"))
        model.edit_curves((name,))
        if (curve := model.timeline.curves[name]).at(model.playhead) is not None:
            model.choose({name: [model.playhead]})
        else:
            model.choose({name: curve.frames[:1]})

    def close_circle(self, seconds: float) -> None:
        """Make it a loop without a seam."""
        line = self.model.timeline
        blend = min(max(1, round(seconds * line.rate)), line.length - 1)
        if line.length > 1:
            self.model.put(edits.close_circle(line, blend), self.tr("Make a loop"))


class TimelineActions(QObject):
    """The actions with their names, shortcuts and questions, for the button and the right click."""

    def __init__(self, deeds: TimelineDeeds, owner: QWidget) -> None:
        super().__init__(owner)
        self._deeds, self._owner = deeds, owner
        keys = QKeySequence.StandardKey
        model = deeds.model
        self.undo = model.undo.createUndoAction(self, self.tr("Undo"))
        self.redo = model.undo.createRedoAction(self, self.tr("Redo"))
        for action, key in ((self.undo, keys.Undo), (self.redo, keys.Redo)):
            self._join(action, key)
        self.cut = self._make(self.tr("Cut"), deeds.cut, keys.Cut)
        self.copy = self._make(self.tr("Copy"), deeds.copy, keys.Copy)
        self.paste = self._make(self.tr("Paste at the playhead"), deeds.paste, keys.Paste)
        self.delete = self._make(self.tr("Delete"), deeds.delete, keys.Delete, "Backspace")
        self.all = self._make(self.tr("Choose all"), model.choose_all, keys.SelectAll)
        self.add = self._make(self.tr("Add a keyframe at the playhead"), deeds.add_here, "Ctrl+K")
        self.smooth = self._make(self.tr("Smooth"), deeds.smooth, "Ctrl+M")
        self.reverse = self._make(self.tr("Reverse"), deeds.reverse, "Ctrl+R")
        self.scale = self._make(self.tr("Scale…"), self.ask_scale)
        self.offset = self._make(self.tr("Offset…"), self.ask_offset)
        self.stretch = self._make(self.tr("Stretch in time…"), self.ask_stretch)
        self.remove = self._make(self.tr("Remove these curves"), deeds.remove_curves)
        self.circle = self._make(self.tr("Make it loop without a seam…"), self.ask_circle)
        self._eases = QActionGroup(self)
        words = (
            *(self.tr("Hold, then jump"), self.tr("Straight"), self.tr("Smooth through")),
            *(self.tr("Start gently"), self.tr("End gently"), self.tr("Start and end gently")),
        )
        self.eases: dict[Ease, QAction] = {}
        for ease, word in zip(EASES, words):
            action = self._make(word, lambda ease=ease: deeds.set_ease(ease))  # type: ignore[misc]
            action.setCheckable(True)
            self._eases.addAction(action)
            self.eases[ease] = action
        model.chosen_changed.connect(self._look)
        model.changed.connect(self._look)
        self._look()

    def menu(self, parent: QWidget) -> QMenu:
        """All of them, for a button or a right click."""
        made = QMenu(parent)
        eases = made.addMenu(self.tr("From here on"))
        eases.addActions(list(self.eases.values()))
        made.addSeparator()
        made.addActions([self.add, self.cut, self.copy, self.paste, self.delete, self.all])
        made.addSeparator()
        made.addActions([self.scale, self.offset, self.stretch, self.smooth, self.reverse])
        made.addSeparator()
        made.addActions([self.circle, self.remove])
        return made

    def ask_scale(self) -> None:
        """Ask by how much."""
        words = self.tr("How strong, in percent of now")
        self._ask(self.tr("Scale"), words, 100.0, 0.0, 1000.0, 0, lambda v: self._deeds.scale(v / 100))

    def ask_offset(self) -> None:
        """Ask by how much, in the unit of the edited control."""
        model = self._deeds.model
        look = LOOKS[model.knob(next(iter(model.chosen))).kind]
        words = self.tr("How much higher or lower ({unit})").format(unit=look.unit.strip())
        do = self._deeds.offset
        self._ask(self.tr("Offset"), words, 0.0, -1e4, 1e4, look.decimals, lambda v: do(v / look.factor))

    def ask_stretch(self) -> None:
        """Ask by how much."""
        words = self.tr("How long, in percent of now")
        self._ask(self.tr("Stretch"), words, 100.0, 1.0, 1000.0, 0, lambda v: self._deeds.stretch(v / 100))

    def ask_circle(self) -> None:
        """Ask how long the way back may take."""
        words = self.tr("How many seconds at the end lead back to the beginning")
        most = max(0.1, self._deeds.model.timeline.seconds)
        title = self.tr("Make a loop")
        self._ask(title, words, min(1.0, most / 2), 0.1, most, 1, self._deeds.close_circle)

    def _ask(
        self,
        title: str,
        words: str,
        value: float,
        low: float,
        high: float,
        decimals: int,
        do: Callable[[float], object],
    ) -> None:
        dialog = QInputDialog(self._owner)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setInputMode(QInputDialog.InputMode.DoubleInput)
        dialog.setWindowTitle(title)
        dialog.setLabelText(words)
        dialog.setDoubleRange(low, high)
        dialog.setDoubleDecimals(decimals)
        dialog.setDoubleValue(value)
        dialog.doubleValueSelected.connect(do)
        dialog.open()

    def _make(self, text: str, do: Callable[[], object], *keys: QKeySequence.StandardKey | str) -> QAction:
        action = QAction(text, self)
        action.triggered.connect(lambda *checked: do())
        self._join(action, *keys)
        return action

    def _join(self, action: QAction, *keys: QKeySequence.StandardKey | str) -> None:
        """On the owner's shortcuts: they count while the hand is in it, and leave text fields alone."""
        action.setShortcuts([QKeySequence(key) for key in keys])
        action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        self._owner.addAction(action)

    def _look(self) -> None:
        """Only what can be done can be clicked."""
        model = self._deeds.model
        some = bool(model.chosen)
        for action in (self.cut, self.copy, self.delete, self.smooth, self.reverse, self.scale, self.offset):
            action.setEnabled(some)
        self.stretch.setEnabled(some)
        self.add.setEnabled(bool(model.names))
        self.all.setEnabled(bool(model.names))
        self.remove.setEnabled(any(name in model.timeline.curves for name in model.names))
        self.circle.setEnabled(not model.timeline.empty and model.timeline.length > 1)
        eases = {
            key.ease
            for name, frames in model.chosen.items()
            if name in model.timeline.curves
            for key in model.timeline.curves[name].keyframes
            if key.frame in frames
        }
        self._eases.setExclusionPolicy(QActionGroup.ExclusionPolicy.None_)
        for ease, action in self.eases.items():
            action.setEnabled(some)
            action.setChecked(ease in eases)
