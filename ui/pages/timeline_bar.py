"""The row between picture and curves: play, time, length, rate, and the edits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from PySide6.QtWidgets import QComboBox, QDoubleSpinBox, QWidget

from pipelines.control_file import LONGEST
from pipelines.timeline_rate import at_rate
from ui.pages.timeline_player import Player
from ui.theme import GAP
from ui.widgets.curve_axes import timecode
from ui.widgets.curve_model import CurveModel
from ui.widgets.plain import button, label, row, tool
from ui.widgets.themed import IconFollowsTheme

RATES = (
    *(Fraction(24000, 1001), Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(30)),
    *(Fraction(50), Fraction(60000, 1001), Fraction(60)),
)


class TimelineBar(QWidget):
    """Shows where the playhead is, and changes what a timeline is as a whole."""

    def __init__(
        self, model: CurveModel, player: Player, bring: Callable[[], object], fit: Callable[[], object]
    ) -> None:
        super().__init__()
        self._model, self._player = model, player
        self.play = tool("play", self.tr("Play (Space)"), player.toggle)
        self.loop = tool("loop", self.tr("Play in a circle"), checkable=True)
        self.undo = tool("undo", self.tr("Undo (Ctrl+Z)"), model.undo.undo)
        self.redo = tool("redo", self.tr("Redo (Ctrl+Shift+Z)"), model.undo.redo)
        self.time = label()
        self.time.setMinimumWidth(190)
        self.length = QDoubleSpinBox()
        self.length.setRange(0.1, LONGEST)
        self.length.setDecimals(2)
        self.length.setSuffix(" s")
        self.length.setMinimumWidth(100)
        self.length.setKeyboardTracking(False)
        self.length.setAccessibleName(self.tr("Length"))
        self.length.setToolTip(self.tr("How long it plays; keyframes beyond are kept"))
        self.rate = QComboBox()
        self.rate.setAccessibleName(self.tr("Frames per second"))
        self.rate.setToolTip(self.tr("Frames per second; keyframes keep their moments"))
        self.bring = button(
            self.tr("Import motion…"),
            bring,
            picture="film",
            tip=self.tr("Bring in how somebody moves in a clip"),
        )
        self.fit = button(self.tr("Fit"), fit, tip=self.tr("Show everything (F)"))
        self.edit = button(
            self.tr("Edit"), tip=self.tr("Everything that can be done to the chosen keyframes")
        )
        inside = row(
            *(self.play, self.loop, 4, self.time, None, label(self.tr("Length"), "hint"), self.length),
            *(self.rate, GAP, self.undo, self.redo, self.edit, self.fit, self.bring),
            spacing=6,
        )
        self.setLayout(inside)
        self._signs = self.play.findChild(IconFollowsTheme)
        self.loop.toggled.connect(self._set_loop)
        self.length.valueChanged.connect(self._set_length)
        self.rate.activated.connect(self._set_rate)
        for made, signal in (
            (self.undo, model.undo.canUndoChanged),
            (self.redo, model.undo.canRedoChanged),
        ):
            made.setEnabled(False)
            signal.connect(made.setEnabled)
        player.state_changed.connect(self._show_player)
        model.changed.connect(self._show)
        model.moved.connect(self._show_time)
        self._show()

    def _show(self) -> None:
        line = self._model.timeline
        for widget in (self.loop, self.length, self.rate):
            widget.blockSignals(True)
        self.loop.setChecked(line.loop)
        self.length.setValue(line.seconds)
        if line.rate not in [self.rate.itemData(i) for i in range(self.rate.count())]:
            self.rate.clear()
            for rate in sorted({*RATES, line.rate}):
                self.rate.addItem(self.tr("{rate:.5g} a second").format(rate=float(rate)), rate)
        for i in range(self.rate.count()):
            if self.rate.itemData(i) == line.rate:
                self.rate.setCurrentIndex(i)
        for widget in (self.loop, self.length, self.rate):
            widget.blockSignals(False)
        self._show_time()

    def _show_time(self) -> None:
        line, frame = self._model.timeline, self._model.playhead
        words = self.tr("{time} · frame {frame} of {all}")
        self.time.setText(words.format(time=timecode(frame, line.rate), frame=frame, all=line.length))

    def _show_player(self) -> None:
        playing = self._player.playing
        speed = self._player.speed
        if isinstance(self._signs, IconFollowsTheme):
            self._signs.show_picture("pause" if playing else "play")
        faster = f" {speed}×" if abs(speed) > 1 or speed < 0 else ""
        tip = self.tr("Pause (Space)") if playing else self.tr("Play (Space)")
        self.play.setToolTip(tip + faster)

    def _set_loop(self, on: bool) -> None:
        self._model.put(replace(self._model.timeline, loop=on), self.tr("Play in a circle"))

    def _set_length(self, seconds: float) -> None:
        line = self._model.timeline
        self._model.put(
            replace(line, length=max(1, round(seconds * line.rate))), self.tr("Change the length")
        )

    def _set_rate(self, index: int) -> None:
        rate = self.rate.itemData(index)
        self._model.put(at_rate(self._model.timeline, rate), self.tr("Change the rate"), {})
