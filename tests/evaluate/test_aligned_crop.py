"""The sampler that every compared picture goes through, against a slow twin."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.aligned_crop import cut_mask, cut_view, inside_source
from studio.domain.camera import Similarity, View


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def test_the_view_of_everything_is_the_picture_itself() -> None:
    picture = noise(20, 30)
    assert np.array_equal(cut_view(picture, View(Similarity(1, 0, 0, 0), 30, 20)), picture)


def test_a_shift_by_whole_pixels_is_a_slice() -> None:
    picture = noise(20, 30)
    shifted = cut_view(picture, View(Similarity(1, 0, -7, -4), 10, 8))
    assert np.array_equal(shifted, picture[4:12, 7:17])


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_shrinking_averages_areas(factor: int) -> None:
    picture = noise(24, 36)
    view = View(Similarity(1 / factor, 0, 0, 0), 36 // factor, 24 // factor)
    blocks = picture.reshape(24 // factor, factor, 36 // factor, factor, 3).astype(float)
    assert np.abs(cut_view(picture, view) - blocks.mean((1, 3))).max() <= 1


def test_fine_stripes_do_not_alias() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 200
    grey = cut_view(stripes, View(Similarity(0.4, 0.3, 2, -1), 16, 16))[4:12, 4:12]
    assert np.abs(grey.astype(int) - 100).max() < 25  # bilinear alone swings by up to 100


def test_a_turned_view_shows_a_point_where_the_similarity_says() -> None:
    picture = np.zeros((100, 100, 3), np.uint8)
    picture[40:43, 60:63] = 255
    placement = Similarity(1.7, 0.5, 10.0, 5.0)
    cut = cut_view(picture, View(placement, 200, 200))[..., 0].astype(float)
    y, x = np.mgrid[:200, :200] + 0.5
    centre = np.array([(x * cut).sum(), (y * cut).sum()]) / cut.sum()
    assert centre == pytest.approx(placement.apply(np.array([61.5, 41.5])), abs=0.05)


def test_inside_means_the_pixel_centre_is_inside() -> None:
    inside = inside_source(View(Similarity(1, 0, 2, 0), 6, 4), 3, 4)
    assert inside[0].tolist() == [False, False, True, True, True, False]
    assert inside.all(0).tolist() == inside[0].tolist()


def test_a_mask_lies_over_what_it_was_cut_from() -> None:
    box = Similarity(1 / 40, 0.0, -10 / 40, -20 / 40)  # source square 10..50 × 20..60
    mask = np.zeros((80, 80), np.uint8)
    mask[20:40, 40:60] = 255  # source x 30..40, y 30..40
    shown = cut_mask(mask, box, View(Similarity(2.0, 0, 0, 0), 128, 128))
    y, x = np.nonzero(shown > 127)
    assert (x.min(), x.max() + 1, y.min(), y.max() + 1) == (60, 80, 60, 80)
