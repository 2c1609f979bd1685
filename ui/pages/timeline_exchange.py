"""Timelines as control files: what the window made, ``animate --controls`` plays, and the other way round."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFileDialog, QWidget

from pipelines.timeline_control_file import timeline_from_control_file, write_control_file
from studio.domain.timeline import Timeline
from ui.session import Session
from ui.widgets.curve_model import CurveModel


class TimelineExchange(QObject):
    """Reads and writes control files on a thread; asks for their names first."""

    def __init__(self, session: Session, model: CurveModel, owner: QWidget) -> None:
        super().__init__(owner)
        self._session, self._model, self._owner = session, model, owner
        self.open = QAction(self.tr("Open a control file…"), self)
        self.open.triggered.connect(lambda: self._ask(False))
        self.save = QAction(self.tr("Save as a control file…"), self)
        self.save.setToolTip(self.tr("Keyframes in JSON, for animate --controls on the command line"))
        self.save.triggered.connect(lambda: self._ask(True))

    def write(self, file: Path) -> None:
        """Save the timeline."""
        model = self._model
        work = partial(write_control_file, file, model.timeline, model.sheet, model.handles)
        done = self.tr("{file} is written.").format(file=file.name)
        what = self.tr("The control file could not be saved")
        self._session.background.run(
            self, work, lambda nothing: self._session.said.emit(done), partial(self._session.fail, what)
        )

    def read(self, file: Path) -> None:
        """Put a control file in the timeline's place; undo brings the old one back."""
        sheet, handles = self._model.sheet, self._model.handles
        notes: list[str] = []
        work = partial(timeline_from_control_file, file, sheet, handles, notes.append)
        what = self.tr("The control file could not be opened")
        self._session.background.run(
            self, work, partial(self._take, notes), partial(self._session.fail, what)
        )

    def _take(self, notes: list[str], timeline: Timeline) -> None:
        self._model.put(timeline, self.tr("Open a control file"), {})
        self._model.edit_curves(tuple(timeline.curves)[:1])
        if notes:
            self._session.said.emit(" ".join(notes))

    def _ask(self, writing: bool) -> None:
        dialog = QFileDialog(self._owner, (self.save if writing else self.open).text().rstrip("…"))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setNameFilter(self.tr("Control files (*.json)"))
        if writing:
            dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
            dialog.setDefaultSuffix("json")
            dialog.fileSelected.connect(lambda name: self.write(Path(name)))
        else:
            dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
            dialog.fileSelected.connect(lambda name: self.read(Path(name)))
        dialog.open()
