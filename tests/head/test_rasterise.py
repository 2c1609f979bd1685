"""The rasteriser against a slow, readable twin, and what it says of depth."""

from __future__ import annotations

import numpy as np

from studio.head.rasterise import rasterise

WIDTH, HEIGHT = 37, 29


def slow_twin(points: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For every pixel centre, the nearest triangle that holds it, by solving for its weights."""
    index = np.full((HEIGHT, WIDTH), -1)
    depth = np.full((HEIGHT, WIDTH), -np.inf)
    for t, corners in enumerate(points[triangles].astype(np.float64)):
        system = np.vstack([corners[:, :2].T, np.ones(3)])
        if abs(np.linalg.det(system)) < 1e-6:
            continue
        for y in range(HEIGHT):
            for x in range(WIDTH):
                weights = np.linalg.solve(system, [x + 0.5, y + 0.5, 1.0])
                z = weights @ corners[:, 2]
                if (weights >= -1e-9).all() and z > depth[y, x]:
                    index[y, x], depth[y, x] = t, z
    return index, depth


def test_it_agrees_with_the_slow_twin() -> None:
    random = np.random.default_rng(3)
    points = random.uniform((-8, -8, -5), (WIDTH + 8, HEIGHT + 8, 5), (24, 3)).astype(np.float32)
    triangles = random.permutation(24).reshape(8, 3).astype(np.int32)
    seen = rasterise(points, triangles, WIDTH, HEIGHT)
    index, depth = slow_twin(points, triangles)
    # Rounding may decide differently on an edge, nowhere else.
    assert (seen.triangle != index).mean() < 0.005
    same = (seen.triangle == index) & (index >= 0)
    assert same.sum() > 300
    assert np.allclose(seen.depth[same], depth[same], atol=1e-3)
    assert np.isneginf(seen.depth[seen.triangle < 0]).all()


def test_interpolated_positions_are_the_pixels_own() -> None:
    random = np.random.default_rng(4)
    points = random.uniform(0, 30, (12, 3)).astype(np.float32)
    triangles = np.arange(12, dtype=np.int32).reshape(4, 3)
    seen = rasterise(points, triangles, WIDTH, HEIGHT)
    where = seen.interpolate(points[:, :2], triangles)
    rows, columns = np.nonzero(seen.triangle >= 0)
    assert len(rows) > 50
    assert np.allclose(where[rows, columns], np.stack([columns + 0.5, rows + 0.5], 1), atol=1e-3)
    assert not where[seen.triangle < 0].any()


def test_neighbours_leave_no_gap() -> None:
    grid = np.stack(np.meshgrid(np.linspace(-3, WIDTH + 3, 9), np.linspace(-3, HEIGHT + 3, 7)), -1)
    points = np.concatenate([grid.reshape(-1, 2), np.zeros((63, 1))], 1).astype(np.float32)
    corner = (np.arange(6)[:, None] * 9 + np.arange(8)).ravel()
    triangles = np.concatenate(
        [np.stack([corner, corner + 1, corner + 9], 1), np.stack([corner + 1, corner + 10, corner + 9], 1)]
    )
    assert (rasterise(points, triangles.astype(np.int32), WIDTH, HEIGHT).triangle >= 0).all()
