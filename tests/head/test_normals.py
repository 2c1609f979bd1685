"""Vertex normals against a slow, readable twin."""

from __future__ import annotations

import numpy as np

from studio.head import builtin_head
from studio.head.normals import vertex_normals


def slow_twin(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Sums of the triangles' area vectors, one triangle after the other."""
    out = np.zeros((len(points), 3))
    for first, second, third in triangles:
        area = np.cross(points[second] - points[first], points[third] - points[first])
        for corner in (first, second, third):
            out[corner] += area
    for vertex, total in enumerate(out):
        if total.any():
            out[vertex] = total / np.linalg.norm(total)
    return out


def test_it_agrees_with_the_slow_twin_also_for_many_meshes_at_once() -> None:
    random = np.random.default_rng(2)
    points = random.normal(size=(2, 3, 9, 3))
    triangles = np.array([(0, 1, 2), (2, 1, 3), (3, 4, 5), (0, 5, 6), (6, 7, 1)])
    normals = vertex_normals(points, triangles)
    assert normals.shape == points.shape
    for place in np.ndindex(2, 3):
        np.testing.assert_allclose(normals[place], slow_twin(points[place], triangles), atol=1e-6)
    assert not normals[..., 8, :].any()  # no triangle names it


def test_counter_clockwise_looks_at_the_viewer() -> None:
    points = np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0)], np.float32)
    np.testing.assert_allclose(vertex_normals(points, np.array([(0, 1, 2)])), [(0, 0, 1)] * 3)


def test_a_small_mesh_has_no_less_of_a_direction() -> None:
    model = builtin_head()
    tiny = vertex_normals(model.template.astype(np.float64) * 1e-3, model.triangles)
    np.testing.assert_allclose(tiny, vertex_normals(model.template, model.triangles), atol=1e-4)


def test_a_ball_has_its_radii_for_normals() -> None:
    upright, around = 24, 48
    polar = np.pi * (np.arange(upright) + 1) / (upright + 1)
    turn = 2 * np.pi * np.arange(around) / around
    points = np.stack(
        [
            np.outer(np.sin(polar), np.sin(turn)),
            np.outer(np.cos(polar), np.ones(around)),
            np.outer(np.sin(polar), np.cos(turn)),
        ],
        -1,
    ).reshape(-1, 3)
    quads = [
        (
            r * around + c,
            (r + 1) * around + c,
            (r + 1) * around + (c + 1) % around,
            r * around + (c + 1) % around,
        )
        for r in range(upright - 1)
        for c in range(around)
    ]
    triangles = np.array([t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))])
    inner = slice(around, -around)  # the open poles are seen from one side only
    normals = vertex_normals(points, triangles)[inner]
    assert ((normals * points[inner]).sum(-1) > 0.999).all()
