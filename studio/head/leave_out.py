"""How well a head model fits people that it was not learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from studio.domain.camera import Floats
from studio.domain.progress import Progress, silent
from studio.head.fitting import PersonFitter, fit_landmarks
from studio.head.learning import LearnSettings, learn_head
from studio.head.model import HeadModel


@dataclass(frozen=True)
class FitFigures:
    """Mean landmark error (x and y, all points) of one clip; fractions of the distance between the irises."""

    full: float
    """Identity, offset and motion."""
    without_offset: float
    """Identity and motion."""
    rigid: float
    """Identity, offset and head pose only: what a mask that cannot move would leave."""
    template: float
    """The mean face with head pose only."""
    millimetres: float
    """``full`` in millimetres, for a person whose irises are 63 mm apart."""


def measure_fit(model: HeadModel, clip: Floats) -> FitFigures:
    """Fit a clip's landmarks ``[T, 478, 3]`` and measure what is left over."""
    fit = fit_landmarks(model, clip, np.ones(len(clip), bool))
    none = np.zeros_like(model.template)
    bare = PersonFitter(model, fit.identity, none)
    fixed = PersonFitter(model, fit.identity, fit.offset)
    mean = PersonFitter(model, np.zeros_like(fit.identity), none)
    full = float(fit.error.mean())
    return FitFigures(
        full,
        float(bare.error(clip, bare.fit(clip)).mean()),
        float(fixed.error(clip, fixed.fit(clip, pose_only=True)).mean()),
        float(mean.error(clip, mean.fit(clip, pose_only=True)).mean()),
        full * 63.0,
    )


def leave_people_out(
    people: Sequence[Sequence[Floats]],
    folds: int = 6,
    settings: LearnSettings | None = None,
    progress: Progress = silent,
) -> list[FitFigures]:
    """Learn without each fold of people in turn and fit them with what was learned from the others.

    Args:
        people: clips ``[T, 478, 3]`` of each person.
        folds: how many parts the people are divided into.
        settings: how models are learned.
        progress: told after every fold.

    Returns:
        One entry per person: the mean over their clips.
    """
    figures: dict[int, FitFigures] = {}
    for fold in range(folds):
        held = list(range(fold, len(people), folds))
        model = learn_head([p for i, p in enumerate(people) if i not in held], settings)
        for i in held:
            figures[i] = average([measure_fit(model, clip) for clip in people[i]])
        progress(fold + 1, folds, "leaving people out")
    return [figures[i] for i in sorted(figures)]


def average(figures: Sequence[FitFigures]) -> FitFigures:
    """Mean of each figure."""
    names = ("full", "without_offset", "rigid", "template", "millimetres")
    return replace(figures[0], **{n: float(np.mean([getattr(f, n) for f in figures])) for n in names})
