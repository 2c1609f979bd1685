"""What hands over the live picture move, as data: the picture always follows the hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from studio.domain.free_camera import CAMERA_NAMES
from ui.widgets.viewport import Hand

TURN, NOD = 100.0, 80.0
"""Degrees that a drag over the whole picture's width turns and nods."""
ZOOM_STEP = 1.06
"""Growth for each step of the wheel."""
HEAD = ("yaw", "pitch", "roll", "move_x", "move_y", "zoom")
"""What a double-click on the picture resets."""


@dataclass(frozen=True)
class Grip:
    """A pair of controls that a hand moves."""

    across: str
    """Control of a movement to the right."""
    down: str
    """Control of a movement downwards."""
    width: tuple[float, float]
    """What a movement over the picture's width adds to each."""
    metres: bool = False
    """Whether ``width`` counts in what the picture's width is at the head, in metres."""
    magnified: tuple[str, ...] = ()
    """Controls that make what is moved so many times larger, so that less is added."""

    @property
    def of_camera(self) -> bool:
        """Whether the camera is moved and not the head."""
        return self.across in CAMERA_NAMES

    def moved(self, start: dict[str, float], x: float, y: float, unit: float) -> dict[str, float]:
        """Values after a movement.

        Args:
            start: values where it began, of both controls and of ``magnified``; a pair that is not all there
                moves what is.
            x, y: how far, in widths of the picture; y downwards.
            unit: metres along the picture's width at the head at rest.
        """
        for name in self.magnified:
            unit /= start.get(name, 1.0)
        factor = unit if self.metres else 1.0
        ways = ((self.across, x * self.width[0]), (self.down, y * self.width[1]))
        return {name: start[name] + factor * by for name, by in ways if name in start}


GRIPS: dict[Hand, tuple[Grip, ...]] = {
    "turn": (Grip("yaw", "pitch", (TURN, -NOD)),),
    "orbit": (Grip("orbit_yaw", "orbit_pitch", (-TURN, NOD)),),
    "move": (
        Grip("pan_x", "pan_y", (-1.0, 1.0), metres=True, magnified=("zoom", "dolly")),
        Grip("move_x", "move_y", (1.0, -1.0), metres=True),
    ),
}
"""Hand to what it moves: the first that the avatar has."""
NEARER = ("dolly", "zoom")
"""What the wheel moves: the first that the avatar has."""
RESETS: dict[Hand, tuple[tuple[str, ...], ...]] = {
    "turn": (HEAD,),
    "orbit": (CAMERA_NAMES,),
    "move": (CAMERA_NAMES, HEAD),
}
"""Hand to what its double-click resets: the first that the avatar has."""


def grip_of(hand: Hand, knows: Callable[[str], bool]) -> Grip | None:
    """What a hand moves on an avatar that ``knows`` some controls; None where there is nothing to move."""
    return next((grip for grip in GRIPS[hand] if knows(grip.across) or knows(grip.down)), None)
