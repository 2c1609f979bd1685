"""What the sample does over time: head turns, speech, blinks and glances, as known curves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d

from studio.domain.camera import Floats

# Seconds, yaw, pitch, roll in degrees. The last fifth comes back to similar, not equal, poses.
POSES = (
    (0.0, -1, -7, 2),
    (1.2, 2, -5, 2),
    (2.6, -35, -3, -2),
    (3.2, -34, -2, -2),
    (5.6, 34, -4, 3),
    (6.2, 35, -3, 3),
    (7.7, 3, -4, 1),
    (8.9, 2, 20, 0),
    (9.3, 1, 19, 0),
    (11.0, -2, -22, 1),
    (11.4, -1, -21, 1),
    (12.4, -12, -4, 0),
    (13.5, -26, 14, -4),
    (15.0, 25, -16, 5),
    (16.0, 22, 12, 3),
    (17.0, -22, -14, -3),
    (17.9, -2, -6, -11),
    (18.9, 2, -5, 11),
    (19.4, 3, -5, 4),
    (20.2, -27, 4, -3),
    (21.3, 4, 12, 2),
    (22.3, 28, -9, 4),
    (23.2, 8, -15, -5),
    (24.0, 0, -6, 2),
)

BLINK_FRAMES = 5
"""A blink closes within two frames and opens within three, at 25 frames a second."""

JAW_OPEN = 9.5
"""Degrees of the widest opening in speech."""


@dataclass(frozen=True)
class Performance:
    """Curves over T frames."""

    angles: Floats
    """``[T, 3]`` yaw, pitch, roll in degrees."""
    shift: Floats
    """``[T, 2]`` metres to the right and up."""
    jaw_open: Floats
    """``[T]`` degrees."""
    eyelids: Floats
    """``[T, 2]`` 0 open, 1 closed; viewer's left, viewer's right."""
    gaze: Floats
    """``[T, 2]`` yaw, pitch in degrees, in the head."""
    lips_together: Floats
    """``[T]`` 0..1."""
    smile: Floats
    """``[T]`` 0 relaxed, 1 the portrait's smile."""
    rounded: Floats
    """``[T]`` 0..1, as in "oo"."""
    brow: Floats
    """``[T]`` -1..1, up is positive."""
    blinks: npt.NDArray[np.int32]
    """``[B]`` frames at which the eyes are closed."""


def perform(seconds: float, rate: float, seed: int) -> Performance:
    """The curves. Poses stretch with the duration; speech, blinks and glances follow clock and seed."""
    count = max(2, round(seconds * rate))
    clock = np.arange(count) / rate
    chance = np.random.default_rng(seed)
    keys = np.array(POSES, np.float64)
    angles = PchipInterpolator(keys[:, 0] * seconds / keys[-1, 0], keys[:, 1:])(clock)
    angles = gaussian_filter1d(angles, 0.09 * rate, axis=0, mode="nearest")
    angles += _drift(clock, chance, 3, 0.9)

    opening, rounding, voiced = _speech(clock, rate, chance)
    # Nodding with the voice: heads are never still in speech.
    angles[:, 1] -= 1.1 * gaussian_filter1d(opening, 0.12 * rate)
    shift = 0.006 * _drift(clock, chance, 2, 1.0)
    shift[:, 0] += 0.00022 * angles[:, 0]

    quiet = 1 - gaussian_filter1d(voiced, 0.18 * rate)
    warm = np.interp(
        clock / seconds,
        [0, 0.03, 0.06, 0.3, 0.34, 0.4, 0.72, 0.76, 0.8, 0.96, 0.98, 1],
        [1, 1, 0, 0, 0.8, 0, 0, 0.7, 0, 0, 0.9, 1],
    )
    smile = np.clip(0.3 + 0.15 * _drift(clock, chance, 1, 1.0)[:, 0] + 0.6 * quiet * warm, 0, 1)
    # An open jaw draws the corners of the mouth together.
    smile *= 1 - 0.7 * opening
    jaw = JAW_OPEN * opening
    together = np.clip(1 - jaw / 5.5, 0, 1) ** 1.2 * (1 - 0.95 * np.clip(quiet * warm, 0, 1))
    brow = 0.5 * np.clip(_drift(clock, chance, 1, 1.0)[:, 0], -0.3, 1.2) + 0.35 * np.clip(
        angles[:, 1] / 20, -0.4, 1
    )

    eyelids, blinks = _blinks(clock, rate, chance)
    gaze = _gaze(clock, rate, chance, angles)
    # Lids follow the eyes down.
    follow = np.clip(-gaze[:, 1] / 40, 0, 0.3)
    return Performance(
        angles=angles.astype(np.float32),
        shift=shift.astype(np.float32),
        jaw_open=jaw.astype(np.float32),
        eyelids=np.maximum(eyelids, follow)[:, None].repeat(2, 1).astype(np.float32),
        gaze=gaze.astype(np.float32),
        lips_together=together.astype(np.float32),
        smile=smile.astype(np.float32),
        rounded=rounding.astype(np.float32),
        brow=brow.astype(np.float32),
        blinks=blinks,
    )


