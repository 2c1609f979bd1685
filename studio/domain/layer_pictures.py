"""How depth and normals become pictures, the same for every engine that has them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats

Picture = npt.NDArray[np.uint8]
NEAR, FAR = 0.13, -0.07
"""Metres before the head's plane that are white and black: a face with its hair, seen from any side."""


def depth_picture(height: npt.NDArray[np.floating], cover: npt.NDArray[np.floating] | None = None) -> Picture:
    """Greys, near light.

    Args:
        height: ``[H, W]`` metres before the head's plane, towards the viewer; not a number where there is
            nothing.
        cover: ``[H, W]`` 0..1 how much is there; what is not there is black. 1 everywhere when None.

    Returns:
        ``[H, W, 3]``.
    """
    grey = np.clip((np.nan_to_num(height, nan=FAR) - FAR) / (NEAR - FAR), 0.0, 1.0)
    return _bytes(np.repeat(grey[..., None], 3, -1), cover)


def normals_picture(
    normals: npt.NDArray[np.floating], cover: npt.NDArray[np.floating] | None = None
) -> Picture:
    """The usual colours: red grows to the viewer's right, green upwards, blue towards the viewer.

    Args:
        normals: ``[H, W, 3]`` in camera space, of length 1; zeros or not a number where there is nothing.
        cover: ``[H, W]`` 0..1 how much is there; what is not there is black. 1 everywhere when None.

    Returns:
        ``[H, W, 3]``; a surface that faces the viewer is (128, 128, 255).
    """
    return _bytes(0.5 + 0.5 * np.clip(np.nan_to_num(normals), -1.0, 1.0), cover)


def _bytes(colours: Floats, cover: npt.NDArray[np.floating] | None) -> Picture:
    shown = colours if cover is None else colours * np.clip(cover, 0.0, 1.0)[..., None]
    return np.floor(255.0 * shown + 0.5).astype(np.uint8)
