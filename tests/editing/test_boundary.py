"""Boundaries against known normals, chance against random labels, projections against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from studio.domain.problem import Problem
from studio.editing import boundary
from tests.editing.small_people import cosine


def cloud(count: int, width: int, seed: int = 0):
    return np.random.default_rng(seed).normal(size=(count, width)) / np.sqrt(width)


def test_the_normal_is_the_one_that_labels_were_made_with() -> None:
    points = cloud(400, 20)
    normal = np.zeros(20)
    normal[[2, 7]] = 0.6, -0.8
    rows, high = boundary.extremes(points @ normal, 0.3)
    assert len(rows) == 240
    assert (points[rows][high] @ normal).min() > (points[rows][~high] @ normal).max()
    line = boundary.train_boundary(points[rows], high)
    assert cosine(line.normal, normal) > 0.97
    assert np.isclose(np.linalg.norm(line.normal), 1.0)
    assert line.accuracy > 0.95
    assert line.chance < 1e-20
    assert not line.by_chance
    assert not line.weak


def test_few_of_one_label_weigh_as_much_as_many_of_the_other() -> None:
    points = cloud(300, 5)
    line = boundary.train_boundary(points, points[:, 0] > 0.6)
    assert (points[:, 0] > 0.6).mean() < 0.15
    assert line.accuracy > 0.9
    # Answering always "no" is right in most cases, and tells nothing.
    assert line.chance < 1e-6


def test_random_labels_are_chance() -> None:
    """Of so many sets of random labels hardly one passes, where Fisher's test alone would let several."""
    passed = 0
    for seed in range(30):
        chance = np.random.default_rng(100 + seed)
        points = cloud(40, 20, seed)
        line = boundary.train_boundary(points, chance.permutation(40) < 20, seed)
        passed += not line.by_chance
    assert passed <= 1


def test_six_thumbs_can_be_enough_and_five_are_refused() -> None:
    points = cloud(12, 3)
    points[:6, 0] += 4.0
    labels = np.arange(12) < 6
    assert not boundary.train_boundary(points, labels).by_chance
    with pytest.raises(ValueError, match="not 5"):
        boundary.train_boundary(points, np.arange(12) < 5)


def test_gradients_of_linear_values_and_of_noise() -> None:
    points = cloud(300, 15)
    way, told = boundary.gradient(points, 3.0 * points[:, 4] - points[:, 5])
    assert cosine(way, np.eye(15)[4] * 3 - np.eye(15)[5]) > 0.999
    assert told > 0.99
    _, told = boundary.gradient(points, np.random.default_rng(5).normal(size=300))
    assert told < 0.05


def test_projection_is_off_the_whole_span() -> None:
    chance = np.random.default_rng(3)
    direction, a, b = chance.normal(size=(3, 12))
    left = boundary.without(direction, [a, b, a - 2.0 * b, 0.0 * a])
    assert np.isclose(np.linalg.norm(left), 1.0)
    assert abs(left @ a) < 1e-10
    assert abs(left @ b) < 1e-10
    # The slow way: Shen et al.'s formula, once a and b are made orthogonal.
    first = a / np.linalg.norm(a)
    second = b - (b @ first) * first
    second /= np.linalg.norm(second)
    slow = direction - (direction @ first) * first - (direction @ second) * second
    assert np.allclose(left, slow / np.linalg.norm(slow))


def test_dependent_directions_take_nothing_else_away() -> None:
    a = np.eye(6)[0]
    left = boundary.without(np.ones(6), [a, a, a * 3.0])
    assert np.allclose(left, np.array([0, 1, 1, 1, 1, 1]) / np.sqrt(5))
    assert np.allclose(boundary.without(2.0 * a, []), a)


def test_a_direction_that_is_the_others_leaves_nothing() -> None:
    with pytest.raises(Problem, match="Nothing is left"):
        boundary.without(np.array([1.0, 0.05, 0.0]), [np.eye(3)[0]])
