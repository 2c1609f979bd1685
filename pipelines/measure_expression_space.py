"""What an expression space leaves of who it is, and what of the expression, measured on a corpus.

*Who it is*: a linear classifier is taught to name the person from single frames. A clip's good frames, at
most a hundred spread over it, are cut into five stretches; it is taught by four and asked about the fifth,
each in turn. Of ten numbers less can be read than of 57, whatever they say, so the ten strongest principal
components of the same numbers, learnt from the same people, are asked beside them.

*The expression*: how mouth, brows and lids move, measured on the head model's mesh before and after the
numbers went there and back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.learn_expression_space import Expressions
from studio.domain.camera import Floats
from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem
from studio.engines.export3d.expression_space import ExpressionSpace
from studio.head import HeadModel
from studio.head.expression_numbers import with_numbers

FRAMES, STRETCHES = 100, 5
"""Frames of a clip that are looked at, at most, and how many stretches they are cut into."""
HANDLES = ("mouth_open", "smile", "brow_raise", "blink")
"""Movements that are compared before and after."""
RAW, SCALES, COMPONENTS = "57 numbers", "λ", "as many principal components"
"""Names of what is compared."""

Doubles = npt.NDArray[np.float64]
Told = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Survival:
    """What is left of a movement; means over clips."""

    correlation: float
    """Between before and after, within a clip."""
    size: float
    """Deviation after over deviation before."""


@dataclass(frozen=True)
class SpaceFigures:
    """What was found on some people."""

    people: int
    """How many they are."""
    clips: int
    """Of how many clips."""
    chance: float
    """Share of people who would be named rightly by chance."""
    named: Mapping[str, float]
    """By what is looked at: share of frames whose person is named rightly; every person counts the same."""
    between: Mapping[str, float]
    """By what is looked at: share of the numbers' variance that is between people, mean over numbers."""
    survival: Mapping[str, Mapping[str, Survival]]
    """By what the expression went through, then by handle."""


@dataclass(frozen=True, eq=False)
class Components:
    """The strongest principal components of what a space was learnt from."""

    mean: Floats
    """``[57]``"""
    directions: Floats
    """``[n, 57]``, orthonormal."""

    def scales(self, numbers: Floats) -> Floats:
        """``[T, 57]`` to ``[T, n]``."""
        return np.asarray((numbers - self.mean) @ self.directions.T, np.float32)

    def numbers(self, numbers: Floats) -> Floats:
        """There and back."""
        return np.asarray(self.mean + self.scales(numbers) @ self.directions, np.float32)


def components_of(clips: Sequence[Expressions], count: int) -> Components:
    """``count`` components of clips, every clip counting the same."""
    seen = [_looked_at(clip.numbers).astype(np.float64) for clip in clips]
    mean = np.mean([numbers.mean(0) for numbers in seen], 0)
    spread = np.concatenate([(numbers - mean) / len(numbers) ** 0.5 for numbers in seen])
    directions = np.linalg.svd(spread, full_matrices=False)[2]
    return Components(np.asarray(mean, np.float32), np.asarray(directions[:count], np.float32))


def measure_space(
    clips: Sequence[Expressions], space: ExpressionSpace, components: Components, model: HeadModel
) -> SpaceFigures:
    """Measure a space on some people.

    Args:
        clips: theirs.
        space: what is measured.
        components: what stands beside it.
        model: the head model.

    Raises:
        Problem: fewer than two of them have frames enough.
    """
    used = [clip for clip in clips if len(clip.numbers) >= STRETCHES]
    people = sorted({clip.identity for clip in used})
    if len(people) < 2:
        raise Problem(
            "Who it is can only be told where there are two people or more: prepare clips of more people, "
            "and of more than a moment."
        )
    looks: dict[str, Told] = {
        RAW: lambda numbers: numbers,
        SCALES: space.there.scales,
        COMPONENTS: components.scales,
    }
    ways: dict[str, Told] = {SCALES: space.numbers, COMPONENTS: components.numbers}
    return SpaceFigures(
        people=len(people),
        clips=len(used),
        chance=1.0 / len(people),
        named={name: named_rightly(used, look) for name, look in looks.items()},
        between={name: between_people(used, look) for name, look in looks.items()},
        survival={name: survival(used, way, model) for name, way in ways.items()},
    )


