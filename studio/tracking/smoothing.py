"""Smoothing over time that leaves blinks alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import correlate1d

from studio.domain.camera import Floats
from studio.domain.sequence import LANDMARKS
from studio.tracking.regions import LEFT_IRIS, LEFT_LIDS, LIPS, RIGHT_IRIS, RIGHT_LIDS

_MOVING = (LEFT_LIDS, RIGHT_LIDS, LEFT_IRIS, RIGHT_IRIS, LIPS)
"""Parts that really do move within a frame or two: lids close, eyes dart, lips part."""


def segments(
    seen: npt.NDArray[np.bool_], breaks: npt.NDArray[np.bool_] | None = None
) -> list[tuple[int, int]]:
    """Runs of frames over which smoothing may look.

    Args:
        seen: ``[T]`` frames with a face.
        breaks: ``[T]`` True where a frame does not continue the one before it (a cut, a jump).

    Returns:
        ``(first, one past the last)`` of each run of seen, unbroken frames.
    """
    runs: list[tuple[int, int]] = []
    start: int | None = None
    for frame, here in enumerate(seen):
        broken = breaks is not None and bool(breaks[frame])
        if start is not None and (not here or broken):
            runs.append((start, frame))
            start = None
        if here and start is None:
            start = frame
    if start is not None:
        runs.append((start, len(seen)))
    return runs


def gaussian(values: Floats, sigma: float, runs: list[tuple[int, int]]) -> Floats:
    """Gaussian smoothing along the first axis, separately in each run; frames outside runs stay.

    Args:
        values: ``[T, ...]``.
        sigma: in frames.
        runs: as :func:`segments` gives them.

    Returns:
        ``[T, ...]``. At a run's ends the values are continued by point reflection, so that a steady
        movement is not slowed down there.
    """
    out = np.array(values, np.float32)
    if sigma < 0.2:  # the neighbours' weight is below 1e-5
        return out
    radius = max(1, int(4 * sigma + 0.5))
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    taps /= taps.sum()
    for first, last in runs:
        if last - first < 2:
            continue
        part = values[first:last].astype(np.float32)
        room = min(radius, last - first - 1)
        padding = [(room, room)] + [(0, 0)] * (part.ndim - 1)
        padded = np.pad(part, padding, mode="reflect", reflect_type="odd")
        out[first:last] = correlate1d(padded, taps, axis=0, mode="nearest")[room : room + last - first]
    return out


def smooth_landmarks(
    landmarks: Floats, sigma: float, runs: list[tuple[int, int]], trust: float = 2.0
) -> Floats:
    """Gaussian smoothing that gives back what stands out of the noise around lids, irises and lips.

    PVP smooths everything with one Gaussian, which takes a third off a blink of three frames. Here, what
    the Gaussian removed from a moving part is weighed against how much it usually removes there, which is
    noise, with Wiener's gain r² / (r² + (trust · noise)²): a blink stands far above the noise and comes back
    nearly whole, the tremble of the network stays away.

    Args:
        landmarks: ``[T, 478, 3]``.
        sigma: in frames; PVP uses 1 at 30 frames per second.
        runs: as :func:`segments` gives them.
        trust: how many times the usual noise counts as movement (a gain of one half).

    Returns:
        ``[T, 478, 3]``; frames outside runs stay as they were.
    """
    if landmarks.shape[1:] != (LANDMARKS, 3):
        raise ValueError(f"landmarks are {landmarks.shape}, expected [T, {LANDMARKS}, 3]")
    out = gaussian(landmarks, sigma, runs)
    inside = np.zeros(len(landmarks), bool)
    for first, last in runs:
        inside[first:last] = True
    if not inside.any():
        return out
    # A closer camera makes everything larger, noise included: compare in face sizes.
    size = np.linalg.norm(np.ptp(landmarks[..., :2], axis=1), axis=1).clip(1e-3)
    for part in _MOVING:
        removed = landmarks[:, part] - out[:, part]
        # The whole head's tremble is no movement of the part. z is much noisier than x and y: left out.
        removed = removed - (landmarks - out).mean(1, keepdims=True)
        strength = np.sqrt((removed[..., :2] ** 2).sum(-1).mean(1)) / size
        noise = np.median(strength[inside])
        gain = strength**2 / (strength**2 + (trust * noise) ** 2 + 1e-12)
        gain[~inside] = 0.0
        out[:, part] += gain[:, None, None] * removed
    return out


def fill_gaps(values: Floats, seen: npt.NDArray[np.bool_]) -> Floats:
    """Values ``[T, ...]`` with unseen frames interpolated linearly, and held at both ends.

    Raises:
        ValueError: no frame is seen.
    """
    known = np.flatnonzero(seen)
    if not len(known):
        raise ValueError("no frame is seen")
    out = np.array(values, np.float32)
    for frame in np.flatnonzero(~seen):
        after = int(np.searchsorted(known, frame))
        if after == 0:
            out[frame] = values[known[0]]
        elif after == len(known):
            out[frame] = values[known[-1]]
        else:
            a, b = known[after - 1], known[after]
            share = (frame - a) / (b - a)
            out[frame] = (1 - share) * values[a] + share * values[b]
    return out
