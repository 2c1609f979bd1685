"""What an estimator is worth: errors on validation frames, and how far each number can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats
from studio.domain.motion import EXPRESSIONS

UNITS = {"expression": "σ", "jaw": "°", "yaw": "°", "pitch": "°", "roll": "°"}
"""Groups of the report and the units of their errors."""
_SLICES = {
    "expression": slice(0, EXPRESSIONS),
    "jaw": slice(EXPRESSIONS, EXPRESSIONS + 3),
    "yaw": slice(EXPRESSIONS + 3, EXPRESSIONS + 4),
    "pitch": slice(EXPRESSIONS + 4, EXPRESSIONS + 5),
    "roll": slice(EXPRESSIONS + 5, EXPRESSIONS + 6),
}

TRUSTED = 0.25
"""Reliability from which the report calls a number trusted: a careful correlation of a half."""

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class GroupError:
    """How well a group of numbers is read on validation frames."""

    correlation: float
    """Between read and tracked, mean over the numbers weighted by their variance; 0 where nothing moves."""
    error: float
    """Root mean squared error: σ for expression, degrees for jaw and angles."""
    guess: float
    """The error that the training frames' mean would make: what there was to gain."""


@dataclass(frozen=True)
class EstimatorReport:
    """What the estimator is worth, from frames that it has not learnt from."""

    frames: int
    """Validation frames."""
    components: int
    """Principal components of expression that it predicts."""
    groups: dict[str, GroupError]
    """By the names of :data:`UNITS`."""
    correlations: Floats
    """``[56]`` expression, jaw, angles; 0 where a number does not move."""
    errors: Floats
    """``[56]`` root mean squared errors in σ, radians, degrees."""
    reliability: Floats
    """``[56]`` see :func:`reliability`."""

    @property
    def sentence(self) -> str:
        """For the screen and the report."""
        parts = [
            f"{name} {e.correlation:.2f} ({e.error:.2f} {UNITS[name]}; guessing: {e.guess:.2f})"
            for name, e in self.groups.items()
        ]
        trusted = int((self.reliability[:EXPRESSIONS] >= TRUSTED).sum())
        return (
            f"Expression and pose are judged by a small estimator distilled from the tracker; correlation "
            f"(error) on {self.frames} validation frames: {', '.join(parts)}. It can be trusted for "
            f"{trusted} of {EXPRESSIONS} expression coefficients."
        )


def reliability(read: Numbers, tracked: Numbers) -> Floats:
    """How much of a difference in each number is to be believed, 0..1.

    The concordance correlation (Lin 1989: a correlation that a wrong size or a constant error lowers, too),
    less one standard error of Fisher's z, squared: roughly the share of a number's variance that is read,
    on the careful side. Frames next to each other say nearly the same, so the error counts effective frames,
    ``n (1 - ab) / (1 + ab)`` with the lag-one correlations a, b of both (Bayley & Hammersley 1946). A number
    that hardly moves in the validation frames has shown nothing and gets 0.

    Args:
        read: ``[T, C]`` in time order.
        tracked: ``[T, C]``.

    Returns:
        ``[C]``.
    """
    spread, gap = read.var(0) + tracked.var(0), (read.mean(0) - tracked.mean(0)) ** 2
    covariance = ((read - read.mean(0)) * (tracked - tracked.mean(0))).mean(0)
    concordance = 2.0 * covariance / np.maximum(spread + gap, 1e-12)
    slowness = np.clip(_lag_one(read) * _lag_one(tracked), 0.0, 0.999)
    frames = len(read) * (1.0 - slowness) / (1.0 + slowness)
    z = np.arctanh(np.clip(concordance, -0.9999, 0.9999)) - 1.0 / np.sqrt(np.maximum(frames - 3.0, 1.0))
    moved = tracked.var(0) > 1e-10
    return np.where(moved, np.maximum(np.tanh(z), 0.0) ** 2, 0.0).astype(np.float32)


def judge(read: Numbers, tracked: Numbers, mean: Numbers, components: int) -> EstimatorReport:
    """What an estimator is worth.

    Args:
        read: ``[T, 56]`` expression, jaw, angles that the estimator read.
        tracked: ``[T, 56]`` what the tracker said.
        mean: ``[56]`` of the training frames.
        components: how many principal components it predicts.
    """
    variance = tracked.var(0)
    covariance = ((read - read.mean(0)) * (tracked - tracked.mean(0))).mean(0)
    moves = (variance > 1e-10) & (read.var(0) > 1e-10)
    correlations = np.where(moves, covariance / np.sqrt(np.maximum(variance * read.var(0), 1e-24)), 0.0)
    squared, guessed = ((read - tracked) ** 2).mean(0), ((tracked - mean) ** 2).mean(0)
    groups = {}
    for name, part in _SLICES.items():
        in_unit = 180.0 / np.pi if name == "jaw" else 1.0
        groups[name] = GroupError(
            float(np.average(correlations[part], weights=variance[part] + 1e-12)),
            float(np.sqrt(squared[part].mean()) * in_unit),
            float(np.sqrt(guessed[part].mean()) * in_unit),
        )
    return EstimatorReport(
        len(read),
        components,
        groups,
        correlations.astype(np.float32),
        np.sqrt(squared).astype(np.float32),
        reliability(read, tracked),
    )


def _lag_one(values: Numbers) -> Numbers:
    """Correlation of each column with itself one frame later, ``[C]``."""
    v = values - values.mean(0)
    return (v[1:] * v[:-1]).sum(0) / np.maximum((v * v).sum(0), 1e-12)
