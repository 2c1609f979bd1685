"""What is compared on people that nobody trained on: each makes something of one picture and is then
driven."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pipelines.instant_of_one import instant_of_one
from pipelines.one_picture import OnePicture
from studio.domain.camera import Similarity, View
from studio.domain.controls import ControlState, track_from_motion
from studio.domain.motion import HeadMotion
from studio.domain.rendering import RenderRequest
from studio.head import HeadModel

Pictures = npt.NDArray[np.uint8]
"""``[T, S, S, 3]`` sRGB."""
Driven = Callable[[HeadMotion, Pictures], Pictures]
"""A person's pictures, as large as theirs, for a motion whose camera is in pixels of that size. The driving
frames themselves come along, for those who find their own keypoints in them; nobody else looks at them."""


_RATE = Fraction(25)


class Contender(Protocol):
    """A way to animate one picture."""

    @property
    def name(self) -> str:
        """What tables call it."""

    def of(self, person: OnePicture) -> Driven:
        """Make an avatar of a picture. Only that picture and what was tracked in it may be used."""


class CopySource:
    """Shows the source picture whatever is asked: the plainest rival."""

    name = "copy the source"

    def of(self, person: OnePicture) -> Driven:
        """See :class:`Contender`."""
        return lambda motion, _: np.repeat(person.picture[None], len(motion), 0)


class InstantOfOne:
    """The instant engine built from the one picture."""

    def __init__(self, model: HeadModel, still: bool = True) -> None:
        """``model``: the corpus' head model; ``still``: see :func:`instant_of_one`."""
        self._model, self._still = model, still
        self.name = "instant of one picture" if still else "instant, surroundings moving"

    def of(self, person: OnePicture) -> Driven:
        """See :class:`Contender`."""
        from studio.warping.warper import Warper

        warper = Warper(instant_of_one(person, self._model, self._still))
        view = View(Similarity(1.0, 0.0, 0.0, 0.0), person.side, person.side)

        def driven(motion: HeadMotion, frames: Pictures) -> Pictures:
            # The rate is no part of a picture.
            track = track_from_motion(motion, person.motion.camera[0], _RATE)
            drawn = [
                warper.render(RenderRequest(ControlState(track.names, values.copy()), view)).image
                for values in track.values
            ]
            return np.stack(drawn)

        return driven
