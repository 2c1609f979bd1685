"""Latents as points: some rows of W+, or their mean, each number centred and in its own deviations.

Standardised numbers are what directions are learnt in, and what "orthogonal" is meant in: a number that
hardly varies over a person says as much as one that varies much, and a direction turned back into latents
moves every number as much as the person does. Directions stay within what samples span; nothing is known
beyond.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from torch import Tensor

from studio.domain.edits import LatentShift
from studio.editing.layer_rows import RowGroup, rows_of, shift_of

Doubles = npt.NDArray[np.float64]

_STILL = 1e-6
"""Numbers that vary less than this share of the most varying one stand still; so do axes of the span."""


@dataclass(frozen=True, eq=False)
class LatentPoints:
    """How latents of a person become points with R coordinates, and directions among them become shifts.

    P numbers of a latent count: w_dim in W, where the mean over the rows stands for all, and those of all
    chosen rows in W+.
    """

    space: Literal["w", "w+"]
    """One shift for all chosen rows, or one for each."""
    rows: range
    """Rows that count and move."""
    num_ws: int
    """Rows of the generator."""
    mean: Doubles
    """``[P]`` over the samples."""
    deviation: Doubles
    """``[P]`` over the samples, times √P so that points are about as long as 1; 0 for what stands still."""
    axes: Doubles
    """``[R, P]`` orthonormal, standardised; strongest first."""

    @staticmethod
    def of(samples: Tensor, space: Literal["w", "w+"], group: RowGroup) -> LatentPoints:
        """From samples ``[N, num_ws, w_dim]``. Raises Problem for rows that there are none of."""
        rows = rows_of(group, samples.shape[1])
        numbers = _numbers(samples, space, rows)
        deviation = numbers.std(0)
        deviation[deviation <= _STILL * deviation.max()] = 0.0
        deviation *= np.sqrt(max(np.count_nonzero(deviation), 1))
        bare = LatentPoints(space, rows, samples.shape[1], numbers.mean(0), deviation, np.zeros((0, 0)))
        _, strengths, axes = np.linalg.svd(bare._standard(numbers), full_matrices=False)
        kept = axes[strengths > _STILL * max(strengths[0], 1e-12)]
        return LatentPoints(space, rows, samples.shape[1], bare.mean, deviation, kept)

    def points(self, ws: Tensor) -> Doubles:
        """``[N, R]`` of latents ``[N, num_ws, w_dim]``."""
        return self._standard(_numbers(ws, self.space, self.rows)) @ self.axes.T

    def shift(self, direction: Doubles) -> LatentShift:
        """A direction ``[R]`` as a shift of latents that moves points by it."""
        numbers = (direction @ self.axes) * self.deviation
        width = len(numbers) if self.space == "w" else len(numbers) // len(self.rows)
        return shift_of(numbers.reshape(-1, width).astype(np.float32), self.rows, self.num_ws)

    def direction(self, shift: LatentShift) -> Doubles:
        """``[R]`` where another shift takes points, as far as they can go there."""
        rows = np.broadcast_to(shift.rows, (self.num_ws, shift.rows.shape[1]))
        numbers = rows[self.rows.start : self.rows.stop].astype(np.float64)
        flat = numbers.mean(0) if self.space == "w" else numbers.reshape(-1)
        scale = np.where(self.deviation > 0.0, self.deviation, 1.0)
        return self.axes @ np.where(self.deviation > 0.0, flat / scale, 0.0)

    def _standard(self, numbers: Doubles) -> Doubles:
        scale = np.where(self.deviation > 0.0, self.deviation, 1.0)
        return np.where(self.deviation > 0.0, (numbers - self.mean) / scale, 0.0)


def _numbers(ws: Tensor, space: Literal["w", "w+"], rows: range) -> Doubles:
    chosen = ws[:, rows.start : rows.stop].detach().cpu().double().numpy()
    return chosen.mean(1) if space == "w" else chosen.reshape(len(chosen), -1)
