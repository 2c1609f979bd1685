"""One export in the queue: what it is, how far, and what can be done."""

from __future__ import annotations

from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QResizeEvent
from PySide6.QtWidgets import QFrame, QProgressBar, QSizePolicy, QVBoxLayout

from pipelines.export_job import PAUSED, WAITING, Export
from pipelines.job import JobStatus
from studio.media.codecs import CODECS
from ui.theme import GAP
from ui.widgets.plain import label, row, set_role, tool
from ui.words import duration, size


class QueueRow(QFrame):
    """Told of the export's status; asks for what a person wants done with it.

    Attributes:
        asked: ``pause``, ``go_on``, ``cancel``, ``again`` or ``forget``.
    """

    asked = Signal(str)

    def __init__(self, export: Export) -> None:
        super().__init__()
        self.export = export
        self.setProperty("role", "card")
        self.name = label(role="heading")
        self.words = label(role="hint", wrap=True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(self.tr("Progress"))
        self.pause = tool("pause", self.tr("Pause: it keeps its place and goes on from here"), self._pause)
        self.play = tool("play", self.tr("Go on"), self._go_on)
        self.again = tool("reset", self.tr("Start again from the first frame"), self._again)
        self.cancel = tool("close", self.tr("Cancel: nothing is left of it"), self._cancel)
        self.folder = tool("folder", self.tr("Open the folder it is in"), self.open_folder)
        self.forget = tool("trash", self.tr("Take it off the list; the file stays"), self._forget)
        inside = QVBoxLayout(self)
        inside.setContentsMargins(GAP, GAP - 4, GAP - 4, GAP - 4)
        inside.setSpacing(5)
        buttons = (self.pause, self.play, self.again, self.cancel, self.folder, self.forget)
        self.name.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        head = row(self.name, *buttons, spacing=4)
        head.setStretch(0, 1)
        inside.addLayout(head)
        inside.addWidget(self.bar)
        inside.addWidget(self.words)
        self.show_export(export)

    @property
    def status(self) -> JobStatus:
        """Where it stands, as last told."""
        return self.export.status

    @property
    def state(self) -> str:
        """The job's state; ``paused`` and ``waiting`` for what a person calls so."""
        status = self.export.status
        if status.state in ("running", "queued"):
            if status.what == PAUSED:
                return "paused"
            if status.what == WAITING:
                return "waiting"
        return status.state

    def show_export(self, export: Export) -> None:
        """What is known of it now."""
        self.export = export
        status, state, over = export.status, self.state, export.status.over
        target = export.settings.target
        self.name.setToolTip(str(target))
        self.words.setText(self._sentence())
        set_role(self.words, "role", "bad" if state in ("failed", "crashed") else "hint")
        known = bool(status.total)
        self.bar.setVisible(not over)
        self.bar.setRange(0, 1000 if known or state == "waiting" else 0)
        self.bar.setValue(round(1000 * status.done / status.total) if status.total else 0)
        self.pause.setVisible(not over and state != "paused")
        self.pause.setEnabled(state == "running")
        self.play.setVisible(state == "paused")
        self.cancel.setVisible(not over)
        self.again.setVisible(over and state != "finished")
        self.folder.setVisible(state == "finished")
        self.forget.setVisible(over)
        inside = self.layout()
        assert inside is not None
        inside.activate()
        self._elide()
        self.setAccessibleName(f"{target.name}: {self.words.text()}")

    def open_folder(self) -> None:
        """Show where the file is, with the system's own program."""
        target = self.export.settings.target
        place = target if target.is_dir() else target.parent
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(place)))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Qt's door for another size."""
        super().resizeEvent(event)
        self._elide()

    def _elide(self) -> None:
        """As much of the name as there is room for."""
        name, width = self.export.settings.target.name, self.name.width()
        self.name.setText(self.name.fontMetrics().elidedText(name, Qt.TextElideMode.ElideMiddle, width))

    def _sentence(self) -> str:
        export, status = self.export, self.export.status
        made = export.settings.export
        what = f"{export.subject} · {CODECS[made.codec].title} · {made.size} px"
        receipt = export.receipt
        if self.state == "finished":
            if receipt is None:
                return what
            told = self.tr("{size} in {time}").format(
                size=size(receipt.size_bytes), time=duration(receipt.seconds)
            )
            return " ".join((f"{what} · {told}", *receipt.warnings))
        return f"{what} · {self._doing(status)}"

    def _doing(self, status: JobStatus) -> str:
        words = {
            "queued": self.tr("Starting…"),
            "waiting": self.tr("Waiting for its turn"),
            "paused": self.tr("Paused"),
            "stopped": self.tr("Stopped; starting again begins anew"),
            "cancelled": self.tr("Cancelled"),
        }
        if self.state in words:
            return words[self.state]
        if status.over:
            return status.message
        done = ""
        if status.total:
            done = self.tr("{done} of {total} frames").format(done=status.done, total=status.total)
        left = ""
        if status.seconds_left is not None:
            left = self.tr("{time} left").format(time=duration(status.seconds_left))
        return " · ".join(part for part in (done, left) if part) or status.what

    def _pause(self) -> None:
        self.asked.emit("pause")

    def _go_on(self) -> None:
        self.asked.emit("go_on")

    def _again(self) -> None:
        self.asked.emit("again")

    def _cancel(self) -> None:
        self.asked.emit("cancel")

    def _forget(self) -> None:
        self.asked.emit("forget")
