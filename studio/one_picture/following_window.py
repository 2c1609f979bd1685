"""How the square that the network draws follows a head that goes farther than heads in training do.

In training the square stands still and the head moves in it, but not far: squares are cut anew when it does.
So small shifts and growth are the network's, which knows how shoulders and hair take part; what is beyond
moves the square itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from studio.domain.camera import Similarity
from studio.domain.motion import HeadMotion

SHIFT = 0.12
"""How far a head moves within the square to each side, in sides of the square."""
GROWTH = 1.12
"""How much it grows or shrinks within it, as a factor."""


@dataclass(frozen=True)
class Followed:
    """One frame: what the network is asked for, and where that is shown."""

    motion: HeadMotion
    """What the head does in the source picture's own frame of reference, its camera in source pixels."""
    moved: Similarity
    """Source pixels to where they are shown, in source pixels."""

    @property
    def stays(self) -> bool:
        """Whether the square is where it was cut."""
        return self.moved == STAYS


STAYS = Similarity(1.0, 0.0, 0.0, 0.0)


def follow(motion: HeadMotion, rest: HeadMotion, window: Similarity) -> Followed:
    """Divide where a head goes between the network and its square.

    Args:
        motion: the one frame that is wanted.
        rest: the one frame of the source picture.
        window: source pixels to the square's unit square.
    """
    scale, centre = float(motion.camera[0, 0]), motion.camera[0, 1:].astype(np.float64)
    own_scale, own_centre = float(rest.camera[0, 0]), rest.camera[0, 1:].astype(np.float64)
    growth = scale / own_scale
    beyond = growth / float(np.clip(growth, 1.0 / GROWTH, GROWTH))
    reach = SHIFT / window.scale
    away = (centre - own_centre) / beyond
    within = np.clip(away, -reach, reach)
    if beyond == 1.0 and np.array_equal(within, away):
        return Followed(motion, STAYS)
    x, y = own_centre + beyond * (away - within) - beyond * own_centre
    camera = np.array([[scale / beyond, *(own_centre + within)]], np.float32)
    return Followed(replace(motion, camera=camera), Similarity(beyond, 0.0, float(x), float(y)))
