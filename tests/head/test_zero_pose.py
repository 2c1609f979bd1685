"""Maps of a head without its pose: what they show, and that they lead to the canonical face."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from studio.domain.motion import HeadMotion
from studio.head import builtin_head
from studio.head.zero_pose import OPEN_JAW, FrontalGrid, ZeroPose, canonical_face, proxy_depth

MODEL = builtin_head()
NEUTRAL = MODEL.neutral(np.array([1.0, -0.5], np.float32), np.zeros_like(MODEL.template))
COLOURS = np.random.default_rng(0).uniform(0.1, 0.9, (len(NEUTRAL), 3)).astype(np.float32)
FOREHEAD, NOSE_TIP, UPPER_LIP, LOWER_LIP = 151, 4, 13, 14


def moments(count: int = 3) -> HeadMotion:
    """Different expressions; the first one is neutral."""
    random = np.random.default_rng(1)
    motion = HeadMotion.neutral(count, np.array([750.0, 96.0, 96.0], np.float32))
    motion.expression[1:, :6] = random.normal(size=(count - 1, 6))
    motion.jaw[1:, 0] = random.uniform(0.1, 0.3, count - 1)
    return motion


def sampled(maps: np.ndarray, grid: FrontalGrid, points: np.ndarray) -> np.ndarray:
    """Maps ``[C, G, G]`` between their pixels, at ``[V, 2]`` metres."""
    x, y = grid.to_pixels(points).T - 0.5
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    u, v = x - left, y - top
    upper = (1 - u) * maps[:, top, left] + u * maps[:, top, left + 1]
    lower = (1 - u) * maps[:, top + 1, left] + u * maps[:, top + 1, left + 1]
    return ((1 - v) * upper + v * lower).T


def test_the_grid_has_its_first_row_at_the_top() -> None:
    grid = FrontalGrid(np.array([-0.1, -0.2], np.float32), np.array([0.1, 0.0], np.float32), 4)
    corners = grid.to_pixels(np.array([(-0.1, 0.0, 0.7), (0.1, -0.2, 0.7), (0.0, -0.05, -1.0)]))
    np.testing.assert_allclose(corners, [(0, 0, 0.7), (4, 4, 0.7), (2, 1, -1.0)], atol=1e-5)
    centres = grid.centres()
    np.testing.assert_allclose(centres[0, 0], (-0.075, -0.025), atol=1e-6)
    back = np.stack(np.meshgrid(np.arange(4) + 0.5, np.arange(4) + 0.5), -1)
    np.testing.assert_allclose(grid.to_pixels(centres), back, atol=1e-4)


def test_the_canonical_face_opens_its_mouth_and_nothing_else() -> None:
    face = canonical_face(MODEL, NEUTRAL)
    gap = face[UPPER_LIP, 1] - face[LOWER_LIP, 1]
    assert gap - (NEUTRAL[UPPER_LIP, 1] - NEUTRAL[LOWER_LIP, 1]) > 0.008
    still = MODEL.skin[:, 0] == 0
    assert still.sum() > 100
    opened = replace(moments(1), jaw=np.array([[OPEN_JAW, 0, 0]], np.float32))
    np.testing.assert_allclose(face, MODEL.deform(NEUTRAL, opened)[0])


def test_a_face_that_is_canonical_goes_nowhere() -> None:
    drawing = ZeroPose(MODEL, NEUTRAL, COLOURS, 48, canonical=NEUTRAL)
    maps = drawing.maps(moments(2))
    assert np.abs(maps.displacement[0]).max() < 1e-7
    assert np.abs(maps.displacement[1]).max() > 0.005


def test_what_is_seen_of_an_expression_is_led_to_the_same_place_of_the_canonical_face() -> None:
    drawing = ZeroPose(MODEL, NEUTRAL, COLOURS, 256)
    motion = moments(5)
    maps, faces = drawing.maps(motion), MODEL.deform(NEUTRAL, motion)
    # Parts that the front shows: no lip or lid edge, nothing that turns away.
    plain = [FOREHEAD, NOSE_TIP, 9, 10, 50, 280, 101, 330, 205, 425, 108, 337, 67, 297, 17, 18, 200, 199]
    for t, face in enumerate(faces):
        moved = sampled(maps.displacement[t], drawing.grid, face[:, :2])
        off = np.linalg.norm(face + moved - drawing.canonical, axis=1)
        assert off[plain].max() < 4e-4
        assert np.percentile(off, 80) < 1e-3
        # Without the maps they are far from there.
        assert np.linalg.norm(face - drawing.canonical, axis=1)[plain].max() > 1e-3


@pytest.mark.parametrize("size", [16, 64])
def test_displacement_is_known_everywhere_and_ends_at_the_border(size: int) -> None:
    maps = ZeroPose(MODEL, NEUTRAL, COLOURS, size).maps(moments())
    assert maps.displacement.shape == (3, 3, size, size)
    assert np.isfinite(maps.displacement).all()
    for edge in (np.s_[..., 0, :], np.s_[..., -1, :], np.s_[..., 0], np.s_[..., -1]):
        assert not maps.displacement[edge].any()
    # It comes down to that evenly and not with a tear: its first step is a small part of the whole.
    first = np.abs(maps.displacement[..., -2, :]).max()
    assert 0 < first < 8 / size * np.abs(maps.displacement).max()


def test_a_face_larger_than_the_grid_still_ends_at_the_border() -> None:
    grid = FrontalGrid(np.array([-0.03, -0.03], np.float32), np.array([0.03, 0.03], np.float32), 32)
    maps = ZeroPose(MODEL, NEUTRAL, COLOURS, 32, grid=grid).maps(moments(2))
    assert (maps.motion_map[1, 5] != 0).mean() > 0.95
    assert not maps.displacement[..., 0, :].any()
    assert np.abs(maps.displacement[1, :, 1:-1, 1:-1]).max() > 0.001


def test_a_hole_in_the_mesh_is_filled_from_around_it() -> None:
    whole = ZeroPose(MODEL, NEUTRAL, COLOURS, 64)
    cheek = 50
    torn = replace(MODEL, triangles=MODEL.triangles[~(MODEL.triangles == cheek).any(1)])
    motion = moments(2)
    expected, filled = (z.maps(motion) for z in (whole, ZeroPose(torn, NEUTRAL, COLOURS, 64)))
    hole = (expected.motion_map[1, 5] != 0) & (filled.motion_map[1, 5] == 0)
    assert hole.sum() > 5
    off = np.abs(filled.displacement[1] - expected.displacement[1])[:, hole]
    assert 0 < off.max() < 2e-3


def test_the_motion_map_is_texture_then_normals() -> None:
    maps = ZeroPose(MODEL, NEUTRAL, COLOURS, 64).maps(moments()).motion_map
    assert maps.shape == (3, 6, 64, 64)
    assert maps.dtype == np.float32
    seen = maps[:, 3:].any(1)
    assert 0.2 < seen.mean() < 0.8
    assert not maps[:, :, ~seen.any(0)].any()
    np.testing.assert_allclose(np.linalg.norm(maps[:, 3:], axis=1)[seen], 1.0, atol=1e-5)
    drawing = ZeroPose(MODEL, NEUTRAL, COLOURS, 64)
    faces = MODEL.deform(NEUTRAL, moments())
    for t, face in enumerate(faces):
        x, y, _ = drawing.grid.to_pixels(face[FOREHEAD]).astype(int)
        assert maps[t, 5, y, x] > 0.9
    # The viewer's right cheek looks to the right, the chin's underside downwards.
    for vertex, axis, sign in ((280, 3, 1), (50, 3, -1), (175, 4, -1)):
        x, y, _ = drawing.grid.to_pixels(faces[0, vertex]).astype(int)
        assert sign * maps[0, axis, y, x] > 0.1


def test_texture_keeps_to_the_face() -> None:
    marked = np.zeros((len(NEUTRAL), 3), np.float32)
    near = np.linalg.norm(NEUTRAL - NEUTRAL[200], axis=1) < 0.02
    marked[near] = 1.0, 0.25, 0.0
    drawing = ZeroPose(MODEL, NEUTRAL, marked, 64)
    motion = moments(2)
    maps, faces = drawing.maps(motion), MODEL.deform(NEUTRAL, motion)
    assert maps.motion_map.min() == -1.0
    for t in range(2):
        x, y, _ = drawing.grid.to_pixels(faces[t, 200]).astype(int)
        np.testing.assert_allclose(maps.motion_map[t, :3, y, x], (1.0, -0.5, -1.0), atol=1e-4)
    assert faces[1, 200, 1] < faces[0, 200, 1] - 0.003


def test_pose_and_place_do_not_matter() -> None:
    drawing, motion = ZeroPose(MODEL, NEUTRAL, COLOURS, 32), moments()
    elsewhere = replace(motion, angles=motion.angles + np.float32(20), camera=motion.camera * np.float32(1.3))
    first, second = drawing.maps(motion), drawing.maps(elsewhere)
    assert np.array_equal(first.motion_map, second.motion_map)
    assert np.array_equal(first.displacement, second.displacement)
    alone = drawing.maps(motion.take(slice(1, 2)))
    np.testing.assert_allclose(alone.displacement[0], first.displacement[1], atol=1e-6)


def test_the_proxy_is_the_nearest_surface_and_goes_on_beyond_it() -> None:
    grid = FrontalGrid(np.array([-2, -1], np.float32), np.array([2, 3], np.float32), 64)
    # A slope z = x over the unit square, a nearer patch over its middle, and a triangle of nobody's vertices.
    square = [(-1, 0, -1), (1, 0, 1), (1, 2, 1), (-1, 2, -1)]
    patch = [(-0.5, 0.5, 3), (0.5, 0.5, 3), (0.5, 1.5, 3), (-0.5, 1.5, 3)]
    triangles = np.array([(0, 1, 2), (0, 2, 3), (4, 5, 6), (4, 6, 7), (0, 1, 8)], np.int32)
    depth = proxy_depth(np.array(square + patch, np.float32), triangles, grid)
    assert depth.shape == (64, 64)
    x, y = np.moveaxis(grid.centres(), -1, 0)
    over = (np.abs(x) < 0.48) & (np.abs(y - 1) < 0.48)
    beside = (np.abs(x) < 0.98) & (np.abs(y - 1) < 0.98) & ~((np.abs(x) < 0.52) & (np.abs(y - 1) < 0.52))
    np.testing.assert_allclose(depth[over], 3.0, atol=1e-5)
    np.testing.assert_allclose(depth[beside], x[beside], atol=1e-5)
    assert np.isfinite(depth).all()
    assert depth.min() >= -1.0 - 1e-5
    assert depth.max() <= 3.0 + 1e-5
    assert depth[:, -1].mean() > depth[:, 0].mean() + 0.15
