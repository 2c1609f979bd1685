"""Another pigment under the same light: shadows, gloss, and what it hides."""

from __future__ import annotations

import numpy as np
import pytest

from studio.domain.camera import Floats
from studio.warping.pigment import HIDES, LEVELS, STEEP, hidden, lightness_of, luminance, response
from studio.warping.recolour import REGIONS

LEVEL = np.linspace(0.0, 100.0, LEVELS)


def shares(low: int, high: int) -> Floats:
    """A region whose L is anything between two levels."""
    out = np.zeros(101, np.float32)
    out[low : high + 1] = 1.0 / (high + 1 - low)
    return out


FAIR, DARK = shares(20, 60), shares(2, 24)


def test_lightness_and_luminance_are_each_others_inverse_and_ciess():
    assert np.allclose(lightness_of(luminance(LEVEL)), LEVEL)
    assert float(luminance(50.0)) == pytest.approx(0.18419, abs=1e-5)
    assert float(luminance(4.0)) == pytest.approx(4.0 / (24389.0 / 27.0), abs=1e-9)


@pytest.mark.parametrize("share", [FAIR, DARK], ids=["fair", "dark"])
@pytest.mark.parametrize("shift", [-9.0, -4.0, 0.0, 6.0, 25.0])
def test_the_mean_moves_by_the_shift_and_nothing_changes_places(share, shift):
    factors = response(share, shift, STEEP["hair"])
    assert factors.shape == (LEVELS, 3)
    means = [np.average(np.interp(np.arange(101), LEVEL, one), weights=share) for one in factors.T]
    np.testing.assert_allclose(means, 1.0, atol=1e-4)
    moved = np.minimum(LEVEL + shift * factors[:, 0], 100.0)
    assert (np.diff(moved) > -0.02).all(), "nothing dark ends lighter than what was lighter"


def test_darkening_is_so_much_less_of_the_same_light():
    # Below its gloss, a region throws back one share of what it did.
    moved = LEVEL + -20.0 * response(FAIR, -20.0)[:, 0]
    below = (LEVEL > 22.0) & (LEVEL < 48.0)
    kept = luminance(moved[below]) / luminance(LEVEL[below])
    assert (moved[below] > 0.0).all(), "no shadow is crushed"
    assert kept.max() < 0.3
    assert kept.std() < 0.15 * kept.mean()


def test_gloss_stays_on_dark_pigment_and_most_of_the_bright_on_fair_hair_is_pigment():
    to = 9.0
    dark, fair = (
        LEVEL + (to - mean) * response(share, to - mean)[:, 0] for share, mean in ((DARK, 13.0), (FAIR, 40.0))
    )
    bright = np.searchsorted(LEVEL, 65.0)
    assert dark[bright] > 50.0, "a gleam on black hair is still one"
    assert fair[bright] < 40.0, "a fair strand that is dyed black is no gleam"


def test_gloss_pales_and_shadows_have_less_colour():
    paint = response(DARK, 20.0)[:, 1]
    assert paint[np.searchsorted(LEVEL, 4.0)] < paint[np.searchsorted(LEVEL, 20.0)]
    assert paint[np.searchsorted(LEVEL, 95.0)] < paint[np.searchsorted(LEVEL, 24.0)]


def test_what_is_dyed_or_bleached_is_more_even_and_skin_keeps_its_blush():
    usual, nothing = np.array([40.0, 4.0, 22.0]), np.zeros(3)
    assert hidden(usual, nothing, "hair") == 0.0
    grey, blue = np.array([15.0, -4.0, -20.0]), np.array([-5.0, -2.0, -45.0])
    bleached = np.array([25.0, 0.0, 0.0])
    for shift in (grey, blue, bleached):
        some = [hidden(usual, strength * shift, "hair") for strength in (0.0, 0.25, 0.5, 1.0)]
        assert (np.diff(some) > 0.0).all()
        assert some[-1] >= 0.5
        assert some[-1] < 1.0
    assert hidden(usual, np.array([-25.0, 0.0, 0.0]), "hair") == 0.0
    assert hidden(usual, blue, "skin") == 0.0
    assert set(HIDES) == set(STEEP) == set(REGIONS)
