"""sRGB and CIE Lab (D65, 2°)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats

TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
"""Linear sRGB to CIE XYZ (IEC 61966-2-1)."""
_FROM_XYZ = np.linalg.inv(TO_XYZ)
WHITE = TO_XYZ.sum(1)
"""XYZ of white."""
EPSILON, KAPPA = 216.0 / 24389.0, 24389.0 / 27.0
"""CIE's constants of the cube root's straight part."""


def linear_from_srgb(srgb: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Linear light 0..1 of sRGB 0..1."""
    srgb = np.asarray(srgb, np.float64)
    return np.where(srgb <= 0.04045, srgb / 12.92, ((np.maximum(srgb, 0.0) + 0.055) / 1.055) ** 2.4)


def srgb_from_linear(light: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """sRGB 0..1 of linear light 0..1."""
    light = np.asarray(light, np.float64)
    return np.where(
        light <= 0.0031308, light * 12.92, 1.055 * np.maximum(light, 0.0031308) ** (1 / 2.4) - 0.055
    )


def lab_from_srgb(srgb: npt.NDArray[Any]) -> Floats:
    """``[..., 3]`` L 0..100, a, b of sRGB 0..1."""
    return lab_from_linear(linear_from_srgb(srgb))


def lab_from_linear(light: npt.NDArray[Any]) -> Floats:
    """``[..., 3]`` L 0..100, a, b of linear light 0..1."""
    ratio = np.asarray(light, np.float64) @ (TO_XYZ / WHITE[:, None]).T
    x, y, z = np.moveaxis(_root(ratio), -1, 0)
    return np.asarray(np.stack([116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)], -1), np.float32)


def srgb_from_lab(lab: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """sRGB 0..1 of Lab ``[..., 3]``; colours that sRGB does not have are clipped."""
    lightness, a, b = np.moveaxis(np.asarray(lab, np.float64), -1, 0)
    y = (lightness + 16.0) / 116.0
    root = np.stack([y + a / 500.0, y, y - b / 200.0], -1)
    ratio = np.where(root**3 > EPSILON, root**3, (116.0 * root - 16.0) / KAPPA)
    light = (ratio * WHITE) @ _FROM_XYZ.T
    return srgb_from_linear(np.clip(light, 0.0, 1.0))


def _root(ratio: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where(ratio > EPSILON, np.cbrt(ratio), (KAPPA * ratio + 16.0) / 116.0)


LIGHT = linear_from_srgb(np.arange(256) / 255.0).astype(np.float32)
"""``[256]`` linear light of a byte of sRGB."""
IN = np.ascontiguousarray(TO_XYZ / WHITE[:, None], np.float32)
"""Linear sRGB to XYZ over white."""
OUT = np.ascontiguousarray(_FROM_XYZ * WHITE[None], np.float32)
"""XYZ over white to linear sRGB."""
