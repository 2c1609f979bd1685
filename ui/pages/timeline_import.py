"""Brings a clip's motion into the timeline: which clip, what of it, and how."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDoubleSpinBox,
    QFormLayout,
    QProgressBar,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from pipelines.timeline_import import ImportSettings, import_clip
from studio.domain.progress import Progress
from studio.domain.timeline import Timeline
from ui.actions.bring_driver import BringDriver, DrivingClip, driving_clips
from ui.bridge.background import Ticket
from ui.session import Session
from ui.theme import GAP
from ui.widgets.curve_model import CurveModel
from ui.widgets.expression_space import ExpressionSpaceChoice
from ui.widgets.plain import button, label, row


class ImportDialog(QDialog):
    """Asks, then works in the background with progress; closing it gives up."""

    def __init__(self, session: Session, model: CurveModel, parent: QWidget) -> None:
        super().__init__(parent)
        self._session, self._model = session, model
        self._ticket: Ticket | None = None
        self._driver = BringDriver(session)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Import motion from a clip"))
        self.setMinimumWidth(520)
        self.clips = QComboBox()
        self.clips.setAccessibleName(self.tr("Clip"))
        self.clips.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.other = button(self.tr("Another file…"), self._ask_file, tip=self.tr("Any video with a face"))
        self.few = QRadioButton(self.tr("Few keyframes, easy to edit"))
        self.every = QRadioButton(self.tr("Every frame as it is, below your curves"))
        self.few.setChecked(True)
        self.detail = QComboBox()
        for words, detail in ((self.tr("Rough"), 0.4), (self.tr("Usual"), 1.0), (self.tr("Close"), 3.0)):
            self.detail.addItem(words, detail)
        self.detail.setCurrentIndex(1)
        self.detail.setToolTip(self.tr("Usual: no frame is off by more than three quarters of a degree"))
        self.few.toggled.connect(self.detail.setEnabled)
        self.parts = {
            "head": QCheckBox(self.tr("Head: turning and moving")),
            "eyes": QCheckBox(self.tr("Eyes: blinks and gaze")),
            "mouth": QCheckBox(self.tr("Mouth: the jaw")),
            "expression": QCheckBox(self.tr("Expression: everything else")),
        }
        for part in self.parts.values():
            part.setChecked(True)
        self.space = ExpressionSpaceChoice()
        self.begin, self.seconds = _seconds(0.0), _seconds(0.0)
        self.seconds.setSpecialValueText(self.tr("to its end"))
        self.here = QCheckBox(self.tr("Put it at the playhead"))
        self.here.setChecked(model.playhead > 0)
        self.here.setEnabled(model.playhead > 0)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.words = label("", "hint", wrap=True)
        self.go = button(self.tr("Import"), self.start, "primary")
        self.cancel = button(self.tr("Cancel"), self.reject)
        self._lay_out()
        self._busy(False)
        session.background.run(self, partial(driving_clips, session.store), self._fill, self._failed)
        self.space.look(session)
        model.sheet_changed.connect(self._allow)
        self._driver.moved.connect(self._show_progress)
        self._driver.ready.connect(self._take)
        self._driver.failed.connect(self._failed)
        self._driver.gave_up.connect(self._gave_up)
        self.finished.connect(self._driver.close)

    def settings(self) -> ImportSettings:
        """What was chosen."""
        return ImportSettings(
            keep="keyframes" if self.few.isChecked() else "frames",
            detail=float(self.detail.currentData()),
            begin=self.begin.value(),
            seconds=self.seconds.value() or None,
            **{name: box.isChecked() for name, box in self.parts.items()},
        )

    def start(self) -> None:
        """Import from the chosen clip."""
        source = self.clips.currentData()
        if isinstance(source, DrivingClip):
            self._take(source)

    def bring(self, video: Path) -> None:
        """Bring in another video, track it in a job, then import from it."""
        self._busy(True, self.tr("Copying the clip"))
        self._driver.do(video)

    def reject(self) -> None:
        """Cancel, Escape or closing it: nobody waits any more."""
        if self._ticket is not None:
            self._ticket.cancel()
        super().reject()

    def _take(self, source: DrivingClip) -> None:
        subject, avatar, model = self._session.subject, self._session.avatar, self._model
        if subject is None or avatar is None:
            return
        line, sheet, settings = model.timeline, model.sheet, self.settings()
        retarget = self.space.settings()
        at = model.playhead if self.here.isChecked() else 0
        title = source.title
        self._busy(True, self.tr("Reading the motion"))

        def work(progress: Progress) -> Timeline:
            return import_clip(
                line, subject, avatar, source.sequence, sheet, title, at, settings, retarget, progress
            )

        self._run(work, self._imported)

    def _imported(self, line: Timeline) -> None:
        self._model.put(line, self.tr("Import motion"))
        self._model.edit_curves(
            [n for n in ("yaw",) if n in line.curves or line.base] or list(line.curves)[:1]
        )
        self.accept()

    def _gave_up(self) -> None:
        self._busy(False)  # the banner says why

    def _ask_file(self) -> None:
        self._driver.ask(self, self.bring)

    def _fill(self, found: list[DrivingClip]) -> None:
        for source in found:
            self.clips.addItem(source.title, source)
        self.clips.setEnabled(bool(found))
        self._allow()
        if not found:
            self.words.setText(self.tr("No clip was tracked yet: choose another file."))
            self.words.show()

    def _run(self, work: Callable[[Progress], object], done: Callable[..., object]) -> None:
        self._ticket = self._session.background.run(self, work, done, self._failed, progress=True)
        self._ticket.progressed.connect(self._show_progress)

    def _show_progress(self, done: int, total: int, what: str) -> None:
        self.bar.setRange(0, max(total, 0))
        self.bar.setValue(done)
        if what:
            self.words.setText(what)

    def _failed(self, error: Exception) -> None:
        self._busy(False)
        safe = self.tr("The timeline is as it was.")
        self._session.fail(self.tr("The motion could not be imported"), error, safe)

    def _busy(self, busy: bool, words: str = "") -> None:
        self._ticket = None
        self.bar.setVisible(busy)
        self.bar.setRange(0, 0)
        self.words.setText(words)
        self.words.setVisible(busy)
        for part in (
            self.clips,
            self.other,
            self.few,
            self.every,
            self.space,
            self.begin,
            self.seconds,
            *self.parts.values(),
        ):
            part.setEnabled(not busy)
        self.detail.setEnabled(not busy and self.few.isChecked())
        self._allow()

    def _allow(self) -> None:
        """Importing needs a clip, and the avatar's controls, which come when it has been opened."""
        idle = self.bar.isHidden()
        self.go.setEnabled(idle and self.clips.count() > 0 and bool(self._model.sheet.controls))
        self.other.setEnabled(idle and bool(self._model.sheet.controls))

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setHorizontalSpacing(2 * GAP)
        form.setVerticalSpacing(GAP - 2)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        choice = row(self.clips, self.other, spacing=8)
        choice.setStretch(0, 1)
        form.addRow(label(self.tr("Clip")), choice)
        form.addRow(label(self.tr("From second")), self.begin)
        form.addRow(label(self.tr("For")), self.seconds)
        form.addRow(label(self.tr("As")), self.few)
        form.addRow(label(""), self.every)
        form.addRow(label(self.tr("Closeness")), self.detail)
        for number, box in enumerate(self.parts.values()):
            form.addRow(label(self.tr("What") if number == 0 else ""), box)
        form.addRow(label(""), self.space)
        form.addRow(label(""), self.here)
        inside = QVBoxLayout(self)
        inside.setContentsMargins(2 * GAP, 2 * GAP, 2 * GAP, 2 * GAP)
        inside.setSpacing(GAP)
        hint = self.tr(
            "The motion is fitted to this avatar. It replaces keyframes of the same controls there."
        )
        inside.addWidget(label(hint, "hint", wrap=True))
        inside.addLayout(form)
        inside.addWidget(self.bar)
        inside.addWidget(self.words)
        inside.addLayout(row(None, self.cancel, self.go, spacing=8))


def _seconds(value: float) -> QDoubleSpinBox:
    made = QDoubleSpinBox()
    made.setRange(0.0, 3600.0)
    made.setDecimals(1)
    made.setSuffix(" s")
    made.setMinimumWidth(110)
    made.setValue(value)
    return made
