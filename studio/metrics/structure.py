"""Structural similarity at one scale and at five.

Written out with separable filters because the libraries' two-dimensional convolutions take four times as
long on a processor; scikit-image (SSIM) and piq (MS-SSIM) are the twins it is tested against.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from studio.metrics.metric import Observed, Unavailable, Values, picture_pair

WINDOW, SIGMA = 11, 1.5
"""Side and deviation of the Gaussian window, pixels."""
C1, C2 = (0.01 * 255.0) ** 2, (0.03 * 255.0) ** 2
"""The stabilising constants K1 = 0.01 and K2 = 0.03 for 8-bit levels."""
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the five scales, fine to coarse: Wang et al. 2003."""
SMALLEST = (WINDOW - 1) * 2 ** (len(SCALE_WEIGHTS) - 1) + 1
"""Side of the smallest picture whose coarsest scale still holds a window."""

Picture = npt.NDArray[np.float32]


def ssim(real: Observed, rendered: Observed) -> Values:
    """Structural similarity (Wang et al. 2004): Gaussian window 11×11, σ 1.5, K1 0.01, K2 0.03, per channel.

    -1..1, higher is better, 1 for identical pictures. Averaged where the window lies whole inside the
    picture, as in the paper and scikit-image. (torchmetrics, which PVP uses, also counts a mirrored border of
    five pixels: about 0.01 lower on small noisy pictures.)
    """
    a, b = picture_pair(real, rendered)
    return np.array([_similarity(x, y)[0].mean() for x, y in _floats(a, b)])


def ms_ssim(real: Observed, rendered: Observed) -> Values:
    """Multi-scale structural similarity (Wang et al. 2003): five scales by 2×2 averages, window as for SSIM.

    0..1, higher is better, 1 for identical pictures; negative terms count as 0, as in piq. Pictures smaller
    than 161 pixels raise :class:`Unavailable`.
    """
    a, b = picture_pair(real, rendered)
    if min(a.shape[1:3]) < SMALLEST:
        raise Unavailable(f"MS-SSIM needs pictures of at least {SMALLEST} pixels")
    return np.array([_over_scales(x, y) for x, y in _floats(a, b)])


def _over_scales(a: Picture, b: Picture) -> float:
    product = np.ones(3)
    for scale, weight in enumerate(SCALE_WEIGHTS):
        whole, structure = _similarity(a, b)
        last = scale == len(SCALE_WEIGHTS) - 1
        product *= np.maximum(whole if last else structure, 0.0) ** weight
        if not last:
            a, b = _halved(a), _halved(b)
    return float(product.mean())


def _similarity(a: Picture, b: Picture) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """SSIM and its contrast-and-structure factor, each averaged over the picture: ``[3]`` per channel."""
    mean_a, mean_b = _blurred(a), _blurred(b)
    cross = mean_a * mean_b
    square_a, square_b = mean_a * mean_a, mean_b * mean_b
    variances = _blurred(a * a) + _blurred(b * b) - square_a - square_b
    structure = (2.0 * (_blurred(a * b) - cross) + C2) / (variances + C2)
    whole = structure * (2.0 * cross + C1) / (square_a + square_b + C1)
    return whole.mean((0, 1), np.float64), structure.mean((0, 1), np.float64)


def _blurred(picture: Picture) -> Picture:
    """The window's weighted mean wherever it fits inside: ``[H-10, W-10, 3]``."""
    rim = WINDOW // 2
    kernel = cv2.getGaussianKernel(WINDOW, SIGMA, cv2.CV_32F)
    return np.asarray(cv2.sepFilter2D(picture, cv2.CV_32F, kernel, kernel))[rim:-rim, rim:-rim]


def _halved(picture: Picture) -> Picture:
    """2×2 averages; an odd side is first lengthened by a copy of the first row or column, as piq does."""
    odd = max(picture.shape[0] % 2, picture.shape[1] % 2)
    p = np.pad(picture, ((odd, 0), (odd, 0), (0, 0)), mode="edge") if odd else picture
    height, width = p.shape[0] // 2 * 2, p.shape[1] // 2 * 2
    p = p[:height, :width]
    return (p[::2, ::2] + p[1::2, ::2] + p[::2, 1::2] + p[1::2, 1::2]) * np.float32(0.25)


def _floats(a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8]) -> list[tuple[Picture, Picture]]:
    return [(x.astype(np.float32), y.astype(np.float32)) for x, y in zip(a, b, strict=True)]
