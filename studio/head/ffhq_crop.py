"""Where FFHQ's alignment would cut the face out, and where the person mask is taken."""

from __future__ import annotations

import numpy as np

from studio.domain.camera import Floats

VIEWER_LEFT_EYE = (33, 160, 158, 133, 153, 144)
"""Landmarks 36-41 of the 68-point set in MediaPipe's numbering."""
VIEWER_RIGHT_EYE = (362, 385, 387, 263, 373, 380)
"""Landmarks 42-47 of the 68-point set."""
MOUTH_CORNERS = (61, 291)
"""Landmarks 48 and 54 of the 68-point set."""

MASK_SIDE = 1.7
"""Side of the mask box in sides of the aligned crop: hair above, shoulders below."""
_MASK_DROP = 0.12
"""How far the mask box's centre lies below the crop's, in sides of the crop."""


def crop_frames(landmarks: Floats) -> tuple[Floats, Floats]:
    """Centre and half-axis of the FFHQ square of each frame, unsmoothed.

    Karras et al., A Style-Based Generator Architecture (2019), appendix A: the axis is along the eyes and
    across the eye-to-mouth line, its length the larger of 2.0 eye distances and 1.8 eye-to-mouth
    distances; the centre is a tenth of the eye-to-mouth line below the eyes' middle.

    Args:
        landmarks: ``[T, 478, 2 or 3]`` in source pixels.

    Returns:
        ``[T, 2]`` centres and ``[T, 2]`` half-axes (centre to the middle of the right side), source pixels.
    """
    points = landmarks[..., :2].astype(np.float64)
    left, right = points[:, VIEWER_LEFT_EYE].mean(1), points[:, VIEWER_RIGHT_EYE].mean(1)
    mouth = points[:, MOUTH_CORNERS].mean(1)
    eyes = (left + right) / 2
    across, down = right - left, mouth - eyes
    axis = across + np.stack([down[:, 1], -down[:, 0]], 1)
    length = np.maximum(2.0 * np.linalg.norm(across, axis=1), 1.8 * np.linalg.norm(down, axis=1))
    axis *= (length / np.maximum(np.linalg.norm(axis, axis=1), 1e-6))[:, None]
    return (eyes + 0.1 * down).astype(np.float32), axis.astype(np.float32)


def crop_similarities(centres: Floats, axes: Floats) -> Floats:
    """Squares given by centre and half-axis ``[T, 2]`` each, as similarities from source pixels to the unit
    square ``[T, 4]`` (scale, angle, x, y)."""
    half = np.maximum(np.linalg.norm(axes, axis=1), 1e-3)
    scale = 0.5 / half
    angle = -np.arctan2(axes[:, 1], axes[:, 0])
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    x = 0.5 - (c * centres[:, 0] - s * centres[:, 1])
    y = 0.5 - (s * centres[:, 0] + c * centres[:, 1])
    return np.stack([scale, angle, x, y], 1).astype(np.float32)


def mask_squares(centres: Floats, axes: Floats) -> tuple[Floats, Floats]:
    """Centre ``[T, 2]`` and side ``[T]`` of the upright squares for the person mask, source pixels.

    Each holds the whole aligned crop whatever its turn, most of the hair and the shoulders.
    """
    half = np.linalg.norm(axes, axis=1)
    drop = 2 * half * _MASK_DROP
    # Along x and y a turned square reaches |cos| + |sin| times its half side.
    reach = np.abs(axes).sum(1)
    side = np.maximum(2 * half * MASK_SIDE, 2 * (reach + drop) * 1.02)
    middle = centres + np.stack([np.zeros_like(drop), drop], 1)
    return middle.astype(np.float32), side.astype(np.float32)


def upright_similarities(centres: Floats, sides: Floats) -> Floats:
    """Upright squares as similarities from source pixels to the unit square ``[T, 4]``."""
    scale = 1.0 / np.maximum(sides, 1e-3)
    shift = 0.5 - centres * scale[:, None]
    return np.stack([scale, np.zeros_like(scale), shift[:, 0], shift[:, 1]], 1).astype(np.float32)
