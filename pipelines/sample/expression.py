"""What moves the sample's skin, as smooth fields over the portrait: jaw, lips, smile, brows, lids and gaze.

A field says how far the skin under a portrait pixel goes. Mesh vertices and the 478 landmarks ask the same
fields, so the truth follows the picture exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates

from pipelines.sample import portrait, shape
from studio.domain.camera import Floats, rotation_from_angles

FIELDS = ("lid_left", "lid_right", "lips_together", "relaxed", "rounded", "brow")
"""Linear fields; weights 0..1 (brow -1..1). All zero is the portrait: eyes open, a smile showing teeth."""

JAW_JOINT = (118.0, -66.0)
"""Where the jaw turns: portrait row, and depth in millimetres of the depth table."""

EYEBALL = 12.0
"""Radius of an eyeball in millimetres."""

_MIDDLE = float((portrait.UPPER_LIP[0, 0] + portrait.UPPER_LIP[-1, 0]) / 2)
_HALF = float((portrait.UPPER_LIP[-1, 0] - portrait.UPPER_LIP[0, 0]) / 2)


@dataclass(frozen=True)
class Skin:
    """Fields sampled at N points."""

    fields: Floats
    """``[6, N, 3]`` displacement in head-space metres for weight 1, in the order of FIELDS."""
    jaw: Floats
    """``[N]`` share of the jaw's rotation, 0..1."""
    joint: Floats
    """``[3]`` the jaw joint in head space, metres."""

    def move(self, points: Floats, weights: npt.NDArray[np.floating], jaw: float) -> Floats:
        """Neutral points ``[N, 3]`` in head space with field weights ``[6]`` and jaw angle in radians."""
        moved = points + np.tensordot(np.asarray(weights, np.float32), self.fields, 1)
        arm = moved - self.joint
        c, s = np.float32(np.cos(jaw) - 1), np.float32(np.sin(jaw))
        turned = np.zeros_like(arm)
        turned[:, 1] = c * arm[:, 1] - s * arm[:, 2]
        turned[:, 2] = s * arm[:, 1] + c * arm[:, 2]
        return np.asarray(moved + self.jaw[:, None] * turned, np.float32)


def skin_at(pixels: npt.NDArray[np.floating]) -> Skin:
    """Sample every field at portrait pixels ``[N, 2]``."""
    x, y = np.asarray(pixels, np.float64).T
    fade = _near_face(pixels)
    view = np.zeros((len(FIELDS), len(x), 3))
    for eye in range(2):
        view[eye] = _lid(x, y, eye)
    view[2] = _lips_together(x, y)
    view[3] = _relaxed(x, y)
    view[4] = _rounded(x, y)
    view[5] = _brow(x, y)
    view *= fade[:, None]
    # Right and up in the view, metres; then into the head's own axes.
    metres = view * (1, -1, 1) / shape.SCALE @ rotation_from_angles(np.array(shape.PORTRAIT_ANGLES))
    joint_row, joint_depth = JAW_JOINT
    at = np.array([[shape.ORIGIN[0], joint_row]])
    joint = shape.to_head(at, shape.depth_in_view(at, np.array([joint_depth])))[0]
    return Skin(metres.astype(np.float32), (_jaw(x, y) * fade).astype(np.float32), joint)


