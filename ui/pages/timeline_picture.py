"""The picture above the curves: the playhead's moment, and a hand that turns the head there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipelines.timeline_evaluation import evaluate_timeline
from studio.domain.controls import ControlSheet, ControlState, ControlTrack
from studio.domain.timeline import Timeline
from ui.pages.live_picture import LivePicture
from ui.widgets.curve_model import CurveModel
from ui.widgets.viewport import Viewport

if TYPE_CHECKING:
    from studio.live import LiveHandle
    from ui.session import Session


class TimelinePicture(LivePicture):
    """Asks the live worker for the playhead's moment, while its page is shown."""

    def __init__(self, session: Session, model: CurveModel, viewport: Viewport) -> None:
        super().__init__(session, viewport)
        self._model = model
        self._known: tuple[Timeline, ControlTrack] | None = None
        model.changed.connect(self.moved)
        model.moved.connect(self.moved)

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

    def take_sheet(self, sheet: ControlSheet, handles: tuple[LiveHandle, ...]) -> None:
        """Another avatar's controls."""
        self._model.take_sheet(sheet, handles)
        words = self.tr("Drag to turn the head: it becomes a keyframe at the playhead")
        if self.knows("orbit_yaw"):
            words = self.tr(
                "Drag to turn the head, with the right button or Alt to go around it, with the middle button "
                "or Shift to move the picture: it becomes a keyframe at the playhead"
            )
        self._viewport.setToolTip(words)

    def value(self, name: str) -> float:
        """Where a control stands at the playhead."""
        return self._model.value(name)

    def begin(self, words: str) -> None:
        """A movement of the hand begins."""
        self._model.begin()

    def put(self, values: Mapping[str, float], start: Mapping[str, float]) -> None:
        """Keyframes at the playhead, of what has moved."""
        model = self._model
        for name, value in values.items():
            if value != start[name] or name in model.timeline.curves:
                model.show(model.set_value(name, model.playhead, value))

    def end(self, words: str) -> None:
        """The movement is over, and one entry of the history."""
        self._model.settle(words)
