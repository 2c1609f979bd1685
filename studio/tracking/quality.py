"""Which frames are not good enough to learn from, and why."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats, Similarity
from studio.domain.sequence import FLAG_SENTENCES, Flag
from studio.tracking.cutting import cut
from studio.tracking.following import Followed
from studio.tracking.occlusion import covered_share
from studio.tracking.regions import OVAL
from studio.tracking.settings import TrackSettings
from studio.tracking.tracker import Picture

SHARP_SIZE = 128
"""Sharpness is measured on the aligned crop at this size, so that it does not depend on distance."""
_OUTSIDE = 0.04
"""Share of the landmarks that may lie outside the picture."""
_MISFIT = 0.1
"""A frame whose fit is worse than this share of the eye distance shows no head, or a covered one."""


def face_detail(picture: Picture, landmarks: Floats, crop: Similarity) -> float:
    """Variance of the Laplacian (Pech-Pacheco et al. 2000) over the face in the aligned crop.

    Args:
        picture: the frame.
        landmarks: ``[478, 3]`` in its pixels.
        crop: source pixels to the unit square.

    Returns:
        Grey levels squared, 0 or more.
    """
    grey = cv2.cvtColor(cut(picture, crop, SHARP_SIZE), cv2.COLOR_RGB2GRAY)
    inside = np.zeros((SHARP_SIZE, SHARP_SIZE), np.uint8)
    outline = crop.scaled(SHARP_SIZE).apply(landmarks[list(OVAL), :2])
    # Away from the outline, whose own contrast with the background says nothing about focus.
    outline = outline.mean(0) + 0.85 * (outline - outline.mean(0))
    cv2.fillConvexPoly(inside, np.round(outline).astype(np.int32), 255)
    if not inside.any():
        return 0.0
    values = cv2.Laplacian(grey, cv2.CV_32F)[inside > 0]
    return float(values.var())


def flag_frames(
    followed: Followed,
    landmarks: Floats,
    detail: Floats,
    fit_error: Floats,
    width: int,
    height: int,
    settings: TrackSettings,
) -> npt.NDArray[np.int32]:
    """Bits of :class:`studio.domain.sequence.Flag` for each frame.

    Args:
        followed: the person's sightings.
        landmarks: ``[T, 478, 3]`` smoothed.
        detail: ``[T]`` of :func:`face_detail`.
        fit_error: ``[T]`` of the head fit, in eye distances.
        width, height: picture size.
        settings: thresholds.
    """
    seen = followed.seen
    # A frame that shows only somebody else is a jump, not an empty frame.
    missing = ~seen & ~followed.jumped
    points = landmarks[..., :2]
    outside = ((points < 0) | (points > np.array([width, height], np.float32))).any(-1).mean(1)
    judged = {
        Flag.NO_FACE: missing,
        Flag.JUMPED: followed.jumped,
        Flag.BLURRED: seen & blurred(detail, seen, settings.blur),
        Flag.OCCLUDED: seen
        & (followed.covered | (covered_share(followed.faces) > settings.covered) | misfit(fit_error, seen)),
        Flag.SMALL: seen & (np.ptp(points[..., 1], axis=1) < settings.small_face),
        Flag.EDGE: seen & (outside > _OUTSIDE),
    }
    flags = np.zeros(len(landmarks), np.int32)
    for flag, frames in judged.items():
        flags[frames] |= int(flag)
    return flags


def blurred(detail: Floats, seen: npt.NDArray[np.bool_], share: float) -> npt.NDArray[np.bool_]:
    """Frames with much less detail than the clip's typical frame.

    Detail is a variance: blur takes it down by orders of magnitude, so it is compared on a logarithmic
    scale, and a clip whose detail varies much by itself (turning, light) is given more room.
    """
    if not seen.any():
        return np.zeros(len(detail), bool)
    level = np.log(np.maximum(detail, 1e-3))
    usual = np.median(level[seen])
    spread = 1.4826 * np.median(np.abs(level[seen] - usual))
    return np.asarray(level < usual - max(-np.log(share), 3.5 * spread))


def misfit(error: Floats, seen: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Frames whose landmarks fit no head: far worse than the clip's own, or very badly."""
    if not seen.any():
        return np.zeros(len(error), bool)
    usual = np.median(error[seen])
    spread = 1.4826 * np.median(np.abs(error[seen] - usual))
    return np.asarray(error > max(usual + 8 * spread, _MISFIT))


def sharpness(detail: Floats, seen: npt.NDArray[np.bool_]) -> Floats:
    """Detail as a share of the clip's best, 0..1; the best is the 99th percentile, so that one noisy frame
    does not set the scale. 0 where the person is not seen."""
    best = float(np.percentile(detail[seen], 99)) if seen.any() else 1.0
    return np.where(seen, np.clip(detail / max(best, 1e-6), 0, 1), 0).astype(np.float32)


def report(flags: npt.NDArray[np.int32]) -> list[str]:
    """One sentence for each stretch of flagged frames, e.g. ``frames 120-164: no face was found``.

    Frames are counted from 0; a stretch is interrupted by good frames or by a different set of reasons.
    """
    lines: list[str] = []
    start = 0
    for frame in range(1, len(flags) + 1):
        if frame < len(flags) and flags[frame] == flags[start]:
            continue
        if flags[start]:
            where = f"frame {start}" if frame - start == 1 else f"frames {start}\u2013{frame - 1}"
            lines.append(f"{where}: {' and '.join(reasons(int(flags[start])))}")
        start = frame
    return lines


def reasons(flags: int) -> Sequence[str]:
    """The clauses for one frame's flags."""
    return [sentence for flag, sentence in FLAG_SENTENCES.items() if flags & int(flag)]
