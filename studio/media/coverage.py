"""Colours of a person alone, from a picture with its background and how much of each pixel is the person."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

REACH = (1 / 12, 1 / 24, 1 / 96)
"""Radii, as shares of the picture's side, from which colours are gathered: first far, then near."""


def straight(image: Picture, alpha: Picture) -> Picture:
    """The person's own colour in every pixel, with coverage beside it.

    A rendered picture shows, where coverage is partial, person and background mixed. Kept as it is, it would
    bring a rim of the old background along to a new one. The person's share is estimated from colours around,
    after blur-fusion (M. Forte, "Approximate Fast Foreground Colour Estimation", ICIP 2021).

    Args:
        image: ``[H, W, 3]`` RGB over its background.
        alpha: ``[H, W]`` coverage, 255 inside.

    Returns:
        ``[H, W, 4]`` RGB, not multiplied, and coverage. Fully covered pixels and coverage are as given; just
        outside the person colours go on for a few pixels, so that encoders that blur colour do no harm;
        farther away they are black.
    """
    picture = image.astype(np.float32)
    cover = alpha.astype(np.float32)[..., None] * np.float32(1 / 255)
    clear = 1.0 - cover
    person = ground = picture
    sure, sure_ground = _certain(cover), _certain(clear)
    side = 1
    for share in REACH:
        side = 2 * max(2, round(share * max(image.shape[:2]))) + 1
        near_person, ground = _gathered(person, sure, side), _gathered(ground, sure_ground, side)
        person = np.clip(near_person + cover * (picture - cover * near_person - clear * ground), 0.0, 255.0)
    reached = _blurred(cover, side)
    colour = np.where(reached > 1e-3, person, 0.0)
    out = np.empty((*alpha.shape, 4), np.uint8)
    out[..., :3] = np.where(alpha[..., None] == 255, image, (colour + 0.5).astype(np.uint8))
    out[..., 3] = alpha
    return out


def _certain(share: Floats) -> Floats:
    """Weights by which colours count: its eighth power, because those that are nearly of one thing alone say
    most, and a trace of itself for hair that is nowhere near full coverage."""
    return np.square(np.square(np.square(share))) + np.float32(1e-4) * share


def _gathered(colour: Floats, weight: Floats, side: int) -> Floats:
    """Mean colour of the window of ``side`` pixels around each pixel, by weight ``[H, W, 1]``."""
    return _blurred(colour * weight, side) / np.maximum(_blurred(weight, side), np.float32(1e-6))


def _blurred(values: Floats, side: int) -> Floats:
    import cv2

    return np.asarray(cv2.blur(values, (side, side)), np.float32).reshape(values.shape)


def premultiplied(rgba: Picture) -> Picture:
    """``[H, W, 4]`` straight colours to colours multiplied by coverage, rounded to nearest."""
    out = rgba.copy()
    product = rgba[..., :3].astype(np.uint16) * rgba[..., 3:].astype(np.uint16)
    out[..., :3] = (product + 127) // 255
    return out
