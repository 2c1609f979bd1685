"""One picture of a person with what tracking knows about it: all that a one-picture avatar may see."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats
from studio.domain.motion import HeadMotion

if TYPE_CHECKING:
    from studio.corpus.corpus import CorpusClip


@dataclass(frozen=True)
class OnePicture:
    """A square picture of S pixels and the head that was fitted to it."""

    picture: npt.NDArray[np.uint8]
    """``[S, S, 3]`` sRGB."""
    mask: npt.NDArray[np.uint8]
    """``[S, S]`` person coverage, 255 inside."""
    coefficients: Floats
    """``[I]`` identity coefficients."""
    offset: Floats
    """``[V, 3]`` what the identity basis misses of the neutral shape, metres."""
    motion: HeadMotion
    """Of this one frame; camera in pixels of this picture."""

    @property
    def side(self) -> int:
        """Side of the picture in pixels."""
        return len(self.picture)


def picture_of_clip(clip: CorpusClip, frame: int, side: int) -> OnePicture:
    """One frame of a corpus' clip at ``side`` pixels. Raises Problem where the clip cannot be read."""
    return OnePicture(
        clip.picture(frame, side),
        clip.mask(frame, side),
        clip.coefficients,
        clip.offset,
        motion_at(clip, side).take(np.array([frame])),
    )


def motion_at(clip: CorpusClip, side: int) -> HeadMotion:
    """The clip's motion, its camera in pixels of pictures ``side`` wide."""
    motion = clip.motion
    camera = np.asarray(motion.camera * (side / clip.side), np.float32)
    return replace(motion, camera=camera)
