"""Pixel measures: PSNR and sharpness."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from studio.metrics.metric import Observed, Values, picture_pair


def psnr(real: Observed, rendered: Observed) -> Values:
    """Peak signal to noise ratio, ``10 log10(255² / MSE)`` over all pixels and channels of a frame.

    dB, higher is better; infinite for identical pictures. As in torchmetrics with ``data_range`` equal to the
    pictures' full range, per frame and then averaged (PVP's evaluation).
    """
    a, b = picture_pair(real, rendered)
    with np.errstate(divide="ignore"):
        return 10.0 * np.log10(255.0**2 / _squared_error(a, b).mean(axis=(1, 2)))


def psnr_person(real: Observed, rendered: Observed) -> Values:
    """PSNR over the pixels of the person alone: squared errors weighted by the real frame's mask.

    dB, higher is better. A frame with an empty mask has no value. (PVP's masked figures instead blacken the
    background on both sides and count it as right, which adds several dB.)
    """
    a, b = picture_pair(real, rendered)
    if real.mask is None:
        raise ValueError("this metric looks at masks, and the real side has none")
    weight = real.mask.astype(np.float64) / 255.0
    with np.errstate(divide="ignore", invalid="ignore"):
        error = (_squared_error(a, b) * weight).sum(axis=(1, 2)) / weight.sum(axis=(1, 2))
        return np.asarray(10.0 * np.log10(255.0**2 / error))


def sharpness_difference(real: Observed, rendered: Observed) -> Values:
    """Mean gradient difference: ``mean |(|∂y Y| + |∂x Y|) - (|∂y Ŷ| + |∂x Ŷ|)|`` with backward differences.

    8-bit levels, 0..510, lower is better. The inner term of Mathieu et al. 2015, equation 13, averaged over
    pixels that have both neighbours, and over channels.
    """
    a, b = picture_pair(real, rendered)
    return np.array(
        [np.abs(_gradients(x) - _gradients(y)).mean() for x, y in zip(a, b, strict=True)], np.float64
    )


def sharpness_difference_db(real: Observed, rendered: Observed) -> Values:
    """Mathieu et al. 2015, equation 13, for pictures in [0, 1]: ``10 log10(1 / mean gradient difference)``.

    dB, higher is better; infinite for identical pictures.
    """
    with np.errstate(divide="ignore"):
        return 10.0 * np.log10(255.0 / sharpness_difference(real, rendered))


def sharpness_ratio(real: Observed, rendered: Observed) -> Values:
    """How sharp the rendering is beside the real frame: the ratio of their mean gradients.

    Greater than 0, best is 1; below 1 the rendering is blurrier, above 1 it has detail or noise of its own.
    Gradients as in :func:`sharpness_difference`, but they need not lie in the same place.
    """
    a, b = picture_pair(real, rendered)
    return np.array(
        [_gradients(y).mean() / max(_gradients(x).mean(), 1e-9) for x, y in zip(a, b, strict=True)],
        np.float64,
    )


def _squared_error(a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """``[T, H, W]`` squared error averaged over channels."""
    difference = a.astype(np.int32) - b
    return np.asarray((difference * difference).mean(axis=3))


def _gradients(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """``[H-1, W-1, 3]`` sum of the absolute backward differences along both axes."""
    p = picture.astype(np.float32)
    return np.abs(p[1:, 1:] - p[:-1, 1:]) + np.abs(p[1:, 1:] - p[1:, :-1])
