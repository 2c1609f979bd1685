"""The half of a face that a picture does not show, from the half that it does: faces are nearly symmetric."""

from __future__ import annotations

from torch import Tensor

from studio.networks.volume.rays import Cameras

SHOWN = (0.1, 0.5)
"""Cosine between a place's normal and the way to the picture's camera from which on the picture shows it, and
shows it well."""
TURNED = 0.1
"""Sine of the least yaw of a picture whose sides differ in how well they are shown."""
BETTER = (0.2, 0.6)
"""By how much better the picture shows the mirror place (0..1 each) from which on it is asked, and alone."""
GAINED = (0.2, 0.5)
"""By how much more a place is turned to whoever looks than to the picture's camera (difference of cosines)
from which on its mirror place may be asked, and wholly. As the picture saw it, it is right by itself: sides
that are no wider than there keep their own light and hair."""


def shown_well(facing: Tensor) -> Tensor:
    """How well a picture shows places with such a cosine (see :data:`SHOWN`), 0..1, any shape."""
    return ((facing - SHOWN[0]) / (SHOWN[1] - SHOWN[0])).clamp(0.0, 1.0)


def any_turned(cameras: Cameras) -> bool:
    """Whether a picture that these cameras took shows one side of its head better than the other."""
    return bool((cameras.rotation[:, 2, 0].abs() > TURNED).any())


def mirrored(points: Tensor) -> Tensor:
    """Head-space points ``[..., 3]`` on the other side of the head."""
    return points * points.new_tensor([-1.0, 1.0, 1.0])


def from_other_side(own: Tensor, other: Tensor, gained: Tensor) -> Tensor:
    """How much of what places look like is taken from their mirror places, 0..1.

    Args:
        own: how well the picture shows the places, 0..1, any shape.
        other: how well it shows their mirror places.
        gained: see :data:`GAINED`.
    """
    better = ((other - own - BETTER[0]) / (BETTER[1] - BETTER[0])).clamp(0.0, 1.0)
    needed = ((gained - GAINED[0]) / (GAINED[1] - GAINED[0])).clamp(0.0, 1.0)
    return better * needed
