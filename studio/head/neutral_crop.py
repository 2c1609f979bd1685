"""Where the aligned crop of a moment lies: a function of head parameters alone.

FFHQ's alignment looks at eyes and mouth, and a mouth that opens would zoom the picture. Here the *neutral*
face is aligned, as the head's turn and place show it: no expression and no landmark noise moves the crop, and
what training saw is to the last digit what rendering asks for.
"""

from __future__ import annotations

import numpy as np

from studio.domain.camera import Floats, Similarity, project
from studio.domain.motion import HeadMotion
from studio.head.ffhq_crop import crop_frames, crop_similarities


def aligned_crops(neutral: Floats, motion: HeadMotion) -> Floats:
    """Similarities from source pixels to the unit square ``[T, 4]`` (scale, angle, x, y).

    Args:
        neutral: ``[V, 3]`` the person's neutral face in head space, its first 478 vertices MediaPipe's.
        motion: T frames.
    """
    points = project(np.tile(neutral[None], (len(motion), 1, 1)), motion.angles, motion.camera)
    return crop_similarities(*crop_frames(points))


def aligned_crop(neutral: Floats, motion: HeadMotion) -> Similarity:
    """The same for one frame."""
    return Similarity.from_array(aligned_crops(neutral, motion)[0])
