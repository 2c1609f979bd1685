"""From the channels' relevance to a direction: β by hand, or the one that changes least besides what was
asked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from studio.domain.edits import StyleShift
from studio.domain.problem import Problem
from studio.editing.clip_words import Clip
from studio.editing.edited_pictures import draw_edited
from studio.editing.identity_drift import IdentityMeter, mean_drift
from studio.editing.person import LatentPerson, Samples
from studio.editing.styleclip_steps import Steps

COUNTS = (4, 8, 16, 32, 64, 128, 256, 512)
"""Numbers of channels that an automatic β tries."""
LADDER = (0.5, 1.0, 2.0, 3.0)
"""Strengths at which each is drawn, as shares of the wish's."""
_ENOUGH = 0.5
"""Choices that reach less than this share of the largest gain are left out of the comparison."""


def direction(relevance: Tensor, deviation: Tensor, beta: float) -> Tensor:
    """The paper's manipulation vector: relevance below β to 0, divided by the largest, times the deviation.

    Args:
        relevance, deviation: ``[C]``.

    Returns:
        ``[C]``, to be added α times.

    Raises:
        Problem: no channel is left.
    """
    kept = torch.where(relevance.abs() >= beta, relevance, torch.zeros_like(relevance))
    largest = float(kept.abs().max())
    if largest == 0.0:
        most = float(relevance.abs().max())
        advice = f"choose a β below {most:.3f}" if most > 0 else "say it in other words"
        raise Problem(
            f"No channel of this person's generator is as relevant to these words as β = {beta:.3f} asks: "
            f"{advice}."
        )
    return kept / largest * deviation


@dataclass(frozen=True)
class Tried:
    """One β and what it would do."""

    beta: float
    """Its value."""
    channels: int
    """Channels that are left."""
    gain: float
    """The furthest that the pictures got along the words, as CLIP sees it."""
    cost: float | None
    """What else changed at the gain that all are compared at; None where it was not reached."""


@torch.no_grad()
def choose_beta(
    person: LatentPerson,
    clip: Clip,
    change: Tensor,
    relevance: Tensor,
    deviation: Tensor,
    alpha: float,
    meter: IdentityMeter | None,
    samples: Samples,
    steps: Steps,
) -> tuple[float, tuple[Tried, ...]]:
    """The β with the least cost for the same gain.

    Gain is how far the person's pictures move along the words in CLIP's space. Cost is the identity drift
    where it can be measured, because that is what users lose; otherwise how far the pictures move across the
    words in CLIP's
    space: everything else that CLIP saw change. Each β is drawn at several strengths, and costs are compared
    at one gain, because a direction of many channels is longer at the same α.

    Args:
        change: ``[E]`` of length one.
        relevance, deviation: ``[C]``.
        alpha: the wish's, whose sign counts.
        meter: identity network, or None.
        samples: typical moments of the person.
        steps: told ``len(COUNTS) * len(LADDER)``.

    Raises:
        Problem: no channel has to do with the words.
    """
    order = relevance.abs().sort(descending=True).values
    there = int((order > 0).sum())
    if not there:
        direction(relevance, deviation, 1.0)  # says so
    counts = sorted({min(count, there) for count in COUNTS})
    sign = -1.0 if alpha < 0 else 1.0
    plain = draw_edited(person, StyleShift(np.zeros(len(relevance), np.float32)), samples, 0.0)
    seen, known = clip.pictures(plain), meter.embed(plain) if meter else None
    curves, drawn = [], 0
    for count in counts:
        beta = float(order[count - 1])
        shift = StyleShift(direction(relevance, deviation, beta).cpu().numpy())
        points = [(0.0, 0.0)]
        for share in LADDER:
            pictures = draw_edited(person, shift, samples, share * (alpha or 1.0))
            moved = clip.pictures(pictures) - seen
            gain = sign * moved @ change.to(moved)
            cost: float | None = float((moved.square().sum(1) - gain.square()).clamp_min(0.0).sqrt().mean())
            if meter is not None and known is not None:
                cost = mean_drift(known, meter.embed(pictures))
            steps.took()
            drawn += 1
            if cost is None or float(gain.mean()) <= points[-1][0]:
                break  # the face is gone, or further steps lead nowhere
            points.append((float(gain.mean()), cost))
        curves.append((beta, points))
    steps.took(len(COUNTS) * len(LADDER) - drawn)
    tried = _compared(curves, relevance)
    reached = [one for one in tried if one.cost is not None]
    best = min(reached, key=lambda one: one.cost or 0.0) if reached else max(tried, key=lambda one: one.gain)
    return best.beta, tried


def _compared(curves: list[tuple[float, list[tuple[float, float]]]], relevance: Tensor) -> tuple[Tried, ...]:
    """Costs at the largest gain that every choice reaches, leaving out choices that hardly get anywhere."""
    ends = [points[-1][0] for _, points in curves]
    goal = min(end for end in ends if end >= _ENOUGH * max(ends))
    found = []
    for (beta, points), end in zip(curves, ends):
        gains, costs = zip(*points)
        cost = float(np.interp(goal, gains, costs)) if end >= goal > 0 else None
        found.append(Tried(beta, int((relevance.abs() >= beta).sum()), end, cost))
    return tuple(found)