def named_rightly(clips: Sequence[Expressions], look: Told) -> float:
    """Share of frames whose person a linear classifier names, see the module; everybody counts the same."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    seen, who, stretch = _together(clips, look)
    right: dict[str, list[bool]] = {}
    for away in range(STRETCHES):
        asked = stretch == away
        scale = seen[~asked].std(0).clip(1e-9)
        classifier = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=1e-3)
        classifier.fit(seen[~asked] / scale, who[~asked])
        for person, said in zip(who[asked], classifier.predict(seen[asked] / scale)):
            right.setdefault(str(person), []).append(bool(person == said))
    return float(np.mean([np.mean(answers) for answers in right.values()]))


def between_people(clips: Sequence[Expressions], look: Told) -> float:
    """Share of variance that lies between people's means; mean over numbers, everybody counting the same."""
    seen, who, _ = _together(clips, look)
    means, within = [], []
    for person in np.unique(who):
        own = seen[who == person]
        means.append(own.mean(0))
        within.append(own.var(0))
    between = np.var(means, 0)
    return float((between / (between + np.mean(within, 0)).clip(1e-12)).mean())


def survival(clips: Sequence[Expressions], way: Told, model: HeadModel) -> dict[str, Survival]:
    """What is left of each handle's movement where numbers went through ``way``; clips in which it does not
    move say nothing."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in HANDLES}
    for clip in clips:
        numbers = _looked_at(clip.numbers)
        before, after = (_amounts(values, model) for values in (numbers, way(numbers)))
        for column, name in enumerate(HANDLES):
            own, left = before[:, column], after[:, column]
            if own.std() > 1e-6 and left.std() > 1e-9:
                found[name].append((float(np.corrcoef(own, left)[0, 1]), float(left.std() / own.std())))
    return {
        name: Survival(*(float(value) for value in np.mean(rows, 0))) if rows else Survival(0.0, 0.0)
        for name, rows in found.items()
    }


def _amounts(numbers: Floats, model: HeadModel) -> Doubles:
    """``[T, handles]`` how much of each handle is seen: displacements of the mean face's mesh, projected onto
    those of the handle."""
    still = HeadMotion.neutral(1, np.array([1.0, 0.0, 0.0], np.float32))
    moved = with_numbers(HeadMotion.neutral(len(numbers), still.camera[0]), numbers, model)
    shown = (model.deform(model.template, moved) - model.template).reshape(len(numbers), -1)
    columns = []
    for name in HANDLES:
        wanted = model.deform(model.template, model.handles[name].apply(still, 1.0)) - model.template
        flat = wanted.reshape(-1).astype(np.float64)
        columns.append(shown @ flat / (flat @ flat))
    return np.stack(columns, 1)


def _looked_at(numbers: Floats) -> Floats:
    """At most so many frames, spread over all."""
    return numbers[np.linspace(0, len(numbers) - 1, min(FRAMES, len(numbers))).round().astype(int)]


def _together(
    clips: Sequence[Expressions], look: Told
) -> tuple[Doubles, npt.NDArray[np.str_], npt.NDArray[np.intp]]:
    """Numbers ``[N, m]``, whose they are and which stretch of their clip they are from."""
    seen = [np.asarray(look(_looked_at(clip.numbers)), np.float64) for clip in clips]
    who = [np.full(len(each), clip.identity) for each, clip in zip(seen, clips)]
    stretch = [np.arange(len(each)) * STRETCHES // len(each) for each in seen]
    return np.concatenate(seen), np.concatenate(who), np.concatenate(stretch)
