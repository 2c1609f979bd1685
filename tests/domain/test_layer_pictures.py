"""Depth and normals as pictures: what is near is light, what faces a side has that side's colour."""

from __future__ import annotations

import numpy as np

from studio.domain.layer_pictures import FAR, NEAR, depth_picture, normals_picture


def test_near_is_light_far_is_dark_and_nothing_is_black() -> None:
    height = np.array([[NEAR, FAR, (NEAR + FAR) / 2, NEAR + 1.0, FAR - 1.0, np.nan]])
    shown = depth_picture(height)
    assert shown.dtype == np.uint8
    assert shown[0].tolist() == [[v] * 3 for v in (255, 0, 128, 255, 0, 0)]
    rising = depth_picture(np.linspace(FAR, NEAR, 256)[None])[0, :, 0].astype(int)
    assert rising.tolist() == list(range(256))


def test_normals_have_their_sides_colours() -> None:
    sides = np.array([[(0, 0, 1), (1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0)]], float)
    assert normals_picture(sides)[0].tolist() == [
        *([128, 128, 255], [255, 128, 128], [0, 128, 128]),
        *([128, 255, 128], [128, 0, 128]),
    ]


def test_what_is_half_there_is_half_as_light() -> None:
    cover = np.array([[1.0, 0.5, 0.0]])
    assert depth_picture(np.full((1, 3), NEAR), cover)[0, :, 0].tolist() == [255, 128, 0]
    shown = normals_picture(np.array([[[0.0, 0.0, 1.0], [0.0, 0.0, 1.0], [np.nan] * 3]]), cover)
    assert shown[0].tolist() == [[128, 128, 255], [64, 64, 128], [0, 0, 0]]
