"""CIE Lab as everybody else has it."""

from __future__ import annotations

import numpy as np
from skimage.color import rgb2lab

from studio.warping.lab import (
    lab_from_srgb,
    linear_from_srgb,
    srgb_from_lab,
    srgb_from_linear,
)


def colours() -> np.ndarray:
    random = np.random.default_rng(0).uniform(0.0, 1.0, (500, 3))
    corners = np.stack(np.meshgrid(*[[0.0, 0.02, 1.0]] * 3), -1).reshape(-1, 3)
    return np.concatenate([random, corners])


def test_lab_is_that_of_scikit_image() -> None:
    rgb = colours()
    np.testing.assert_allclose(lab_from_srgb(rgb), rgb2lab(rgb[None])[0], atol=0.03)


def test_there_and_back_is_the_same_and_what_srgb_lacks_is_cut_off() -> None:
    rgb = colours()
    np.testing.assert_allclose(srgb_from_lab(lab_from_srgb(rgb)), rgb, atol=1e-3)
    np.testing.assert_allclose(srgb_from_linear(linear_from_srgb(rgb)), rgb, atol=1e-6)
    beyond = srgb_from_lab(np.array([60.0, -120.0, 90.0]))
    assert ((beyond >= 0.0) & (beyond <= 1.0)).all()
    assert beyond[0] == 0.0
