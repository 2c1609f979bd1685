"""Boundaries between latents that have something and those that have not (Shen et al. 2020, InterfaceGAN)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from studio.domain.problem import Problem

Doubles = npt.NDArray[np.float64]
Labels = npt.NDArray[np.bool_]

CHANCE = 0.01
"""A boundary counts when so good a cross-validation would come out of random labels less often than this."""
NEAR_CHANCE = 0.65
"""Balanced accuracy below which a boundary is called weak."""
FOLDS = 5
"""Parts of the cross-validation."""
FEWEST = 6
"""Of each label: with five, even the clearest difference comes out of every 126th set of random labels."""
_CLEAR, _DOUBTFUL = 1e-6, 0.1
"""Between these Fisher's test decides nothing: answers of cross-validation depend on each other, so that it
lets random labels pass two or three times as often as it says. Labels are then shuffled in earnest."""
_SHUFFLES, _ENOUGH = 299, 5
"""Shuffles at most, and how many of them that are as good end the search (Besag and Clifford 1991)."""
_LEFT = 0.1
"""A direction that keeps less of its length than this without the others is one of them."""
_DEPENDENT = 1e-6


@dataclass(frozen=True, eq=False)
class Boundary:
    """A hyperplane between two sets of points."""

    normal: Doubles
    """``[R]`` of length 1, towards the points that have it."""
    accuracy: float
    """Mean over both labels of the share told rightly in cross-validation, 0..1; chance is 0.5."""
    chance: float
    """How often random labels would be told as well as this: one-sided Fisher's exact test of cross-validated
    answers against the labels, and where that is not clear, a permutation test."""
    count: int
    """Points it was learnt from."""

    @property
    def by_chance(self) -> bool:
        """Whether it cannot be told from a boundary of random labels."""
        return self.chance >= CHANCE

    @property
    def weak(self) -> bool:
        """Whether it tells little more than chance would."""
        return self.accuracy < NEAR_CHANCE


def train_boundary(points: Doubles, labels: Labels, seed: int = 0) -> Boundary:
    """A linear support vector machine with squared hinge loss, both labels weighing the same.

    Args:
        points: ``[N, R]``, about as long as 1.
        labels: ``[N]``, at least FEWEST of each.
        seed: of the folds.
    """
    from scipy.stats import fisher_exact
    from sklearn.model_selection import StratifiedKFold
    from sklearn.svm import LinearSVC

    fewest = int(min(labels.sum(), (~labels).sum()))
    if fewest < FEWEST:
        raise ValueError(f"a boundary needs {FEWEST} points of each label, not {fewest}")
    machine = LinearSVC(C=1.0, class_weight="balanced", max_iter=20_000, random_state=seed)
    folds = StratifiedKFold(min(FOLDS, fewest), shuffle=True, random_state=seed)

    def told(truth: Labels) -> tuple[float, Any]:
        """Balanced accuracy of cross-validated answers, and the answers as a table."""
        answers = np.zeros(len(truth), bool)
        for learnt, asked in folds.split(points, truth):
            machine.fit(points[learnt], truth[learnt])
            answers[asked] = points[asked] @ machine.coef_[0] + machine.intercept_[0] > 0.0
        table = [[int((answers & side).sum()), int((~answers & side).sum())] for side in (truth, ~truth)]
        return (table[0][0] / truth.sum() + table[1][1] / (~truth).sum()) / 2.0, table

    accuracy, table = told(labels)
    chance = float(fisher_exact(table, alternative="greater").pvalue)
    if _CLEAR < chance < _DOUBTFUL:
        shuffle, as_good, done = np.random.default_rng(seed), 0, 0
        while done < _SHUFFLES and as_good < _ENOUGH:
            as_good += told(shuffle.permutation(labels))[0] >= accuracy
            done += 1
        chance = as_good / done if as_good == _ENOUGH else (1 + as_good) / (1 + done)
    normal = machine.fit(points, labels).coef_[0]
    length = max(float(np.linalg.norm(normal)), 1e-300)
    return Boundary(np.asarray(normal / length, np.float64), float(accuracy), chance, len(labels))


def extremes(values: Doubles, share: float) -> tuple[npt.NDArray[np.intp], Labels]:
    """The rows with the lowest and highest values, a share of all for each, and which of them are high.

    Args:
        values: ``[N]``, finite.
        share: 0..0.5.
    """
    count = max(1, min(int(len(values) * share), len(values) // 2))
    order = np.argsort(values, kind="stable")
    rows = np.concatenate([order[:count], order[-count:]])
    return rows, np.arange(2 * count) >= count


def gradient(points: Doubles, values: Doubles) -> tuple[Doubles, float]:
    """Where values rise: ridge regression, as strong as leaving one out says.

    Args:
        points: ``[N, R]``, about as long as 1.
        values: ``[N]``.

    Returns:
        ``[R]`` of length 1, and the share of the values' variance that is told of left out points, at most 1
        and below 0 where nothing is.
    """
    from sklearn.linear_model import RidgeCV

    ridge = RidgeCV(alphas=np.logspace(-5, 2, 15)).fit(points, values)
    told = 1.0 + float(ridge.best_score_) / max(float(np.var(values)), 1e-300)
    length = max(float(np.linalg.norm(ridge.coef_)), 1e-300)
    return np.asarray(ridge.coef_ / length, np.float64), told


def without(direction: Doubles, others: Sequence[Doubles]) -> Doubles:
    """A direction without what it shares with others; see :func:`left_of`.

    Returns:
        ``[R]`` of length 1.

    Raises:
        Problem: next to nothing is left of it.
    """
    left = left_of(direction, others)
    length = float(np.linalg.norm(left))
    if length < _LEFT:
        raise Problem(
            "Nothing is left of this direction without the others: with this person they are the same; "
            "name fewer others."
        )
    return np.asarray(left / length, np.float64)


def left_of(direction: Doubles, others: Sequence[Doubles]) -> Doubles:
    """What is left of a direction off the span of others, by QR (Shen et al., section 3.3).

    Args:
        direction: ``[R]``.
        others: any number of ``[R]``; they may depend on each other.

    Returns:
        ``[R]``, as long as the share that is left.
    """
    from scipy.linalg import qr

    left = direction / np.linalg.norm(direction)
    lengths = [float(np.linalg.norm(other)) for other in others]
    span = [other / size for other, size in zip(others, lengths) if size > 0.0]
    if not span:
        return left
    basis, triangle, _ = qr(np.stack(span, 1), mode="economic", pivoting=True)
    basis = basis[:, np.abs(np.diag(triangle)) > _DEPENDENT]
    return np.asarray(left - basis @ (basis.T @ left), np.float64)
