"""Directions learnt from a person's own samples (InterfaceGAN, Shen et al. 2020) and tried on others of them.

The scheme: latents of the person are drawn in usual moments; those with the most and the least of something,
compared within their moment, are told apart by a linear boundary; its normal is the direction. What must stay
(other attributes, other edits) is projected out. Then latents that were not learnt from are moved along it
and drawn: that says how long one step must be, how far it can be followed, and what else it moves.

In a personal generator most things go along with pose and expression, because they are all that its clip
varies. Hence callers have pose and expression measured in the same pictures, and projected out unless one of
them is what is wanted; the figures say what that changed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from torch import Tensor

from studio.domain.edits import LatentShift
from studio.domain.problem import Problem
from studio.domain.progress import Progress, silent
from studio.editing import boundary
from studio.editing.attributes import ATTRIBUTES
from studio.editing.direction_response import CHANCE, KEPT, Response, respond, visible_step
from studio.editing.latent_points import LatentPoints
from studio.editing.layer_rows import RowGroup
from studio.editing.person import LatentPerson
from studio.editing.scored_samples import Scores, in_usual_moments, readable, scored, within_moments

Doubles = npt.NDArray[np.float64]

FEWEST = 40
"""Samples that must be readable."""
_TRIED = 12
"""Latents that a direction is tried on."""
_TOLD = 0.05
"""A value of which latents tell less than this share of the variance is not theirs to move: nothing is
projected out for it."""

_LITTLE = 0.3
"""Share of the clip's deviation below which a direction is said to do little."""
_SEPARABLE = 0.35
"""Length that must be left of a direction without something that need not stay at any price: with less, it
would have to go three times as far."""


@dataclass(frozen=True)
class Judged:
    """Latents with somebody's own yes or no."""

    ws: Tensor
    """``[B, num_ws, w_dim]``."""
    liked: npt.NDArray[np.bool_]
    """``[B]`` yes or no."""


@dataclass(frozen=True)
class Learning:
    """How a direction is learnt."""

    space: Literal["w", "w+"] = "w+"
    """One shift for all rows, or one for each."""
    rows: RowGroup = "all"
    """Rows that move."""
    samples: int = 600
    """Latents that are drawn."""
    extreme: float = 0.25
    """Share of the samples, at each end, that the boundary is learnt from."""
    seed: int = 0
    """Of samples and folds."""


@dataclass(frozen=True, eq=False)
class Learnt:
    """A direction, and what it does."""

    shift: LatentShift
    """Of strength 1."""
    suggested: tuple[float, float]
    """Strengths to which it can be followed."""
    found: dict[str, Any]
    """Figures, as JSON values."""


def learn_direction(
    person: LatentPerson,
    wanted: Scores | Judged,
    kept: Scores,
    learning: Learning,
    edits: Sequence[tuple[str, LatentShift]] = (),
    if_possible: Collection[str] = (),
    cache: Path | None = None,
    progress: Progress = silent,
) -> Learnt:
    """Learn a direction.

    Args:
        person: samples and draws.
        wanted: one column, or judged latents.
        kept: values that must stay; may have no columns.
        learning: how.
        edits: names and effects of other edits that must not be contained.
        if_possible: which of ``kept`` may move after all, where next to nothing would be left without them:
            in a clip whose smiles all open the mouth, the two are one.
        cache: folder of this person.
        progress: told often.

    Returns:
        The direction. Strength 1 is one standard deviation of what is wanted over all samples in all moments,
        or as much of that as it can be followed. Where somebody judged, it changes pictures as much as the
        person's samples differ from each other.

    Raises:
        Problem: too few pictures can be measured, the latents do not tell what is wanted any better than
            chance, nothing is left of it without what must stay, or moving along it does not change it.
    """
    scores = wanted.and_then(kept) if isinstance(wanted, Scores) else kept
    first = 1 if isinstance(wanted, Scores) else 0
    samples = in_usual_moments(person, person.sample(learning.samples, learning.seed))
    values = scored(person, samples, scores, cache, progress)
    good = readable(values, scores.names, min(FEWEST, learning.samples))
    within = within_moments(values, samples.moments)[good].astype(np.float64)
    ws = samples.ws[np.flatnonzero(good)]
    if isinstance(wanted, Judged):
        # What was judged may lie where no sample does: both together say what latents can be.
        space = LatentPoints.of(_joined(ws, wanted.ws), learning.space, learning.rows)
        line = boundary.train_boundary(space.points(wanted.ws), wanted.liked, learning.seed)
    else:
        space = LatentPoints.of(ws, learning.space, learning.rows)
        rows, has = boundary.extremes(within[:, 0], learning.extreme)
        _must_vary(within[:, 0], scores.names[0])
        line = boundary.train_boundary(space.points(ws[rows]), has, learning.seed)
    _must_tell(line, isinstance(wanted, Judged))
    points = space.points(ws)
    ways = _ways(space, points, within[:, first:], scores.names[first:], edits)
    direction, told = _freed(line.normal, ways, if_possible)

    bases = in_usual_moments(person, person.sample(_TRIED, learning.seed + 1))
    sigma = float((points @ direction).std())
    if sigma <= 0.0:
        raise Problem("This person's samples do not vary along the direction: take more, or all rows.")
    response = respond(person, space.shift(sigma * direction), bases, scores, progress=progress)
    before = response
    if told:
        plain = space.shift(float((points @ line.normal).std()) * line.normal)
        before = respond(person, plain, bases, scores, (-2.0, 2.0))
    found: dict[str, Any] = {
        "samples": len(good),
        "left_out": int((~good).sum()),
        "accuracy": round(line.accuracy, 4),
        "chance": line.chance,
        "learnt_from": line.count,
        "kept": told,
        "inseparable": [name for name, _ in ways if name not in told],
    }
    if line.weak:
        found["weak"] = "Latents hardly tell this apart: expect little, and something else along with it."
    shown = np.percentile(values[good], 95, axis=0) - np.percentile(values[good], 5, axis=0)
    spans = np.maximum(shown, [ATTRIBUTES[n].least if n in ATTRIBUTES else 0.0 for n in scores.names])
    if isinstance(wanted, Judged):
        steps, _ = visible_step(person, space.shift(sigma * direction), bases, progress)
        low, high = -1.0, 1.0
    else:
        most = {k: KEPT * float(spans[k]) for k, name in enumerate(scores.names) if name in told}
        steps, low, high = _measured(response, scores.names[0], values[good, 0], within[:, 0], most, found)
    found["deviations"] = round(steps, 4)
    found["moves"] = _moves(before, response, steps, scores.names, spans, first)
    return Learnt(space.shift(steps * sigma * direction), (low, high), found)


