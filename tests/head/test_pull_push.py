"""Filling against a slow, readable twin."""

from __future__ import annotations

import numpy as np
import pytest

from studio.head.pull_push import pull_push


def slow_twin(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Pull-push of one channel of a square whose side is a power of two, pixel by pixel."""
    levels = [(np.where(known, values, 0.0), known.astype(float))]
    while len(levels[-1][1]) > 1:
        total, weight = levels[-1]
        half = len(weight) // 2
        coarse = np.zeros((2, half, half))
        for y in range(half):
            for x in range(half):
                block = np.s_[2 * y : 2 * y + 2, 2 * x : 2 * x + 2]
                coarse[:, y, x] = total[block].mean(), weight[block].mean()
        levels.append((coarse[0], coarse[1]))
    total, weight = levels.pop()
    guess = total / np.maximum(weight, 1e-6)
    for total, weight in reversed(levels):
        side = len(weight)
        finer = np.zeros((side, side))
        for y in range(side):
            for x in range(side):
                fine_y = np.clip((y + 0.5) / 2 - 0.5, 0, side // 2 - 1)
                fine_x = np.clip((x + 0.5) / 2 - 0.5, 0, side // 2 - 1)
                top, left = int(fine_y), int(fine_x)
                down, right = min(top + 1, side // 2 - 1), min(left + 1, side // 2 - 1)
                v, u = fine_y - top, fine_x - left
                between = (1 - v) * ((1 - u) * guess[top, left] + u * guess[top, right])
                between += v * ((1 - u) * guess[down, left] + u * guess[down, right])
                own = total[y, x] / weight[y, x] if weight[y, x] else 0.0
                finer[y, x] = own * weight[y, x] + between * (1 - weight[y, x])
        guess = finer
    return guess


@pytest.mark.parametrize("channels", [1, 3, 6])
def test_it_agrees_with_the_slow_twin(channels: int) -> None:
    random = np.random.default_rng(channels)
    values = random.normal(size=(32, 32, channels))
    known = random.random((32, 32)) < 0.06
    known[:10, 12:] = False
    filled = pull_push(values, known)
    assert filled.shape == values.shape
    for channel in range(channels):
        np.testing.assert_allclose(filled[..., channel], slow_twin(values[..., channel], known), atol=1e-5)


def test_what_is_known_stays_and_what_is_not_never_shows() -> None:
    random = np.random.default_rng(7)
    values = random.normal(size=(27, 41, 3)).astype(np.float32)
    known = random.random((27, 41)) < 0.3
    filled = pull_push(values, known)
    assert np.array_equal(filled[known], values[known])
    values[~known] = 1e6
    assert np.array_equal(pull_push(values, known), filled)
    assert filled.min() >= values[known].min()
    assert filled.max() <= values[known].max()


def test_one_known_pixel_is_everywhere_and_none_is_zero() -> None:
    values = np.full((19, 30, 2), 5.0)
    known = np.zeros((19, 30), bool)
    assert not pull_push(values, known).any()
    known[4, 7] = True
    np.testing.assert_allclose(pull_push(values, known), 5.0, rtol=1e-4)
