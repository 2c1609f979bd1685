"""From values per frame to one figure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from studio.metrics.metric import Metric, Values


@dataclass(frozen=True)
class Summary:
    """One metric over all frames."""

    mean: float
    """Mean over the frames that count; NaN when none does."""
    frames: int
    """Frames that count."""
    penalised: int
    """Among them, frames whose rendering shows no face, which entered with the penalty."""


def summarise(metric: Metric, values: Values, missing: npt.NDArray[np.bool_] | None = None) -> Summary:
    """The mean over frames, in which a rendering without a face counts as badly as the worst one with.

    Args:
        metric: what was measured.
        values: ``[T]``; NaN where the frame has no value (no face in the *real* frame, no neighbour in
            time): those are left out.
        missing: ``[T]`` frames where a face was found in the real frame but none in the rendering. For
            metrics that need a face these enter with ``metric.worst`` or, where that is None, with the worst
            value found on other frames, so that losing the face never improves the mean. When no frame has a
            value at all the mean is NaN.
    """
    values = np.asarray(values, np.float64)
    known = values[~np.isnan(values)]
    lost = 0
    if missing is not None and metric.needs in ("landmarks", "motion", "identity"):
        lost = int((missing & np.isnan(values)).sum())
    if not len(known):
        return Summary(float("nan"), 0, lost)
    if lost:
        worst = metric.worst if metric.worst is not None else _worst(metric, known)
        known = np.concatenate([known, np.full(lost, worst)])
    return Summary(float(known.mean()), len(known), lost)


def _worst(metric: Metric, known: Values) -> float:
    """The worst of the known values in the metric's own direction."""
    farness = {
        "higher": -known,
        "lower": known,
        "near zero": np.abs(known),
        "near one": np.abs(known - 1.0),
    }[metric.better]
    return float(known[int(np.argmax(farness))])
