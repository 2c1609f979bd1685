"""Latents as points, and rows by their group."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from studio.domain.edits import LatentShift
from studio.domain.problem import Problem
from studio.editing.latent_points import LatentPoints
from studio.editing.layer_rows import rows_of, shift_of
from tests.editing.small_people import LinearPerson


@pytest.fixture
def samples() -> torch.Tensor:
    person = LinearPerson(torch.zeros(3, 10, 5), torch.tensor([1.0, 2.0, 0.5, 4.0, 0.0]))
    return person.sample(300, 0).ws


def test_groups_of_rows() -> None:
    assert rows_of("all", 14) == range(14)
    assert [*rows_of("coarse", 14), *rows_of("medium", 14), *rows_of("fine", 14)] == list(range(14))
    assert rows_of("fine", 18) == range(8, 18)
    assert rows_of("medium", 6) == range(4, 6)
    with pytest.raises(Problem, match="8 rows and none of them is fine"):
        rows_of("fine", 8)


def test_shifts_leave_other_rows_alone() -> None:
    assert shift_of(np.ones(3), range(4), 4).rows.shape == (1, 3)
    coarse = shift_of(np.ones(3), range(2), 4).rows
    assert np.array_equal(coarse, [[1] * 3, [1] * 3, [0] * 3, [0] * 3])
    each = shift_of(np.arange(6.0).reshape(2, 3), range(1, 3), 4).rows
    assert np.array_equal(each[1:3].ravel(), np.arange(6.0))
    assert not each[[0, 3]].any()


@pytest.mark.parametrize(("space", "group"), [("w", "all"), ("w+", "all"), ("w+", "medium"), ("w", "coarse")])
def test_a_shift_moves_points_by_its_direction(samples, space, group) -> None:
    points = LatentPoints.of(samples, space, group)
    chance = np.random.default_rng(0)
    direction = chance.normal(size=len(points.axes))
    shift = points.shift(direction)
    moved = samples + torch.as_tensor(shift.rows)
    assert np.allclose(points.points(moved) - points.points(samples), direction, atol=1e-4)
    assert np.allclose(points.direction(shift), direction, atol=1e-4)


def test_other_rows_and_what_stands_still_never_move(samples) -> None:
    points = LatentPoints.of(samples, "w+", "medium")
    shift = points.shift(np.ones(len(points.axes)))
    assert shift.rows.shape == (10, 5)
    assert not shift.rows[:4].any()
    assert not shift.rows[8:].any()
    assert shift.rows[4:8, :4].all()
    assert not shift.rows[:, 4].any()
    assert len(points.axes) == 4 * 4


def test_numbers_count_in_their_own_deviations(samples) -> None:
    """The same person with other units has the same points."""
    units = torch.tensor([10.0, 1.0, 0.1, 3.0, 1.0])
    one, other = LatentPoints.of(samples, "w+", "all"), LatentPoints.of(samples * units, "w+", "all")
    a, b = one.points(samples), other.points(samples * units)
    assert np.allclose(a @ a.T, b @ b.T, atol=1e-6)
    assert np.isclose(np.linalg.norm(a, axis=1).mean(), 1.0, atol=0.1)


def test_directions_stay_within_what_few_samples_span() -> None:
    few = torch.randn(6, 10, 5, generator=torch.Generator().manual_seed(2))
    points = LatentPoints.of(few, "w+", "all")
    assert len(points.axes) == 5
    beyond = LatentShift(np.random.default_rng(1).normal(size=(10, 5)).astype(np.float32))
    back = points.shift(points.direction(beyond))
    differences = (few - few.mean(0)).flatten(1).numpy()
    left = (
        back.rows.ravel() - differences.T @ np.linalg.lstsq(differences.T, back.rows.ravel(), rcond=None)[0]
    )
    assert np.abs(left).max() < 1e-4
