"""Global directions (Patashnik et al. 2021, section 6): channels of StyleSpace that move as the words say."""

from __future__ import annotations

from dataclasses import asdict

import torch
from torch import Tensor

from studio.devices import explaining_memory
from studio.domain.edits import Edit, StyleShift
from studio.editing.method import Workplace
from studio.editing.person import LatentPerson
from studio.editing.styleclip_beta import COUNTS, LADDER, Tried, choose_beta, direction
from studio.editing.styleclip_cache import kept_folder
from studio.editing.styleclip_result import begin, finish, finishing_steps
from studio.editing.styleclip_statistics import (
    measure,
    measuring_steps,
    relevance,
    slope_steps,
    slopes,
    statistics_settings,
)
from studio.editing.styleclip_steps import Steps
from studio.editing.styleclip_wishes import GlobalWish

LIMITS = (-10.0, 10.0)
"""Strengths α that are accepted."""
CAUTIOUS = (-2.0, 2.0)
"""Those that are suggested where identity cannot be measured."""


def find_direction(person: LatentPerson | None, wish: GlobalWish, workplace: Workplace) -> Edit:
    """A direction of StyleSpace from words; its strength is the paper's α.

    The person's statistics are measured on first use and kept in the workplace's cache.

    Raises:
        Problem: words that say nothing, no CLIP, a β that leaves no channel…
    """
    begun = begin(person, wish, workplace)
    person, clip, change = begun.person, begun.clip, begun.meaning.change
    folder = kept_folder(workplace.cache, "statistics", person, clip, statistics_settings(wish))
    trying = len(COUNTS) * len(LADDER) if wish.auto_beta else 0
    total = measuring_steps(person, clip, wish) + slope_steps(person, wish)
    total += trying + finishing_steps(begun, LIMITS)
    steps = Steps(workplace.progress, total, "Measuring the person's channels")
    with explaining_memory("Measuring the person's channels"):
        statistics = measure(person, clip, wish, folder, steps)
        steps.took(0, "Comparing channels with the words")
        along = slopes(person, clip, statistics, change, folder, steps)
    relevant = relevance(statistics, along, change)
    if not wish.colours:
        relevant = torch.where(colour_channels(person).to(relevant.device), 0.0, relevant)
    beta, tried = wish.beta, tuple[Tried, ...]()
    if wish.auto_beta:
        steps.took(0, "Choosing β")
        beta, tried = choose_beta(
            person,
            clip,
            change,
            relevant,
            statistics.deviation,
            wish.alpha,
            begun.meter,
            begun.judged,
            steps,
        )
    channels = direction(relevant, statistics.deviation, beta)
    steps.took(0, "Looking at the edit")
    figures = {
        "beta": beta,
        "channels": int((channels != 0).sum()),
        "of_channels": len(channels),
        "most_relevant": float(relevant.abs().max()),
        "beta_tried": [asdict(one) for one in tried],
    }
    effect = StyleShift(channels.cpu().numpy())
    return finish(
        begun, wish, "styleclip-global", effect, wish.alpha, LIMITS, CAUTIOUS, steps, figures=figures
    )


def colour_channels(person: LatentPerson) -> Tensor:
    """``[C]`` whether a channel is one of a toRGB layer: in the order of StyleSpace every third layer, the
    second first."""
    of_layer = [place % 3 == 1 for place in range(len(person.style_widths))]
    return torch.tensor(of_layer).repeat_interleave(torch.tensor(person.style_widths))
