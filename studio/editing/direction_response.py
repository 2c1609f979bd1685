"""What a direction does to pictures, drawn and measured: how far a step goes, how far it can be followed."""

from __future__ import annotations

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

STEPS = (-3.0, -2.0, -1.0, 1.0, 2.0, 3.0)
"""How far latents are moved, in deviations of the person's own samples along the direction."""
_LOST = 0.1
"""Share of pictures in which nothing can be measured any more from which a step is too far."""
_FADED = 0.2
"""A step that gains less than this share of the first one is too far."""
CHANCE = 0.01
"""One-sided t-test over latents: a direction works when its effect would be chance less often than this."""


@dataclass(frozen=True, eq=False)
class Response:
    """How values change as K latents are moved along a direction, A values each."""

    steps: tuple[float, ...]
    """S of them, as STEPS."""
    change: Doubles
    """``[S, K, A]`` against the same latents unmoved; NaN where it cannot be told."""

    def slope(self, column: int) -> Doubles:
        """``[<=K]`` change for one step, from those up and down, of each latent where it can be told."""
        up, down = self.steps.index(1.0), self.steps.index(-1.0)
        each = (self.change[up, :, column] - self.change[down, :, column]) / 2.0
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

    def followed(self, column: int) -> tuple[float, float]:
        """The steps, downwards and upwards, up to which every further one still changes the value the right
        way by a fifth of what the first one changes, and is lost in a tenth of the pictures at most."""
        known = np.isfinite(self.change[..., column])
        lost = 1.0 - known.mean(1)
        middle = np.where(known, self.change[..., column], 0.0).sum(1) / np.maximum(known.sum(1), 1)
        wanted = _FADED * abs(float(np.mean(self.slope(column)))) if len(self.slope(column)) else np.inf
        ends = []
        for sign in (-1.0, 1.0):
            end, value = 0.0, 0.0
            for step in sorted((step for step in self.steps if sign * step > 0.0), key=abs):
                at = self.steps.index(step)
                gain = sign * (middle[at] - value) / (abs(step) - abs(end))
                if lost[at] > _LOST or gain < wanted:
                    break
                end, value = step, middle[at]
            ends.append(end)
        return ends[0], ends[1]


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
    """How much of a shift changes pictures as much as this person's own samples differ from each other.

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
    usual = float(np.abs(_pictures(person, others) - rest).mean())
    spread = float((samples.ws - samples.ws.mean(0)).norm(dim=-1).mean())
    length = float(np.linalg.norm(shift.rows, axis=1).mean())
    rows = torch.as_tensor(shift.rows, dtype=samples.ws.dtype, device=samples.ws.device)
    before, reached = 0.0, 0.0
    tried = [spread / length * 2.0**power for power in range(-4, 5)]
    for k, step in enumerate(tried):
        pictures = (_pictures(person, Samples(bases.ws + side * step * rows, moments)) for side in (-1, 1))
        now = float(np.mean([np.abs(picture - rest).mean() for picture in pictures]))
        progress(k + 1, len(tried), "trying the direction")
        if usual > 0.0 and now >= usual:
            # In between it is taken to grow evenly.
            start = tried[k - 1] if k else 0.0
            return start + (step - start) * (usual - before) / max(now - before, 1e-12), 1.0
        before, reached = now, max(reached, now)
    return tried[-1], reached / usual if usual > 0.0 else 0.0


def _pictures(person: LatentPerson, samples: Samples) -> Floats:
    return torch.cat(list(drawn(person, samples))).float().cpu().numpy()
