"""Mean colours of vertices, from pivots of known colours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from studio.domain.camera import Similarity, View
from studio.warping.mean_colours import mean_colours
from tests.warping.average_person import SIZE, average_person, motion_of, parts_from


def gradient() -> np.ndarray:
    """``[SIZE, SIZE, 4]`` red is the column, green the row."""
    y, x = np.mgrid[:SIZE, :SIZE]
    return np.dstack([x, y, np.full((SIZE, SIZE), 40), np.full((SIZE, SIZE), 255)]).astype(np.uint8)


def test_a_vertex_has_the_colour_of_its_place_in_the_picture() -> None:
    mesh, motion = average_person(), motion_of([0.0])
    colours = mean_colours(parts_from(mesh, motion, gradient()[None]))
    assert colours.shape == mesh.neutral_face.shape
    assert colours.dtype == np.float32
    places = mesh.positions(motion)[0, : len(colours), :2]
    np.testing.assert_allclose(255 * colours[:, :2], places - 0.5, atol=0.6)
    np.testing.assert_allclose(255 * colours[:, 2], 40, atol=0.01)


def test_a_shrunk_stage_is_looked_at_where_it_shows_the_vertex() -> None:
    mesh, motion = average_person(), motion_of([0.0])
    whole = parts_from(mesh, motion, gradient()[None])
    small = gradient().reshape(SIZE // 2, 2, SIZE // 2, 2, 4).mean((1, 3)).astype(np.uint8)
    shrunk = replace(whole, textures=small[None], stage=View(Similarity(0.5, 0, 0, 0), SIZE // 2, SIZE // 2))
    np.testing.assert_allclose(mean_colours(shrunk), mean_colours(whole), atol=2 / 255)


def test_pivots_that_see_a_vertex_better_count_more_and_uncovered_ones_alone() -> None:
    mesh, motion = average_person(), motion_of([-35.0, 35.0, 0.0])
    textures = np.zeros((3, SIZE, SIZE, 4), np.uint8)
    textures[0, ..., 0], textures[1, ..., 1], textures[2, ..., 2] = 255, 255, 255
    parts = parts_from(mesh, motion, textures)
    parts.trust[2] = 0.0  # covered all over
    colours = mean_colours(parts)
    np.testing.assert_allclose(colours.sum(1), 1.0, atol=1e-5)
    assert (colours[:, 2] > 0.01).mean() < 0.1  # those that no other pivot shows
    # The viewer's right cheek is seen when the nose points to the left.
    assert colours[280, 0] > 0.6
    assert colours[50, 1] > 0.6
    np.testing.assert_allclose(colours[4, :2], 0.5, atol=0.1)


def test_what_no_pivot_shows_has_the_plain_mean() -> None:
    mesh, motion = average_person(), motion_of([0.0, 0.0])
    textures = np.zeros((2, SIZE, SIZE, 4), np.uint8)
    textures[1] = 255
    parts = parts_from(mesh, motion, textures)
    parts.trust[:] = 0.0
    np.testing.assert_allclose(mean_colours(parts), 0.5, atol=1e-5)
