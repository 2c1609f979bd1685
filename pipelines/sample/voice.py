"""A soft voice without words, made by formant synthesis from the same curves that move the mouth."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from pipelines.sample.performance import JAW_OPEN, Performance

SAMPLE_RATE = 44100
"""Samples per second."""

HARMONICS = 22


def babble(performance: Performance, rate: float, seed: int) -> npt.NDArray[np.int16]:
    """Mono sound as long as the performance, ``[S]`` int16.

    A pitch near 190 Hz with its harmonics, each weighted by the resonances (formants) that the mouth's
    opening and rounding give: the first rises as the jaw drops, the second falls as the lips round.
    """
    frames = len(performance.jaw_open)
    samples = round(frames / rate * SAMPLE_RATE)
    clock = np.arange(samples) / SAMPLE_RATE
    at = clock * rate - 0.5

    def curve(values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        return np.interp(at, np.arange(frames), values)

    chance = np.random.default_rng(seed)
    opening = curve(performance.jaw_open / JAW_OPEN)
    rounded = curve(performance.rounded)
    loud = np.clip(opening * 1.6, 0, 1) ** 0.8 * (1 - 0.5 * curve(performance.lips_together))
    wander = gaussian_filter1d(chance.normal(0, 1, frames + 1), 0.35 * rate)[:frames]
    pitch = 188 * 2 ** ((2.5 * curve(wander) * np.sqrt(0.35 * rate) + 1.2 * opening) / 12)
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE

    formants = (
        (320 + 520 * opening, 90.0, 1.0),
        (1950 - 750 * rounded - 250 * opening, 130.0, 0.55),
        (2750 - 250 * rounded, 190.0, 0.22),
    )
    sound = np.zeros(samples)
    for k in range(1, HARMONICS + 1):
        hertz = k * pitch
        gain = sum(size / (1 + ((hertz - centre) / width) ** 2) for centre, width, size in formants)
        sound += (gain + 0.02) / k**0.4 * np.sin(k * phase + 0.3 * k * k)
    breath = np.diff(chance.normal(0, 1, samples + 1)) * 0.012
    spoken = np.asarray((sound + breath) * loud, np.float64)
    return np.round(spoken * (0.28 * 32767 / (np.abs(spoken).max() + 1e-9))).astype(np.int16)