def _drift(
    clock: npt.NDArray[np.float64], chance: np.random.Generator, width: int, size: float
) -> npt.NDArray[np.float64]:
    """Slow wandering about zero, ``[T, width]``, standard deviation near ``size``."""
    out = np.zeros((len(clock), width))
    for hertz in (0.17, 0.31, 0.53, 0.83):
        phase = chance.uniform(0, 2 * np.pi, width)
        out += np.sin(2 * np.pi * hertz * chance.uniform(0.85, 1.15) * clock[:, None] + phase)
    return size * out / 1.4


def _speech(
    clock: npt.NDArray[np.float64], rate: float, chance: np.random.Generator
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Jaw opening 0..1, lip rounding 0..1 and whether a phrase is being spoken 0..1."""
    opening, rounding, voiced = (np.zeros(len(clock)) for _ in range(3))
    end = clock[-1]
    now = min(1.1, 0.1 * end)
    while now < end - 0.9:
        stop = min(now + chance.uniform(1.3, 2.6), end - 0.6)
        start = now
        while now < stop:
            length = chance.uniform(0.17, 0.30)
            size = np.clip(chance.lognormal(-0.75, 0.45), 0.15, 1.0)
            middle = now + length * 0.45
            bump = np.exp(-(((clock - middle) / (0.36 * length)) ** 2))
            opening = np.maximum(opening, size * bump)
            if chance.uniform() < 0.3:
                rounding = np.maximum(
                    rounding, chance.uniform(0.5, 0.9) * np.exp(-(((clock - middle) / (0.6 * length)) ** 2))
                )
            now += length
        voiced[(clock >= start) & (clock < now)] = 1
        now += chance.uniform(0.35, 0.8)
    return gaussian_filter1d(opening, 0.025 * rate), gaussian_filter1d(rounding, 0.03 * rate), voiced


def _blinks(
    clock: npt.NDArray[np.float64], rate: float, chance: np.random.Generator
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int32]]:
    closed = np.zeros(len(clock))
    frames = []
    now = 1.6
    while now < clock[-1] - 0.4:
        peak = round(now * rate)
        frames.append(peak)
        away = (np.arange(len(clock)) - peak) / rate * 25
        shape = np.where(away < 0, 1 + away / 2.2, 1 - np.maximum(away - 0.6, 0) / 2.6)
        closed = np.maximum(closed, np.clip(shape, 0, 1))
        now += chance.uniform(2.6, 4.0)
    return closed, np.array(frames, np.int32)


def _gaze(
    clock: npt.NDArray[np.float64], rate: float, chance: np.random.Generator, angles: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Quick glances, and a little of looking back at the camera when the head turns."""
    target = np.zeros((len(clock), 2))
    now = 0.8
    while now < clock[-1]:
        rest = chance.uniform(0.7, 1.8)
        look = chance.normal(0, 1, 2) * (6.0, 3.0)
        target[(clock >= now) & (clock < now + rest)] = np.clip(look, -11, 11)
        now += rest
    eyes = gaussian_filter1d(target, 0.035 * rate, axis=0)
    eyes -= np.stack([0.33 * angles[:, 0], 0.3 * (angles[:, 1] + 6)], -1)
    return np.clip(eyes, -17, 17)
