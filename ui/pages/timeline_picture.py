"""The picture above the curves: the playhead's moment, and a hand that turns the head there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer

from pipelines.timeline_evaluation import evaluate_timeline
from studio.domain.controls import ControlState, ControlTrack
from studio.domain.rendering import Quality, RenderRequest
from studio.domain.timeline import Timeline
from ui.pages.perform_posing import MOVING_SIDE, NOD, SMALLEST_SIDE, STILL_AFTER, STILL_SIDE, TURN
from ui.widgets.curve_model import CurveModel
from ui.widgets.viewport import Viewport

if TYPE_CHECKING:
    from ui.bridge.live import Live
    from ui.session import Session


class TimelinePicture(QObject):
    """Asks the live worker for the playhead's moment, while its page is shown."""

    def __init__(self, session: Session, model: CurveModel, viewport: Viewport) -> None:
        super().__init__(viewport)
        self._session, self._model, self._viewport = session, model, viewport
        self._live: Live | None = None
        self._active = False
        self._start: dict[str, float] = {}
        self._known: tuple[Timeline, ControlTrack] | None = None
        self._still = QTimer(self)
        self._still.setSingleShot(True)
        self._still.setInterval(STILL_AFTER)
        self._still.timeout.connect(lambda: self._ask("full"))
        model.changed.connect(self.moved)
        model.moved.connect(self.moved)
        viewport.resized.connect(self.moved)
        viewport.painted.connect(self._painted)
        viewport.pressed.connect(self._press)
        viewport.dragged.connect(self._drag)
        viewport.released.connect(lambda: model.settle(self.tr("Turn the head")))

    @property
    def live(self) -> Live:
        """The live picture; its worker starts when this is first asked for."""
        if self._live is None:
            self._live = self._session.live
            self._live.arrived.connect(self._show)
            self._live.took_over.connect(self._take_over)
        return self._live

    def enter(self) -> None:
        """The page is shown."""
        self._active = True
        if self.live.sheet is not None:
            self._take_over()
        self._show()
        if self.live.frame is None:
            self._viewport.say(self.tr("Opening the avatar…"))

    def leave(self) -> None:
        """The page is hidden."""
        self._active = False
        self._still.stop()

    def moved(self) -> None:
        """Something changed: a picture soon, and a better one when all is still."""
        if self._active:
            self._ask("draft")
            self._still.start()

    def take_track(self, timeline: Timeline, track: ControlTrack) -> None:
        """All moments of a timeline, found meanwhile: to look one up costs nothing while it plays."""
        self._known = (timeline, track)

    def state(self) -> ControlState:
        """What is asked of the avatar at the playhead."""
        model = self._model
        if self._known is not None and self._known[0] is model.timeline:
            track = self._known[1]
            if track.names == model.sheet.names:
                return track.state(model.playhead)
        frames = [model.playhead]
        return evaluate_timeline(model.timeline, model.sheet, model.handles, frames=frames).state(0)

    def _ask(self, quality: Quality) -> None:
        live = self._live
        if not self._active or live is None or live.avatar is None or not self._model.sheet.controls:
            return
        from ui.bridge.live import stage_at

        largest = MOVING_SIDE if quality == "draft" else STILL_SIDE
        side = max(SMALLEST_SIDE, min(largest, self._viewport.device_side()))
        live.ask(RenderRequest(self.state(), stage_at(live.avatar, side), quality))

    def _take_over(self) -> None:
        live = self.live
        if live.sheet is not None:
            if (live.sheet, live.handles) != (self._model.sheet, self._model.handles):
                self._model.take_sheet(live.sheet, live.handles)
            self._ask("full")

    def _show(self) -> None:
        if self._active and self.live.frame is not None:
            self._viewport.say("")
            self._viewport.show_frame(self.live.frame)

    def _painted(self, ticket: int) -> None:
        if self._live is not None:
            self._live.painted(ticket)

    def _press(self) -> None:
        self._start = {name: self._model.value(name) for name in ("yaw", "pitch")}
        self._model.begin()

    def _drag(self, x: float, y: float, shift: bool) -> None:
        """The head is turned: keyframes of turn and nod at the playhead."""
        line = self._model.timeline
        for name, by in (("yaw", x * TURN), ("pitch", -y * NOD)):
            if by or name in line.curves:
                self._model.show(self._model.set_value(name, self._model.playhead, self._start[name] + by))
