"""The way back from CLeBS' coefficients to expressions, learnt from the clips that a base model has learnt
from: with it, other engines can be driven through that space."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from studio.corpus.corpus import CorpusClip
from studio.domain.camera import Floats
from studio.domain.problem import Problem
from studio.engines.export3d.expression_space import WayBack, load_layers, save_way_back
from studio.engines.export3d.settings import Export3DSettings
from studio.engines.export3d.shelf import SHELF
from studio.head import HeadModel, builtin_head
from studio.head.expression_numbers import expression_numbers

STRENGTHS = (1e-6, 1e-3, 1e-2, 0.1, 0.3, 1.0, 3.0)
"""Of the ridge, over coefficients of deviation one; the one that serves people left out best is taken."""
FOLDS = 5
"""Groups of people that are left out in turn."""

Scales = Callable[[Floats], npt.NDArray[np.floating]]
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Expressions:
    """Good frames of one clip."""

    identity: str
    """Whose face it is."""
    numbers: Floats
    """``[T, 57]``"""


def expressions_of(clips: Sequence[CorpusClip], model: HeadModel) -> list[Expressions]:
    """What faces express in clips' good frames; clips without any are passed over. Raises Unreadable."""
    found = [Expressions(clip.identity, expression_numbers(clip.motion, model)[clip.good]) for clip in clips]
    return [each for each in found if len(each.numbers)]


def learn_way_back(scales: Scales, clips: Sequence[Expressions]) -> WayBack:
    """Ridge regression from coefficients to the 57 numbers, over everybody at once.

    Over everybody, because the mean expression that has given coefficients is asked for: what people differ
    by while coefficients are equal averages out. Everybody counts the same, however long their clips are.
    Linear: squares of coefficients made people left out worse.

    Args:
        scales: the way there, ``[T, 57]`` to ``[T, n]``.
        clips: of the people who were learnt from.

    Raises:
        Problem: there are no clips.
    """
    if not clips:
        raise Problem("A way back from coefficients to expressions cannot be learnt from no clips.")
    people = sorted({clip.identity for clip in clips})
    told = [np.asarray(scales(clip.numbers), np.float64) for clip in clips]
    folds = [{*people[first::FOLDS]} for first in range(min(FOLDS, len(people)))] if len(people) > 1 else []

    def left_out(strength: float) -> float:
        return sum(_error(_fitted(clips, told, strength, away), clips, told, away) for away in folds)

    strength = min(STRENGTHS, key=left_out)
    centre, mean, weight = (values.astype(np.float32) for values in _fitted(clips, told, strength, set()))
    return WayBack(centre, mean, weight, people=len(people), strength=strength)


def keep_way_back(folder: Path, clips: Sequence[CorpusClip], model: HeadModel | None = None) -> None:
    """Learn the way back of the base model in a folder and write it there. A model whose coefficients were
    not learnt by contrast gets none: nothing made them free of who it is.

    Args:
        folder: of an Export3D base model.
        clips: those that the model has learnt from, and no others.
        model: the head model; None for the built-in one.

    Raises:
        Problem: the model is damaged, or there are no clips.
    """
    settings, _ = SHELF.at(folder).read(Export3DSettings)
    if settings.encoding == "clebs":
        found = expressions_of(clips, model or builtin_head())
        save_way_back(folder, learn_way_back(load_layers(folder).scales, found))


def _fitted(
    clips: Sequence[Expressions], told: Sequence[Doubles], strength: float, away: set[str]
) -> tuple[Doubles, Doubles, Doubles]:
    """Centre ``[n]``, mean ``[57]`` and weight ``[n, 57]``, without some people."""
    used = [number for number, clip in enumerate(clips) if clip.identity not in away]
    frames: dict[str, int] = {}
    for number in used:
        frames[clips[number].identity] = frames.get(clips[number].identity, 0) + len(told[number])
    shares = [np.full(len(told[k]), 1.0 / frames[clips[k].identity]) for k in used]
    share = np.concatenate(shares) / len(frames)
    scales = np.concatenate([told[k] for k in used])
    numbers = np.concatenate([clips[k].numbers for k in used]).astype(np.float64)
    centre, mean = share @ scales, share @ numbers
    deviation = np.sqrt(share @ (scales - centre) ** 2).clip(1e-9)
    usual = (scales - centre) / deviation
    gram = (usual * share[:, None]).T @ usual + strength * np.eye(len(centre))
    solved = np.linalg.solve(gram, (usual * share[:, None]).T @ (numbers - mean))
    return centre, mean, solved / deviation[:, None]


def _error(
    fitted: tuple[Doubles, Doubles, Doubles],
    clips: Sequence[Expressions],
    told: Sequence[Doubles],
    away: set[str],
) -> float:
    """Mean square over clips of the people left out."""
    centre, mean, weight = fitted
    errors = [
        float(np.square(mean + (scales - centre) @ weight - clip.numbers).mean())
        for clip, scales in zip(clips, told)
        if clip.identity in away
    ]
    return float(np.sum(errors))
