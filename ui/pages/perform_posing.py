"""From hands to pictures: a pose becomes requests, and movements over the picture become a pose."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer

from studio.domain.controls import ControlSheet, ControlState
from studio.domain.free_camera import CAMERA_NAMES
from ui.controls_model import ControlsModel, Pose
from ui.pages.live_picture import LivePicture
from ui.pages.picture_grips import NEARER, RESETS, ZOOM_STEP
from ui.widgets.viewport import Hand, Viewport

if TYPE_CHECKING:
    from studio.live import LiveHandle
    from ui.session import Session

FIGURES_EVERY = 500
"""Milliseconds between two looks at the meter."""


class Posing(LivePicture):
    """Keeps picture and pose together while its page is shown."""

    def __init__(self, session: Session, model: ControlsModel, viewport: Viewport) -> None:
        super().__init__(session, viewport)
        self.model = model
        self._other: Pose | None = None
        self._unedited = False
        self._under: ControlState | None = None
        self._figures = QTimer(self)
        self._figures.setInterval(FIGURES_EVERY)
        self._figures.timeout.connect(self.show_figures)
        model.changed.connect(self.moved)
        viewport.wheeled.connect(self._nearer)
        viewport.reset_asked.connect(self._reset)

    def enter(self) -> None:
        """The page is shown."""
        super().enter()
        self._figures.start()
        self.show_figures()

    def leave(self) -> None:
        """The page is hidden."""
        super().leave()
        self._figures.stop()
        self.model.end()
        self._other, self._unedited = None, False

    def peek(self, pose: Pose | None) -> None:
        """Show another pose for as long as somebody holds a button; None shows the present one again."""
        self._other = pose
        self._ask(moving=False)

    def show_unedited(self, held: bool) -> None:
        """Show the person as filmed, in the same pose, for as long as somebody holds a button."""
        if held != self._unedited:
            self._unedited = held
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
        return self.model.state(self.model.unedited if self._unedited else None, self._under)

    def take_sheet(self, sheet: ControlSheet, handles: tuple[LiveHandle, ...]) -> None:
        """Another avatar's controls."""
        self.model.take_sheet(sheet, handles)
        words = self.tr(
            "Drag to turn the head, Shift-drag to move it, scroll to come closer, double-click to reset"
        )
        if self.knows("orbit_yaw"):
            words = self.tr(
                "Drag to turn the head, double-click to reset it. Drag with the right button or Alt to go "
                "around it, with the middle button or Shift to move the picture; scroll to come closer; "
                "Alt-double-click to reset the camera"
            )
        self._viewport.setToolTip(words)

    def value(self, name: str) -> float:
        """Where a control stands."""
        return self.model.value(name)

    def begin(self, words: str) -> None:
        """A movement of the hand begins."""
        self.model.begin(words)

    def put(self, values: Mapping[str, float], start: Mapping[str, float]) -> None:
        """What the movement has come to."""
        self.model.set_many(values)

    def end(self, words: str) -> None:
        """The movement is over."""
        self.model.end()

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

        coming, shown = self.live.coming, self.live.avatar
        if coming is not None and shown is not None:
            if coming.folder == shown.folder and self.live.worker.alive:
                return self.tr("Applying the edits…")
            return self.tr("{title} is being opened").format(title=avatar_title(coming))
        return ""

    def _nearer(self, steps: float) -> None:
        name = next((name for name in NEARER if self.knows(name)), None)
        if name is not None:
            value = self.model.value(name) * ZOOM_STEP**steps
            self.model.put({name: value}, self.model.control(name).label, "wheel")

    def _reset(self, hand: Hand) -> None:
        names = next((names for names in RESETS[hand] if self.knows(names[0])), ())
        if names:
            pose = {name: value for name, value in self.model.pose.items() if name not in names}
            camera = names == CAMERA_NAMES
            self.model.replace(pose, self.tr("Reset the camera") if camera else self.tr("Reset the head"))
