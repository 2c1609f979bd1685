"""The first frame as it will be written, drawn by the live worker."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from pipelines.export_settings import ExportSettings
from studio.domain.controls import ControlState
from studio.domain.rendering import Frame, RenderRequest
from ui.session import Session
from ui.theme import GAP
from ui.widgets.first_frame import FirstFrame
from ui.widgets.plain import label, row

if TYPE_CHECKING:
    from studio.live import LiveFrame
    from studio.media.coverage import Picture
    from ui.bridge.live import Live

LARGEST = 768
"""Most pixels of a side that are drawn here; larger exports are shown smaller."""


class ExportPreview(QWidget):
    """Asks for one frame, and finishes it as the export would.

    Attributes:
        opened: the avatar is there, with its controls.
        measured: :attr:`rendering` is known better.
    """

    opened = Signal()
    measured = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._live: Live | None = None
        self._active = False
        self._wanted: RenderRequest | None = None
        self._settings = ExportSettings()
        self._finishing = 0
        self.rendering: tuple[float, int] | None = None
        """Milliseconds of the quickest frame seen, and its pixels."""
        self.picture = FirstFrame()
        self.words = label("", "warn", wrap=True)
        inside = QVBoxLayout(self)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(GAP - 4)
        inside.addLayout(row(label(self.tr("First frame"), "heading"), None))
        inside.addWidget(self.picture, 1)
        inside.addWidget(self.words)
        self.words.hide()

    @property
    def live(self) -> Live:
        """The live picture; its worker starts when this is first asked for."""
        if self._live is None:
            self._live = self._session.live
            self._live.arrived.connect(self._arrived)
            self._live.took_over.connect(self._took_over)
            self._live.rests_changed.connect(self._took_over)
        return self._live

    def pose_before(self) -> ControlState | None:
        """What was shown before this page asked for anything."""
        frame = self.live.frame
        if frame is None or frame.request == self._wanted:
            return None
        return frame.request.state

    def enter(self) -> None:
        """The page is shown."""
        self._active = True
        if self.live.frame is None:
            self.picture.say(self.tr("Opening the avatar…"))

    def leave(self) -> None:
        """The page is hidden."""
        self._active = False

    def show_first(self, state: ControlState | None, settings: ExportSettings) -> None:
        """Draw this state as these settings would write it; None shows nothing."""
        self._settings = settings
        live = self.live
        avatar = live.avatar
        if state is None or avatar is None:
            self._wanted = None
            self.picture.show_picture(None)
            self.picture.say("" if state is None else self.tr("Opening the avatar…"))
            return
        from ui.bridge.live import stage_at

        self._wanted = RenderRequest(state, stage_at(avatar, min(settings.size, LARGEST)), "full")
        live.ask(self._wanted)
        frame = live.frame
        if frame is not None and frame.request == self._wanted:
            self._finish(frame)

    def _took_over(self) -> None:
        if self._active:
            self.rendering = None
            self.opened.emit()

    def _arrived(self) -> None:
        frame = self.live.frame
        if self._active and frame is not None and frame.request == self._wanted:
            pixels = frame.image.shape[0] * frame.image.shape[1]
            best = self.rendering
            if best is None or best[1] != pixels or frame.milliseconds < best[0]:
                self.rendering = (frame.milliseconds, pixels)
                self.measured.emit()
            self._finish(frame)

    def _finish(self, live: LiveFrame) -> None:
        """Take the background away and draw the mark, on a thread."""
        settings = replace(self._settings, size=live.image.shape[0])
        self._finishing += 1
        number = self._finishing

        def work() -> Picture:
            from pipelines.export_video import Finish

            return Finish(settings)(Frame(live.image, live.alpha, live.request, live.milliseconds))

        self._session.background.run(
            self,
            work,
            lambda picture: self._show(number, picture, settings),
            lambda error: self._failed(number, live, error),
        )

    def _show(self, number: int, picture: Picture, settings: ExportSettings) -> None:
        if number == self._finishing:
            self.picture.say("")
            self.picture.show_picture(picture, settings.alpha == "premultiplied")
            self.words.hide()

    def _failed(self, number: int, live: LiveFrame, error: Exception) -> None:
        if number == self._finishing:
            self.picture.say("")
            self.picture.show_picture(live.image)
            self.words.setText(str(error))
            self.words.show()
