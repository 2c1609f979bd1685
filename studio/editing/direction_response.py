"""What a direction does to pictures, drawn and measured: how far a step goes, how far it can be followed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from studio.domain.camera import Floats
from studio.domain.edits import LatentShift
from studio.domain.progress import Progress, silent
from studio.editing.person import LatentPerson, Samples
from studio.editing.scored_samples import Scores, drawn, scored

Doubles = npt.NDArray[np.float64]

STEPS = (-16.0, -8.0, -4.0, -2.0, -1.0, 1.0, 2.0, 4.0, 8.0, 16.0)
"""How far latents are moved, in deviations of the person's own samples along the direction. Two are far where
pictures follow readily; a correction laid over a guide can take sixteen before anything shows."""
_NEAR = 4.0
"""Steps up to which the slope is read."""
_LOST = 0.1
"""Share of pictures in which nothing can be measured any more from which a step is too far."""
_FADED = 0.2
"""A step that gains less than this share of what the slope promises is too far."""
KEPT = 0.1
"""Share of its range over the clip by which what must stay may move."""
CHANCE = 0.01
"""One-sided t-test over latents: a direction works when its effect would be chance less often than this."""
VISIBLE = 0.02
"""Mean difference of pictures, of -1..1, that is called visible where a person's samples differ less."""


@dataclass(frozen=True, eq=False)
class Response:
    """How values change as K latents are moved along a direction, A values each."""

    steps: tuple[float, ...]
    """S of them, as STEPS; 0 is not among them."""
    change: Doubles
    """``[S, K, A]`` against the same latents unmoved; NaN where it cannot be told."""

    def slope(self, column: int) -> Doubles:
        """``[<=K]`` change for one step, of each latent where it can be told: least squares through rest."""
        near = np.abs(self.steps) <= _NEAR
        steps = np.array(self.steps)[near]
        each = steps @ self.change[near, :, column] / (steps @ steps)
        return np.asarray(each[np.isfinite(each)], np.float64)

    def chance(self, column: int) -> float:
        """How often so clear a rise would come of a direction that does nothing: one-sided t-test of the
        slopes over latents; 1 with fewer than three."""
        each = self.slope(column)
        if len(each) < 3:
            return 1.0
        if np.ptp(each) == 0.0:
            return 0.0 if each[0] > 0.0 else 1.0
        from scipy.stats import ttest_1samp

        return float(ttest_1samp(each, 0.0, alternative="greater").pvalue)

    def mean(self, column: int) -> Doubles:
        """``[S]`` change over the latents of which it can be told; NaN where of none."""
        known = np.isfinite(self.change[..., column])
        total = np.where(known, self.change[..., column], 0.0).sum(1)
        return np.where(known.any(1), total / np.maximum(known.sum(1), 1), np.nan)

    def followed(self, column: int, most: Mapping[int, float]) -> tuple[float, float]:
        """The steps, downwards and upwards, up to which every further one still changes a value the right way
        by a fifth of what the slope promises, loses a tenth of the pictures at most, and moves others little.

        Args:
            column: the value.
            most: how much other columns may change.
        """
        each = self.slope(column)
        if len(each) == 0:
            return 0.0, 0.0
        wanted = _FADED * float(each.mean())
        lost = 1.0 - np.isfinite(self.change[..., column]).mean(1)
        means, others = self.mean(column), {other: self.mean(other) for other in most}
        ends = []
        for sign in (-1.0, 1.0):
            end, value = 0.0, 0.0
            for step in sorted((step for step in self.steps if sign * step > 0.0), key=abs):
                at = self.steps.index(step)
                gain = sign * (means[at] - value) / (abs(step) - abs(end))
                moved = any(not abs(others[other][at]) <= limit for other, limit in most.items())
                if lost[at] > _LOST or not gain >= wanted or moved:
                    break
                end, value = step, float(means[at])
            ends.append(end)
        return ends[0], ends[1]

    def steps_for(self, column: int, change: float, end: float) -> tuple[float, float]:
        """Steps upwards, to ``end`` at most, that change a value by so much, and by how much they do; in
        between it is taken to grow evenly."""
        means = self.mean(column)
        way = [(step, float(means[self.steps.index(step)])) for step in self.steps if 0.0 < step <= end]
        before, value = 0.0, 0.0
        for step, now in way:
            if now >= change:
                return before + (step - before) * (change - value) / (now - value), change
            before, value = step, now
        return before, value


def respond(
    person: LatentPerson,
    shift: LatentShift,
    bases: Samples,
    scores: Scores,
    steps: tuple[float, ...] = STEPS,
    progress: Progress = silent,
) -> Response:
    """Move latents along a direction, draw and measure them.

    Args:
        person: draws.
        shift: one step.
        bases: K latents, with the moments in which they are drawn.
        scores: what to measure.
        steps: how many of ``shift``; -1 and 1 among them.
        progress: told after every step.
    """
    rest = scored(person, bases, scores)
    rows = torch.as_tensor(shift.rows, dtype=bases.ws.dtype, device=bases.ws.device)
    change = []
    for k, step in enumerate(steps):
        moved = Samples(bases.ws + step * rows, bases.moments)
        change.append(scored(person, moved, scores).astype(np.float64) - rest)
        progress(k + 1, len(steps), "trying the direction")
    return Response(steps, np.stack(change))


def visible_step(
    person: LatentPerson, shift: LatentShift, samples: Samples, progress: Progress = silent
) -> tuple[float, float]:
    """How much of a shift changes pictures as much as this person's own samples differ from each other, or by
    VISIBLE, whichever is more.

    Args:
        person: draws.
        shift: of any length.
        samples: at least 4, the first half of them moved.
        progress: told after every step.

    Returns:
        The multiple, and the share of that change which it reaches: 1, or less where no multiple that was
        tried does; 0 for a shift without effect.
    """
    half = len(samples) // 2
    moments = samples.moments[:half]
    bases = Samples(samples.ws[:half], moments)
    others = Samples(samples.ws[half : 2 * half], moments)
    rest = _pictures(person, bases)
    wanted = max(float(np.abs(_pictures(person, others) - rest).mean()), VISIBLE)
    spread = float((samples.ws - samples.ws.mean(0)).norm(dim=-1).mean())
    length = float(np.linalg.norm(shift.rows, axis=1).mean())
    rows = torch.as_tensor(shift.rows, dtype=samples.ws.dtype, device=samples.ws.device)
    before, reached = 0.0, 0.0
    tried = [spread / length * 2.0**power for power in range(-4, 5)]
    for k, step in enumerate(tried):
        pictures = (_pictures(person, Samples(bases.ws + side * step * rows, moments)) for side in (-1, 1))
        now = float(np.mean([np.abs(picture - rest).mean() for picture in pictures]))
        progress(k + 1, len(tried), "trying the direction")
        if now >= wanted:
            # In between it is taken to grow evenly.
            start = tried[k - 1] if k else 0.0
            return start + (step - start) * (wanted - before) / max(now - before, 1e-12), 1.0
        before, reached = now, max(reached, now)
    return tried[-1], reached / wanted


def _pictures(person: LatentPerson, samples: Samples) -> Floats:
    return torch.cat(list(drawn(person, samples))).float().cpu().numpy()
