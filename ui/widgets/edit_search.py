"""An edit that is being looked for: how far, and what can be done."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QProgressBar, QSizePolicy, QWidget

from ui.bridge.jobs import Job
from ui.widgets.plain import column, label, row, set_role, tool
from ui.words import duration


class EditSearch(QFrame):
    """Told of its job's status; asks for what hands want done with it.

    Attributes:
        asked: ``stop``, ``go_on``, ``cancel`` or ``forget``.
    """

    asked = Signal(str)

    def __init__(self, job: Job, title: str) -> None:
        super().__init__()
        self.job = job
        self.title = label(title, wrap=True)
        self.title.setProperty("role", "strong")
        self.title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.words = label(role="hint", wrap=True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(self.tr("Progress"))
        self.stop = tool("pause", self.tr("Pause: it keeps what it knows and goes on from there"), self._stop)
        self.go_on = tool("play", self.tr("Go on"), self._go_on)
        self.cancel = tool("close", self.tr("Give it up"), self._cancel)
        for part in (self.stop, self.go_on, self.cancel):
            part.setProperty("role", "flat")
            part.setFixedSize(28, 26)
        top = row(self.title, self.stop, self.go_on, self.cancel, spacing=2)
        top.setStretch(0, 1)
        self.setLayout(column(top, self.bar, self.words, spacing=4))
        self.layout().setContentsMargins(2, 6, 2, 6)  # type: ignore[union-attr]
        self.show_job(job)

    @property
    def keys(self) -> list[QWidget]:
        """Where the keyboard goes, in order."""
        return [self.stop, self.go_on, self.cancel]

    def show_job(self, job: Job) -> None:
        """Where it stands now."""
        self.job = job
        status, share = job.status, job.share
        broken = status.state in ("failed", "crashed")
        self.bar.setVisible(not status.over)
        self.bar.setRange(0, 0 if share is None else 1000)
        if share is not None:
            self.bar.setValue(round(1000 * share))
        self.stop.setVisible(not status.over)
        self.go_on.setVisible(status.over)
        self.go_on.setToolTip(self.tr("Try again") if broken else self.tr("Go on"))
        self.cancel.setToolTip(self.tr("Take it off the list") if broken else self.tr("Give it up"))
        self.words.setText(self._sentence())
        set_role(self.words, "role", "bad" if broken else "hint")
        self.setAccessibleName(f"{self.title.text()}: {self.words.text()}")

    def _sentence(self) -> str:
        status = self.job.status
        if status.state == "queued":
            return self.tr("Starting…")
        if status.state == "stopped":
            return self.tr("Paused")
        if status.over:
            return status.message
        what = status.what[:1].upper() + status.what[1:]
        if status.seconds_left is None:
            return what
        return self.tr("{what}, {time} left").format(what=what, time=duration(status.seconds_left))

    def _stop(self) -> None:
        self.asked.emit("stop")

    def _go_on(self) -> None:
        self.asked.emit("go_on")

    def _cancel(self) -> None:
        over = self.job.status.state in ("failed", "crashed")
        self.asked.emit("forget" if over else "cancel")
