"""The live picture on a page: what its model asks for is drawn, and hands over it change its model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer

from studio.domain.controls import ControlSheet, ControlState
from studio.domain.rendering import Layer, Quality, RenderRequest
from ui.pages.picture_grips import Grip, grip_of
from ui.widgets.viewport import Hand, Viewport

if TYPE_CHECKING:
    from studio.live import LiveHandle
    from ui.bridge.live import Live
    from ui.session import Session

MOVING_SIDE, STILL_SIDE, SMALLEST_SIDE = 512, 1024, 128
"""Pixels of a picture that moves, of one that stands still, and of the smallest."""
STILL_AFTER = 160
"""Milliseconds without a change after which the picture is drawn as well as it can be."""


class LivePicture(QObject):
    """Keeps picture and model together while a page is shown.

    A page's own kind says what its model is: :meth:`state`, :meth:`take_sheet`, :meth:`value`, and what
    :meth:`begin`, :meth:`put` and :meth:`end` a movement of the hand.
    """

    def __init__(self, session: Session, viewport: Viewport) -> None:
        super().__init__(viewport)
        self._session, self._viewport = session, viewport
        self._live: Live | None = None
        self.moving: Quality = "draft"
        """How a picture is drawn while it moves."""
        self.layer: Layer = "picture"
        """What is shown of an avatar that can show it."""
        self._active = False
        self._taken: tuple[ControlSheet, tuple[LiveHandle, ...]] | None = None
        self._grip: Grip | None = None
        self._start: dict[str, float] = {}
        self._still = QTimer(self)
        self._still.setSingleShot(True)
        self._still.setInterval(STILL_AFTER)
        self._still.timeout.connect(lambda: self._ask(moving=False))
        viewport.painted.connect(self._painted)
        viewport.resized.connect(self.moved)
        viewport.pressed.connect(self._press)
        viewport.dragged.connect(self._drag)
        viewport.released.connect(self._release)

    # What each page says

    def state(self) -> ControlState:
        """What is asked of the avatar now."""
        raise NotImplementedError

    def take_sheet(self, sheet: ControlSheet, handles: tuple[LiveHandle, ...]) -> None:
        """Another avatar's controls."""
        raise NotImplementedError

    def value(self, name: str) -> float:
        """Where a control stands."""
        raise NotImplementedError

    def begin(self, words: str) -> None:
        """A movement of the hand begins; ``words`` is what the history calls it."""
        raise NotImplementedError

    def put(self, values: Mapping[str, float], start: Mapping[str, float]) -> None:
        """What the movement has come to; where it started."""
        raise NotImplementedError

    def end(self, words: str) -> None:
        """The movement is over."""
        raise NotImplementedError

    # What all have in common

    @property
    def live(self) -> Live:
        """The live picture; its worker starts when this is first asked for."""
        if self._live is None:
            self._live = self._session.live
            self._live.arrived.connect(self._show)
            self._live.took_over.connect(self._take_over)
            self._live.rests_changed.connect(self._take_over)
        return self._live

    def knows(self, name: str) -> bool:
        """Whether the avatar shown has such a control."""
        return self._taken is not None and name in self._taken[0].names

    def enter(self) -> None:
        """The page is shown."""
        self._active = True
        self._take_over()
        self._show()
        if self.live.frame is None:
            self._viewport.say(self.tr("Opening the avatar…"))

    def leave(self) -> None:
        """The page is hidden."""
        self._active = False
        self._still.stop()
        self._release()

    def moved(self) -> None:
        """Something changed: a picture soon, and a better one when all is still."""
        if self._active:
            self._ask(moving=True)
            self._still.start()

    def show_layer(self, layer: Layer) -> None:
        """Show something else of the avatar, if it can; the pose stays."""
        if layer != self.layer:
            self.layer = layer
            self._ask(moving=False)

    def _ask(self, moving: bool) -> None:
        live = self._live
        if not self._active or live is None or live.avatar is None or self._taken is None:
            return
        from ui.bridge.live import stage_at

        largest = MOVING_SIDE if moving else STILL_SIDE
        side = max(SMALLEST_SIDE, min(largest, self._viewport.device_side()))
        quality = self.moving if moving else "full"
        layer = self.layer if self.layer in live.layers else "picture"
        live.ask(RenderRequest(self.state(), stage_at(live.avatar, side), quality, layer))

    def _take_over(self) -> None:
        live = self.live
        if live.sheet is None:
            return
        if (live.sheet, live.handles) != self._taken:
            self._taken = live.sheet, live.handles
            if not all(map(self.knows, self._start)):
                self._release()
            self.take_sheet(*self._taken)
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

    def _press(self, hand: Hand) -> None:
        self._grip = grip = grip_of(hand, self.knows)
        if grip is not None:
            names = (grip.across, grip.down, *grip.magnified)
            self._start = {name: self.value(name) for name in names if self.knows(name)}
            self.begin(self._words(grip))

    def _drag(self, x: float, y: float) -> None:
        if self._grip is not None:
            self.put(self._grip.moved(self._start, x, y, self._metres_across()), self._start)

    def _release(self) -> None:
        grip, self._grip = self._grip, None
        if grip is not None:
            self.end(self._words(grip))

    def _words(self, grip: Grip) -> str:
        if grip.of_camera:
            return self.tr("Move the camera")
        return self.tr("Move the head") if grip.metres else self.tr("Turn the head")

    def _metres_across(self) -> float:
        """What the picture's width is at the head at rest, in metres."""
        avatar = self.live.avatar
        camera = None if avatar is None else avatar.lineage.get("rest_camera")
        if avatar is None or not camera:
            return 0.5
        return avatar.stage.width / avatar.stage.placement.scale / float(camera[0])
