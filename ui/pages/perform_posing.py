"""From hands to pictures: a pose becomes requests, and movements over the picture become a pose."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer

from studio.domain.controls import ControlState
from studio.domain.rendering import Quality, RenderRequest
from ui.controls_model import ControlsModel, Pose
from ui.widgets.viewport import Viewport

if TYPE_CHECKING:
    from ui.bridge.live import Live
    from ui.session import Session

MOVING_SIDE, STILL_SIDE, SMALLEST_SIDE = 512, 1024, 128
"""Pixels of a picture that moves, of one that stands still, and of the smallest."""
STILL_AFTER = 160
"""Milliseconds without a change after which the picture is drawn as well as it can be."""
TURN, NOD = 100.0, 80.0
"""Degrees that a drag over the whole picture's width turns and nods."""
ZOOM_STEP = 1.06
"""Growth for each step of the wheel."""
HEAD = ("yaw", "pitch", "roll", "move_x", "move_y", "zoom")
"""What a double-click on the picture resets."""
FIGURES_EVERY = 500
"""Milliseconds between two looks at the meter."""


class Posing(QObject):
    """Keeps picture and pose together while its page is shown."""

    def __init__(self, session: Session, model: ControlsModel, viewport: Viewport) -> None:
        super().__init__(viewport)
        self._session, self.model, self._viewport = session, model, viewport
        self._live: Live | None = None
        self.moving: Quality = "draft"
        """How a picture is drawn while it moves."""
        self._active = False
        self._other: Pose | None = None
        self._under: ControlState | None = None
        self._start: Pose = {}
        self._still = QTimer(self)
        self._still.setSingleShot(True)
        self._still.setInterval(STILL_AFTER)
        self._still.timeout.connect(lambda: self._ask(moving=False))
        self._figures = QTimer(self)
        self._figures.setInterval(FIGURES_EVERY)
        self._figures.timeout.connect(self.show_figures)
        model.changed.connect(self.moved)
        viewport.painted.connect(self._painted)
        viewport.resized.connect(self.moved)
        viewport.pressed.connect(self._press)
        viewport.released.connect(model.end)
        viewport.dragged.connect(self._drag)
        viewport.wheeled.connect(self._zoom)
        viewport.reset_asked.connect(self._reset_head)

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
        self._figures.start()
        live = self.live
        if live.sheet is not None and live.sheet != self.model.sheet:
            self._take_over()
        self._show()
        self._ask(moving=False)
        self.show_figures()

    def leave(self) -> None:
        """The page is hidden."""
        self._active = False
        self._still.stop()
        self._figures.stop()
        self.model.end()
        self._other = None

    def moved(self) -> None:
        """Something changed: a picture soon, and a better one when all is still."""
        self._ask(moving=True)
        self._still.start()

    def peek(self, pose: Pose | None) -> None:
        """Show another pose for as long as somebody holds a button; None shows the present one again."""
        self._other = pose
        self._ask(moving=False)

    def drive(self, under: ControlState | None) -> None:
        """What a camera or a clip says, to which the pose is added; None for nothing."""
        if under is not None or self._under is not None:
            self._under = under
            self.moved()

    def state(self) -> ControlState:
        """What is asked of the avatar now."""
        if self._other is not None:
            return self.model.state(self._other)
        return self.model.state(under=self._under)

    def show_figures(self) -> None:
        """Pictures a second and latency into the corner."""
        live = self.live
        figures = live.meter.figures(time.perf_counter())
        words = ""
        if figures.rate:
            words = self.tr("{rate:.0f} pictures/s").format(rate=figures.rate)
            if figures.p95:
                latency = self.tr("{p50:.0f} / {p95:.0f} ms").format(p50=figures.p50, p95=figures.p95)
                words = f"{words} · {latency}"
        self._viewport.say_in_corner(words, self._badge())
        if live.frame is None and live.worker.alive:
            self._viewport.say(self.tr("Opening the avatar…"))
        elif not live.worker.alive and live.avatar is not None:
            self._viewport.say(self.tr("The live picture stands still. Click “Start again”."))
        else:
            self._viewport.say("")

    def _badge(self) -> str:
        from ui.words import avatar_title

        coming = self.live.coming
        if coming is not None and self.live.avatar is not None:
            return self.tr("{title} is being opened").format(title=avatar_title(coming))
        return ""

    def _ask(self, moving: bool) -> None:
        live = self._live
        if not self._active or live is None or live.avatar is None or not self.model.sheet.controls:
            return
        from ui.bridge.live import stage_at

        largest = MOVING_SIDE if moving else STILL_SIDE
        side = max(SMALLEST_SIDE, min(largest, self._viewport.device_side()))
        quality = self.moving if moving else "full"
        live.ask(RenderRequest(self.state(), stage_at(live.avatar, side), quality))

    def _take_over(self) -> None:
        live = self.live
        if live.sheet is not None:
            self.model.take_sheet(live.sheet, live.handles)
            self._ask(moving=False)

    def _show(self) -> None:
        if self._active:
            frame = self.live.frame
            if frame is not None:
                self._viewport.say("")
            self._viewport.show_frame(frame)

    def _painted(self, ticket: int) -> None:
        if self._live is not None:
            self._live.painted(ticket)

    def _press(self) -> None:
        self._start = {name: self.model.value(name) for name in HEAD if self.model.knows(name)}
        self.model.begin(self.tr("Turn the head"))

    def _drag(self, x: float, y: float, shift: bool) -> None:
        start = self._start
        if shift:
            width = self._metres_across()
            changes = {"move_x": x * width, "move_y": -y * width}
        else:
            changes = {"yaw": x * TURN, "pitch": -y * NOD}
        self.model.set_many({name: start[name] + by for name, by in changes.items() if name in start})

    def _zoom(self, steps: float) -> None:
        if self.model.knows("zoom"):
            zoom = self.model.value("zoom") * ZOOM_STEP**steps
            self.model.put({"zoom": zoom}, self.tr("Distance"), "wheel")

    def _reset_head(self) -> None:
        pose = {name: value for name, value in self.model.pose.items() if name not in HEAD}
        self.model.replace(pose, self.tr("Reset the head"))

    def _metres_across(self) -> float:
        """What the picture's width is at the head, in metres."""
        avatar = self.live.avatar
        camera = None if avatar is None else avatar.lineage.get("rest_camera")
        if avatar is None or not camera:
            return 0.5
        return avatar.stage.width / avatar.stage.placement.scale / float(camera[0])