def _ways(
    space: LatentPoints,
    points: Doubles,
    values: Doubles,
    names: Sequence[str],
    edits: Sequence[tuple[str, LatentShift]],
) -> list[tuple[str, Doubles]]:
    """Where what must stay would go ``[R]``, by name; values that latents do not move are left out."""
    found = []
    for k, name in enumerate(names):
        way, share = boundary.gradient(points, values[:, k])
        if share >= _TOLD:
            found.append((name, way))
    return [*found, *((name, space.direction(shift)) for name, shift in edits)]


def _freed(
    normal: Doubles, ways: Sequence[tuple[str, Doubles]], if_possible: Collection[str]
) -> tuple[Doubles, list[str]]:
    """A normal without what must stay, and the names of that. Raises Problem when next to nothing is left."""
    chosen = [(name, way) for name, way in ways if name not in if_possible]
    direction = boundary.without(normal, [way for _, way in chosen])
    for name, way in ways:
        if name in if_possible:
            left = boundary.left_of(normal, [*(other for _, other in chosen), way])
            length = float(np.linalg.norm(left))
            if length >= _SEPARABLE:
                direction, chosen = left / length, [*chosen, (name, way)]
    return direction, [name for name, _ in chosen]


def _measured(
    response: Response,
    name: str,
    values: npt.NDArray[np.floating],
    within: Doubles,
    most: Mapping[int, float],
    found: dict[str, Any],
) -> tuple[float, float, float]:
    """Steps in strength 1, and the strengths to which it can be followed; figures go into ``found``.

    ``values`` are those of the samples, and within their moments; ``most`` is how far other columns may go.
    """
    usual = float(values.std())
    share = float(within.std()) / usual
    chance = response.chance(0)
    low, high = response.followed(0, most)
    if chance >= CHANCE or high <= 0.0:
        title = ATTRIBUTES[name].title if name in ATTRIBUTES else name
        raise Problem(
            f"Moving latents does not change “{title}” of this avatar, or not without what must stay: of its "
            f"spread over the clip {100.0 * share:.0f} % is the latents' doing; "
            + (
                "the rest is drawn by warping, so use the avatar's controls, or edits of shape and colour."
                if share < _LITTLE
                else "take more samples, other rows, or ask for less to stay."
            )
        )
    steps, change = response.steps_for(0, usual, high)
    found.update(
        latents_share=round(share, 4),
        strength_1=round(change, 5),
        share_of_clip=round(change / usual, 4),
        slope_chance=chance,
    )
    if change < _LITTLE * usual:
        found["note"] = (
            f"Latents of this avatar move it little: at strength 1 by {100.0 * change / usual:.0f} % of what "
            "is usual over the clip."
        )
    return steps, round(low / steps, 3) + 0.0, round(high / steps, 3) + 0.0


def _moves(
    before: Response, after: Response, steps: float, names: Sequence[str], spans: Doubles, first: int
) -> dict[str, list[float]]:
    """By how much strength 1 moves each value, as a share of its range over the clip (5th to 95th
    percentile): before what must stay was projected out, for as much of what is wanted, and after."""
    out, own = {}, (_mean(before.slope(0)), _mean(after.slope(0))) if first else (1.0, 1.0)
    for k, name in enumerate(names):
        pair = []
        for response, rate in zip((before, after), own):
            same = steps * own[1] / rate if abs(rate) > 1e-12 else 0.0
            pair.append(round(same * _mean(response.slope(k)) / max(float(spans[k]), 1e-12), 4))
        out[name] = pair
    return out


def _mean(values: Doubles) -> float:
    return float(values.mean()) if len(values) else 0.0


def _must_tell(line: boundary.Boundary, judged: bool) -> None:
    if not line.by_chance:
        return
    do = "judge more pictures" if judged else "take more samples, or something that varies in this clip"
    raise Problem(
        f"This person's latents do not tell it: the boundary is right in {100 * line.accuracy:.0f} % of "
        f"pictures that it was not learnt from, which random labels reach with probability {line.chance:.2g} "
        f"(by Fisher's exact or a permutation test; {boundary.CHANCE:g} is the limit); {do}."
    )


def _must_vary(values: Doubles, name: str) -> None:
    if float(np.ptp(values)) <= 1e-9:
        raise Problem(f"“{name}” is the same in every picture of this person, so no direction can be learnt.")


def _joined(one: Tensor, other: Tensor) -> Tensor:
    import torch

    return torch.cat([one, other.to(one)])