def lip_lines(x: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Rows of the mouth opening's upper and lower edge over columns ``x``; equal beyond the corners."""
    upper = np.interp(x, *portrait.UPPER_LIP.T.astype(np.float64))
    return upper, np.maximum(upper, np.interp(x, *portrait.LOWER_LIP.T.astype(np.float64)))


def lid_lines(
    x: npt.NDArray[np.float64], eye: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Rows of the upper and the lower lid over columns ``x``; equal beyond the corners."""
    upper = np.interp(x, *portrait.UPPER_LIDS[eye].T.astype(np.float64))
    return upper, np.maximum(upper, np.interp(x, *portrait.LOWER_LIDS[eye].T.astype(np.float64)))


def _between(
    y: npt.NDArray[np.float64],
    upper: npt.NDArray[np.float64],
    lower: npt.NDArray[np.float64],
    above: npt.NDArray[np.float64],
    below: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """``above`` up to the opening, ``below`` under it, and a ramp across it."""
    share = np.clip((y - upper) / np.maximum(lower - upper, 0.3), 0, 1)
    return above * (1 - share) + below * share


def _lid(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], eye: int) -> npt.NDArray[np.float64]:
    upper, lower = lid_lines(x, eye)
    gap = lower - upper
    meet = lower - 0.1 * gap
    # The lashes' own width moves whole, the skin above them stretches. Lids overlap a little when closed.
    lap = np.clip(gap / 3, 0, 1)
    above = (meet - upper + 0.35 * lap) * (1 - _step((upper - y - 1.0) / 8.0))
    below = (meet - lower - 0.25 * lap) * (1 - _step((y - lower - 0.5) / 6.0))
    down = _between(y, upper, lower, above, below)
    bulge = 0.9 * np.clip(down / 4, 0, 1)
    return np.stack([np.zeros_like(x), down, bulge], -1)


def _lips_together(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    upper, lower = lip_lines(x)
    gap = lower - upper
    meet = upper + 0.42 * gap
    lap = np.clip(gap / 3, 0, 1)
    above = (meet - upper + 0.5 * lap) * np.clip(1 - (upper - y) / 9.0, 0, 1) ** 1.3
    below = (meet - lower - 0.5 * lap) * np.clip(1 - (y - lower) / 26.0, 0, 1) ** 1.3
    down = _between(y, upper, lower, above, below)
    forward = 0.25 * np.abs(down)
    return np.stack([np.zeros_like(x), down, forward], -1)


_EDGES = (
    ((191, 80, 81, 82, 13, 312, 311, 310, 415), (95, 88, 178, 87, 14, 317, 402, 318, 324)),
    ((246, 161, 160, 159, 158, 157, 173), (7, 163, 144, 145, 153, 154, 155)),
    ((466, 388, 387, 386, 385, 384, 398), (249, 390, 373, 374, 380, 381, 382)),
)
"""MediaPipe's landmarks on the upper and lower edge of the mouth, the viewer's left eye and the right one."""


def at_edges(landmarks: Floats) -> Floats:
    """Landmarks ``[468, 2]``; those on lips and lids are put outside the opening, on their skin."""
    out = np.array(landmarks, np.float64)
    for (upper_ids, lower_ids), lines in zip(_EDGES, (lip_lines, _left_lids, _right_lids), strict=True):
        for ids, limit, side in ((upper_ids, np.minimum, 0), (lower_ids, np.maximum, 1)):
            rows = list(ids)
            out[rows, 1] = limit(out[rows, 1], lines(out[rows, 0])[side])
    return out.astype(np.float32)


def _left_lids(x: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    return lid_lines(x, 0)


def _right_lids(x: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    return lid_lines(x, 1)


def inside_openings(pixels: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """How deep points ``[N, 2]`` lie inside an eye or the mouth, in portrait pixels; 0 outside."""
    x, y = np.asarray(pixels, np.float64).T
    deep = np.zeros(len(x))
    for upper, lower in (lip_lines(x), _left_lids(x), _right_lids(x)):
        deep = np.maximum(deep, np.minimum(y - upper, lower - y))
    return deep


def _relaxed(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    out = np.zeros((len(x), 3))
    for side in (-1, 1):
        corner = _MIDDLE + side * _HALF
        row = float(portrait.UPPER_LIP[0 if side < 0 else -1, 1])
        near = np.exp(-(((x - corner) / 12) ** 2 + ((y - row) / 10) ** 2))
        out[:, 0] += -side * 3.4 * near
        out[:, 1] += 1.3 * near
        out[:, 2] += 1.2 * near
        cheek = np.exp(-(((x - corner - side * 8) / 12) ** 2 + ((y - row + 14) / 10) ** 2))
        out[:, 1] += 1.2 * cheek
        out[:, 2] -= 0.7 * cheek
    return out


def _rounded(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    row = lip_lines(np.array([_MIDDLE]))[0][0] + 4
    near = np.exp(-(((x - _MIDDLE) / 24) ** 2 + ((y - row) / 13) ** 2))
    toward = np.clip((x - _MIDDLE) / _HALF, -1.6, 1.6)
    return np.stack([-6.0 * toward * near, np.zeros_like(x), 3.5 * near], -1)


def _brow(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    up = np.zeros_like(x)
    for centre in (200.5, 250.5):
        up += np.exp(-(((x - centre) / 13) ** 2 + (np.where(y < 89, (y - 89) / 7, (y - 89) / 6)) ** 2))
    # The fringe covers the forehead: the skin slides under it.
    return np.stack([np.zeros_like(x), -3.2 * up, np.zeros_like(x)], -1)


def _jaw(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    upper, lower = lip_lines(x)
    aside = np.abs(x - _MIDDLE)
    hinge = 144.0 - 26.0 * np.clip((aside - 0.6 * _HALF) / 32, 0, 1) ** 1.2
    base = _step((y - hinge + 9) / 24)
    lens = np.clip(1 - (aside / _HALF) ** 2, 0, 1) ** 0.75
    below = base + (1 - base) * lens * np.exp(-((np.maximum(y - lower, 0) / 16) ** 2))
    above = base * (1 - lens * np.exp(-((np.maximum(upper - y, 0) / 9) ** 2)))
    return _between(y, upper, lower, above, below)


def _near_face(pixels: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """1 on the visible face, falling to 0 a few pixels outside (hair, ears); farther down the throat."""
    mask = np.ones((portrait.SIDE * 2, portrait.SIDE * 2), np.uint8)
    cv2.fillPoly(mask, [np.round(portrait.SKIN * 2 - 0.5).astype(np.int32)], 0)
    away = cv2.distanceTransform(mask, cv2.DIST_L2, 5) / 2
    at = np.asarray(pixels, np.float64) * 2 - 0.5
    distance = map_coordinates(away, at.T[::-1], order=1, mode="nearest")
    y = np.asarray(pixels, np.float64)[:, 1]
    reach = 2.5 + 9.0 * _step((y - 155) / 12)
    return 1 - _step(np.asarray(distance, np.float64) / reach)


def _step(x: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    x = np.clip(np.asarray(x, np.float64), 0, 1)
    return x * x * (3 - 2 * x)
