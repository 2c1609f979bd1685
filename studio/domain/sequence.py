"""TrackedSequence: a clip after tracking, ready for pivots and training."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats, Similarity, View
from studio.domain.motion import HeadMotion

LANDMARKS = 478
"""MediaPipe's face mesh with irises."""


class Flag(IntFlag):
    """Why a frame is not good enough to learn from."""

    GOOD = 0
    NO_FACE = 1
    """The tracker found no face."""
    BLURRED = 2
    """Much less sharp than the clip's typical frame."""
    OCCLUDED = 4
    """The landmarks fit no head, or skin is covered (a hand, a microphone)."""
    JUMPED = 8
    """The face moved farther between two frames than a head can: a cut or another person."""
    SMALL = 16
    """The face is too small for detail."""
    EDGE = 32
    """The face leaves the picture."""
    TRIMMED = 64
    """Outside the part of the clip that was chosen: nobody has looked at it."""


FLAG_SENTENCES = {
    Flag.NO_FACE: "no face was found",
    Flag.BLURRED: "the picture is blurred",
    Flag.OCCLUDED: "the face is covered or does not fit a head",
    Flag.JUMPED: "the face jumped (a cut, or another person)",
    Flag.SMALL: "the face is too small",
    Flag.EDGE: "the face leaves the picture",
    Flag.TRIMMED: "outside the chosen part of the clip",
}
"""One clause for each flag, for reports and tooltips."""


@dataclass(frozen=True)
class TrackedSequence:
    """One person through one clip. T frames, in the clip's own order, at a constant rate.

    Frames without a face keep interpolated values so that arrays have no holes; ``flags`` says which. Frame
    numbers are always the clip's: trimmed frames are there, flagged, and hold what is nearest to them.
    """

    width: int
    """Upright source width in pixels (display rotation applied)."""
    height: int
    """Upright source height in pixels."""
    rate: Fraction
    """Frames per second, exact."""
    landmarks: Floats
    """``[T, 478, 3]`` smoothed; x, y in source pixels, z in pixels, larger is nearer to the camera."""
    crops: Floats
    """``[T, 4]`` FFHQ-style aligned crop: similarity (scale, angle, x, y) from source pixels to the unit
    square."""
    mask_boxes: Floats
    """``[T, 4]`` similarity from source pixels to the unit square in which the person mask is stored."""
    flags: npt.NDArray[np.int32]
    """``[T]`` bits of :class:`Flag`; 0 is a good frame."""
    sharpness: Floats
    """``[T]`` variance of the Laplacian over the face at a fixed size, 0..1 of the clip's best."""
    head_model: str
    """Which head model the parameters belong to, e.g. ``builtin-1``."""
    identity: Floats
    """``[I]`` identity coefficients, shared over the clip."""
    offset: Floats
    """``[V, 3]`` what the identity basis misses of this person's neutral shape, metres."""
    motion: HeadMotion
    """Head parameters per frame."""
    fit_error: Floats
    """``[T]`` mean landmark error of the fit, as a fraction of the distance between the eyes."""
    tracker: str
    """Which tracker, with its version, made this."""

    def __post_init__(self) -> None:
        count = len(self.landmarks)
        shapes = {
            "landmarks": (count, LANDMARKS, 3),
            "crops": (count, 4),
            "mask_boxes": (count, 4),
            "flags": (count,),
            "sharpness": (count,),
            "fit_error": (count,),
        }
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"TrackedSequence.{name} is {getattr(self, name).shape}, expected {shape}")
        if len(self.motion) != count:
            raise ValueError(f"TrackedSequence.motion has {len(self.motion)} frames, expected {count}")

    def __len__(self) -> int:
        return len(self.landmarks)

    @property
    def good(self) -> npt.NDArray[np.bool_]:
        """``[T]`` frames fit to learn from."""
        return self.flags == int(Flag.GOOD)

    @property
    def still(self) -> bool:
        """Whether it is one picture, a photo: nothing moves in it and nothing can be held out of it."""
        return len(self) == 1

    @property
    def used(self) -> slice:
        """The part of the clip that was chosen, as frame numbers; all of it where nothing was trimmed."""
        inside = np.flatnonzero((self.flags & int(Flag.TRIMMED)) == 0)
        return slice(int(inside[0]), int(inside[-1]) + 1) if len(inside) else slice(0, 0)

    def split(self, share: float) -> tuple[slice, slice]:
        """:func:`held_out_split` of the chosen part: ``(train, held_out)`` in the clip's frame numbers."""
        first = self.used.start
        train, held_out = held_out_split(self.used.stop - first, share)
        return slice(first, first + train.stop), slice(first + held_out.start, first + held_out.stop)

    def crop_view(self, frame: int, size: int) -> View:
        """The aligned crop of one frame at ``size`` pixels square."""
        return View(Similarity.from_array(self.crops[frame]).scaled(size), size, size)


HELD_OUT = 0.2
"""Share of a clip's end that is kept for judging, and from which not even the person's shape is learnt."""


def held_out_split(frames: int, share: float = HELD_OUT) -> tuple[slice, slice]:
    """Frames to learn from and frames to judge by: the clip's last ``share``, never mixed.

    Returns:
        ``(train, held_out)`` slices over ``range(frames)``.
    """
    cut = frames - max(1, round(frames * share))
    return slice(0, cut), slice(cut, frames)
