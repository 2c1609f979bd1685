"""Rigid alignment of point sets with a scale: the first guess of a head's pose."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats


def align(
    points: npt.NDArray[np.floating],
    shape: npt.NDArray[np.floating],
    weights: npt.NDArray[np.floating],
) -> tuple[Floats, Floats, Floats]:
    """Least-squares similarity ``points = scale * R @ shape + shift`` for each frame (Umeyama 1991).

    Args:
        points: ``[T, L, 3]`` in a right-handed frame.
        shape: ``[L, 3]`` or ``[T, L, 3]``.
        weights: ``[L]``, not negative, not all zero.

    Returns:
        ``scale [T]``, ``R [T, 3, 3]`` (a proper rotation), ``shift [T, 3]``.
    """
    w = (weights / weights.sum()).astype(np.float32)
    shape = np.broadcast_to(np.asarray(shape, np.float32), points.shape)
    point_mean = np.einsum("l,tld->td", w, points)
    shape_mean = np.einsum("l,tld->td", w, shape)
    centred = shape - shape_mean[:, None]
    spread = (w[:, None] * np.asarray(points, np.float32)).swapaxes(1, 2) @ centred
    left, singular, right = np.linalg.svd(spread.astype(np.float64))
    sign = np.ones_like(singular)
    sign[:, 2] = np.linalg.det(left @ right)
    rotation = (left * sign[:, None, :]) @ right
    power = np.einsum("l,tld,tld->t", w, centred, centred)
    scale = (singular * sign).sum(1) / power
    shift = point_mean - scale[:, None] * np.einsum("tij,tj->ti", rotation, shape_mean)
    return scale.astype(np.float32), rotation.astype(np.float32), shift.astype(np.float32)


def to_head_space(points: npt.NDArray[np.floating], scale: Floats, rotation: Floats, shift: Floats) -> Floats:
    """Undo a similarity frame by frame: ``[T, L, 3]`` back to the shape's own space."""
    inverse = rotation / scale[:, None, None]
    return np.asarray((points - shift[:, None]) @ inverse, np.float32)
