"""A finished comparison on the Compare page: pictures, curves, figures, and what can be saved of them."""

from __future__ import annotations

from typing import Literal, cast

import numpy as np
from PySide6.QtCore import QEvent, QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QImage, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from pipelines.compare_result import ARROWS, Comparison, Side
from studio.domain.problem import Problem
from ui.pages.compare_curve import ROLES, ErrorCurve
from ui.pages.compare_frames import GAIN, FrameBook, Pictures, heat, heat_colours
from ui.pages.compare_saving import CompareSaving, judge
from ui.session import Session
from ui.theme import GAP, tokens
from ui.widgets.metric_table import MetricTable
from ui.widgets.metric_words import direction, meaning
from ui.widgets.plain import button, card, label, row, tool
from ui.widgets.split_view import SplitView
from ui.widgets.themed import IconFollowsTheme

View = Literal["pictures", "errors", "difference"]
AHEAD = 8
"""Frames read in advance while it plays."""
_WIDE = (392, 470)
"""Least and greatest width of the column of figures, pixels."""


class ResultView(QWidget):
    """Two sides on the same frames.

    Attributes:
        frame_shown: index of the frame that is on the screen now.
    """

    frame_shown = Signal(int)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.comparison: Comparison | None = None
        self.book = FrameBook(session.background, self)
        self.book.ready.connect(self._ready)
        self.book.failed.connect(self._broken)
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._next)
        self.split, self.curve, self.table = SplitView(), ErrorCurve(), MetricTable()
        self.left, self.right = self._side_box(self.tr("Left side")), self._side_box(self.tr("Right side"))
        self.saving = CompareSaving(session, lambda: (self.comparison, self.table.measure))
        self.views: dict[View, QPushButton] = {}
        self._view: View = "pictures"
        inside = QHBoxLayout(self)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(GAP)
        inside.addWidget(self._stage(), 5)
        inside.addWidget(self._figures(), 4)
        self.curve.picked.connect(self.show_frame_number)
        self.table.chosen.connect(self._choose_measure)
        for key, way in ((Qt.Key.Key_Comma, -1), (Qt.Key.Key_Period, 1)):
            self._shortcut(QKeySequence(key), lambda way=way: self.step(way))
        self._shortcut(QKeySequence(Qt.Key.Key_Space), self.toggle_play)

    @property
    def index(self) -> int:
        """Which of the kept frames is asked for."""
        return self.slider.value()

    @property
    def playing(self) -> bool:
        """Whether it plays."""
        return self._timer.isActive()

    def show_comparison(self, comparison: Comparison) -> None:
        """Show a result from its first frame; the one that is shown already stays where it is."""
        before = self.comparison
        same = before is not None and (before.folder, before.names) == (comparison.folder, comparison.names)
        if same and before is not None and before.columns == comparison.columns:
            return
        self.pause()
        self.comparison = comparison
        self.book.open(comparison)
        with QSignalBlocker(self.slider):
            self.slider.setRange(0, max(0, len(comparison.pictures) - 1))
            self.slider.setValue(0)
        self.table.show_comparison(comparison)
        if self.table.currentRow() <= 0:
            self.table.choose(judge(comparison))
        self._verdict.setText(self._summary(comparison))
        self._notes.setText(self._about_frames(comparison))
        self._choose_measure(self.table.measure.id if self.table.measure else "")
        self._show_index(0)

    def clear(self) -> None:
        """Nothing to show any more."""
        self.pause()
        self.comparison = None
        self.book.open(None)

    def show_frame_number(self, frame: int) -> None:
        """Go to a frame of the clip, or to the nearest one that is kept."""
        if self.comparison is not None and len(self.comparison.pictures):
            self.slider.setValue(int(np.abs(self.comparison.pictures - frame).argmin()))

    def choose_view(self, view: View) -> None:
        """Pictures, errors against the real frame, or the difference between the two sides."""
        self.views[view].setChecked(True)
        self._view = view
        self._draw()

    def step(self, way: int) -> None:
        """One frame on or back."""
        self.pause()
        self.slider.setValue(self.slider.value() + way)

    def toggle_play(self) -> None:
        """Play or pause."""
        if self.playing:
            self.pause()
        elif self.comparison is not None and len(self.comparison.pictures) > 1:
            every = np.median(np.diff(self.comparison.pictures)) / max(1.0, self.comparison.rate)
            self._timer.start(max(1, round(1000 * float(every))))
            self._play_icon.show_picture("pause")

    def pause(self) -> None:
        """Stop playing."""
        self._timer.stop()
        self._play_icon.show_picture("play")

    def changeEvent(self, event: QEvent) -> None:
        """Qt's door for changes of the theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_legend"):
            self._show_moment()

    # What is shown

    def _stage(self) -> QWidget:
        made = card()
        inside = made.layout()
        assert isinstance(inside, QVBoxLayout)
        group = QButtonGroup(self)
        choices = QHBoxLayout()
        choices.setSpacing(4)
        kinds: tuple[tuple[View, str, str], ...] = (
            ("pictures", self.tr("Pictures"), self.tr("The frames as they are")),
            ("errors", self.tr("Errors"), self.tr("Where each side differs from the real frame, amplified")),
            ("difference", self.tr("Difference"), self.tr("Where the two sides differ, amplified")),
        )
        for view, words, tip in kinds:
            choice = button(words, lambda view=view: self.choose_view(view), tip=tip)  # type: ignore[misc]
            choice.setCheckable(True)
            choice.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
            group.addButton(choice)
            self.views[view] = choice
            choices.addWidget(choice)
        self.views["pictures"].setChecked(True)
        top = QHBoxLayout()
        top.setSpacing(8)
        top.addWidget(self.left, 3)
        top.addStretch(1)
        top.addLayout(choices)
        top.addStretch(1)
        top.addWidget(self.right, 3)
        inside.addLayout(top)
        inside.addWidget(self.split, 1)
        inside.addLayout(self._player())
        self._curve_title = label(role="hint")
        self._legend = label(role="hint")
        self._legend.setTextFormat(Qt.TextFormat.RichText)
        inside.addLayout(row(self._curve_title, None, self._legend))
        self.curve.setFixedHeight(112)
        inside.addWidget(self.curve)
        return made

    def _player(self) -> QHBoxLayout:
        self.play = tool("play", self.tr("Play or pause (Space)"), self.toggle_play)
        self._play_icon = next(c for c in self.play.children() if isinstance(c, IconFollowsTheme))
        back = tool("step-back", self.tr("One frame back (,)"), lambda: self.step(-1))
        on = tool("step-on", self.tr("One frame on (.)"), lambda: self.step(1))
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName(self.tr("Held-out frame"))
        self.slider.valueChanged.connect(self._show_index)
        self._moment = label(role="hint")
        self._moment.setMinimumWidth(150)
        self._moment.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        made = row(back, self.play, on, self.slider, self._moment, spacing=6)
        made.setStretch(3, 1)
        return made

    def _figures(self) -> QWidget:
        made = card()
        made.setMinimumWidth(_WIDE[0])
        made.setMaximumWidth(_WIDE[1])
        inside = made.layout()
        assert isinstance(inside, QVBoxLayout)
        self._verdict = label(role="heading", wrap=True)
        self._notes = label(role="hint", wrap=True)
        self._about = label(role="hint", wrap=True)
        self._about.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._about.setMinimumHeight(54)
        self._about.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        inside.addWidget(self._verdict)
        inside.addWidget(self._notes)
        inside.addWidget(self.table, 1)
        inside.addWidget(self._about)
        inside.addWidget(self.saving)
        return made

    def _side_box(self, name: str) -> QComboBox:
        made = QComboBox()
        made.setAccessibleName(name)
        made.setToolTip(name)
        made.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        made.setMinimumContentsLength(2)
        made.setMaximumWidth(148)
        for side, words in (
            ("a", "A"),
            ("b", "B"),
            ("real", self.tr("Real frame")),
            ("nearest", self.tr("Nearest frame")),
        ):
            made.addItem(words, side)
        made.setCurrentIndex(0 if name == self.tr("Left side") else 1)
        made.currentIndexChanged.connect(lambda _: self._draw())
        return made

    def _summary(self, comparison: Comparison) -> str:
        a, b, both = comparison.wins()
        if not both:
            return self.tr("Nothing could be measured on both sides.")
        if a == b:
            return self.tr("A draw: each is better on {n} of {all} measures.").format(n=a, all=both)
        who, n, other = ("A", a, b) if a > b else ("B", b, a)
        words = self.tr("{who} is better on {n} of {all} measures, {other} on {m}.")
        return words.format(who=who, n=n, all=both, other="B" if who == "A" else "A", m=other)

    def _about_frames(self, comparison: Comparison) -> str:
        words = self.tr("{n} frames that neither has seen.").format(n=len(comparison.frames))
        if comparison.left_out:
            words += " " + self.tr("{n} more were not good enough to judge by.").format(n=comparison.left_out)
        speed = self.tr("Drawn at {a} and {b} frames a second.")
        return f"{words} " + speed.format(a=round(comparison.speed[0]), b=round(comparison.speed[1]))

    def _choose_measure(self, name: str) -> None:
        comparison = self.comparison
        if comparison is None or not name:
            return
        measure = comparison.measure(name)
        self.curve.show_measure(comparison, name)
        words = f"{ARROWS[measure.better]}  {measure.name}"
        off = all(name not in comparison.curves[side] for side in ("a", "b"))
        self._curve_title.setText(self.tr("{measure}: off").format(measure=words) if off else words)
        parts = [meaning(name), direction(measure.better), comparison.off.get(name, "")]
        self._about.setText(" ".join(part for part in parts if part))
        self._show_moment()

    def _show_index(self, index: int) -> None:
        comparison = self.comparison
        if comparison is None or not len(comparison.pictures):
            self.split.say(self.tr("No frame was kept"))
            return
        self.curve.show_frame(int(comparison.pictures[index]))
        self._show_moment()
        self.book.want(index, AHEAD if self.playing else 2)
        if self.book.get(index) is not None:
            self._draw()

    def _show_moment(self) -> None:
        comparison = self.comparison
        if comparison is None or not len(comparison.pictures):
            return
        frame = int(comparison.pictures[self.index])
        self._moment.setText(
            self.tr("Frame {n} · {time} s").format(n=frame, time=f"{frame / max(1.0, comparison.rate):.2f}")
        )
        measure, place = self.table.measure, int(np.searchsorted(comparison.frames, frame))
        if measure is None:
            return
        words = []
        for side, name in (("a", "A"), ("b", "B"), ("nearest", self.tr("Nearest"))):
            values = self.curve.values(cast("Side", side))
            value = None if values is None or np.isnan(values[place]) else float(values[place])
            colour = getattr(tokens(), ROLES[side])
            words.append(f'<span style="color:{colour}">●</span> {name} {measure.text(value)}')
        self._legend.setText("&nbsp;&nbsp; ".join(words))

    def _draw(self) -> None:
        pictures = self.book.get(self.index) if self.comparison is not None else None
        if pictures is None:
            return
        sides = (cast("Side", self.left.currentData()), cast("Side", self.right.currentData()))
        names = [self._name(side) for side in sides]
        if self._view == "difference":
            both = heat(pictures[sides[0]], pictures[sides[1]])
            shown = [both, both]
            words = self.tr("Difference of {a} and {b}")
            names = [words.format(a=self.left.currentText(), b=self.right.currentText()), ""]
        else:
            shown = [self._shown(pictures, side) for side in sides]
            if self._view == "errors":
                names = [
                    name if side == "real" else self.tr("Error of {side}").format(side=box.currentText())
                    for side, name, box in zip(sides, names, (self.left, self.right))
                ]
        self.split.show_pair(shown[0], shown[1])
        self.split.show_names(names[0], names[1])
        if self._view == "pictures":
            self.split.show_legend(())
        else:
            colours = [QColor(*(int(part) for part in c)) for c in heat_colours()[::15]]
            high = self.tr("{n} levels and more").format(n=-(-255 // GAIN))
            self.split.show_legend(colours, self.tr("equal"), high)
        self.frame_shown.emit(self.index)

    def _name(self, side: Side) -> str:
        """What a side is, with the avatar's name."""
        assert self.comparison is not None
        if side in ("a", "b"):
            return f"{side.upper()} · {self.comparison.names[side == 'b']}"
        return self.tr("Real frame") if side == "real" else self.tr("Nearest training frame")

    def _shown(self, pictures: Pictures, side: Side) -> QImage:
        if self._view == "errors" and side != "real":
            return heat(pictures["real"], pictures[side])
        return pictures[side]

    def _ready(self, index: int) -> None:
        if index == self.index:
            self._draw()

    def _next(self) -> None:
        """The next frame, unless it is not read yet: then the present one stays a moment longer."""
        count = self.slider.maximum() + 1
        index = (self.slider.value() + 1) % count
        if self.book.get(index) is None:
            self.book.want(index, AHEAD)
        else:
            self.slider.setValue(index)

    def _broken(self, error: Exception) -> None:
        self.pause()
        self.split.say(str(error) if isinstance(error, Problem) else self.tr("This frame cannot be shown"))

    def _shortcut(self, keys: QKeySequence, do: object) -> None:
        made = QShortcut(keys, self)
        made.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        made.activated.connect(do)
