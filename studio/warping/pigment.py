"""What another pigment does to a region's colours, shade by shade.

A region's average becomes what was asked for; the rest follows from how light works. Of a hair's lightness
most is how much light falls on it, which scales whatever the pigment throws back; some of its brightest is
gloss, which is light that never met the pigment and stays as it is. Dark pigments throw back so little that
their bright places are nearly all gloss, and light ones hide it. And a pigment that hides what was under it
hides its unevenness as well: hair that is dyed grey keeps no yellow strand.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats
from studio.domain.edits import Region
from studio.warping.lab import KAPPA

LEVELS = 256
"""Steps of lightness in the tables."""
STEEP: dict[Region, float] = {"skin": 1.0, "hair": 0.6, "lips": 1.0, "eyes": 2.0, "person": 1.0}
"""Power of the shade by which a region's dark places take part less in getting lighter: a pupil is darker
than any shadow, while light wanders between hairs."""
HIDES: dict[Region, float] = {"skin": 0.0, "hair": 1.0, "lips": 1.0, "eyes": 1.0, "person": 0.0}
"""How far another pigment hides the unevenness of a region's own: skin keeps its blush and its freckles."""
HALF, BLEACHED = 40.0, 25.0
"""Change of a and b by which half of the unevenness is hidden, and lightening that does so…"""
FAINT = 4.0
"""…and the chroma that even grey may vary by: what has less colour varies less in it."""
THROWN_BACK = 0.03
"""Share of light that a pigment throws back when half of what is bright on it is gloss."""
SPARSE = 0.5
"""Of what is lighter than the mean so much is light; the rest is less pigment, which colours less."""
BRIGHT = 5.0
"""Times the light of the mean beyond which all is gloss: nothing is lit so much more."""
BRIGHTEST = 98.0
"""L from which on everything is gloss."""


def response(lightness: Floats, shift: float, steep: float = 1.0) -> Floats:
    """``[LEVELS, 3]``: by which factor a shift of L, and one of a and b, is added where L is 0 to 100, and
    how much of the region's mean a and b is there by itself.

    In Lab without its offset colours scale with the cube root of light, ``(L + 16) / (mean + 16)``. What gets
    darker throws back so much less of the same light. What gets lighter does so by the shade, to a power:
    dark places take part less. Above a little more than the mean a part of the light is gloss, which is
    added unchanged and pales a and b as the slope of the cube root does.

    Args:
        lightness: ``[101]`` share of the region at each L; on average over it all factors are 1.
        shift: what is added to L on average.
        steep: power by which dark places take part less.
    """
    level = np.linspace(0.0, 100.0, LEVELS)
    share = np.asarray(lightness, np.float64)
    if share.sum() <= 0.0:
        return np.ones((LEVELS, 3), np.float32)
    places = np.arange(len(share))
    mean = float(np.average(places, weights=share))
    spread = float(np.sqrt(np.average((places - mean) ** 2, weights=share)))
    knee = min(mean + spread, BRIGHTEST)
    own, thrown = luminance(level), luminance(mean)
    gloss = np.maximum(own - luminance(knee), 0.0) * THROWN_BACK / (THROWN_BACK + thrown)
    gloss = np.maximum(gloss, own - np.maximum(BRIGHT * thrown, luminance(knee)))
    pigment = lightness_of(own - gloss)
    shade = (pigment + 16.0) / (mean + 16.0)
    if shift < 0.0:
        darker = luminance(max(mean + shift, 0.0)) / max(float(thrown), 1e-6)
        moved = lightness_of(luminance(pigment) * darker)
        tint = _sparse((moved + 16.0) / (max(mean + shift, 0.0) + 16.0))
    else:
        tint = _sparse(shade) ** steep
        moved = np.clip(pigment + shift * tint, 0.0, 100.0)
    lit = luminance(moved) + gloss
    lift = (lightness_of(lit) - level) / shift if abs(shift) > 1e-3 else tint
    pale = [
        (luminance(one) / np.maximum(whole, 1e-4)) ** (2.0 / 3.0)
        for one, whole in ((moved, lit), (pigment, own))
    ]
    out = np.stack([lift, tint * np.minimum(pale[0], 1.0), shade * np.minimum(pale[1], 1.0)])
    usual = [np.average(np.interp(places, level, one), weights=share) for one in out]
    return np.asarray((out / np.maximum(usual, 0.05)[:, None]).T, np.float32)


def hidden(usual: npt.NDArray[Any], shift: npt.NDArray[Any], region: Region) -> float:
    """How much of a region's unevenness in a and b a shift hides, 0..1.

    Args:
        usual: ``[3]`` the region's mean Lab.
        shift: ``[3]`` what is added to it.
        region: which it is.
    """
    own, by = complex(usual[1], usual[2]), complex(shift[1], shift[2])
    far = abs(by) ** 2
    bleached = max(float(shift[0]), 0.0) / BLEACHED
    dyed = 1.0 / (1.0 + far / HALF**2 + bleached**2)
    # By the palest on the way, so that more of a shift never hides less.
    along = -(own * by.conjugate()).real / max(far, 1e-9)
    palest = abs(own + min(max(along, 0.0), 1.0) * by)
    paler = (palest + FAINT) / (abs(own) + FAINT)
    return HIDES[region] * (1.0 - dyed * paler)


def _sparse(shade: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where(shade > 1.0, 1.0 + SPARSE * (shade - 1.0), shade)


def luminance(lightness: npt.NDArray[np.floating] | float) -> Any:
    """CIE Y of L."""
    root = (np.asarray(lightness, np.float64) + 16.0) / 116.0
    return np.where(root > 6.0 / 29.0, root**3, (116.0 * root - 16.0) / KAPPA)


def lightness_of(luminance: npt.NDArray[np.floating] | float) -> Any:
    """L of CIE Y."""
    y = np.asarray(luminance, np.float64)
    return np.where(y > (6.0 / 29.0) ** 3, 116.0 * np.cbrt(y) - 16.0, KAPPA * y)
