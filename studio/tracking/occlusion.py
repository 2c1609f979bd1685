"""How much of a face is covered: skin that does not have its usual colour."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from studio.domain.camera import Floats
from studio.head.alignment import align
from studio.head.normals import vertex_normals
from studio.head.topology import topology
from studio.tracking.identity import head_axes
from studio.tracking.regions import RIGID, SKIN
from studio.tracking.sighting import Sighting

_FACING = 0.35
"""Skin whose normal points at the camera less than this is not judged: colours slide there."""
_FLOOR = 4.0
"""Smallest spread of a point's colour, in 8-bit Lab units, so that still clips are not judged by noise."""
_UNUSUAL = 5.0
"""A point is covered when its colour is so many spreads away from its median."""


def covered_share(faces: Sequence[Sighting | None]) -> Floats:
    """Share of the visible skin whose colour is far from what the clip shows there otherwise.

    The colour of each skin landmark is compared with its own median over the clip; the frame's overall
    change of light and tint, and a gradient of light across the face, are taken out first by a robust
    linear fit, so that turning towards a window is no occlusion.

    Args:
        faces: T sightings of one person, None where not seen.

    Returns:
        ``[T]`` 0..1, 0 where not seen.
    """
    known = [frame for frame, face in enumerate(faces) if face is not None]
    share = np.zeros(len(faces), np.float32)
    if len(known) < 3:
        return share
    present = [face for face in faces if face is not None]
    colours = np.stack([face.colours for face in present]).astype(np.float32)
    usual = np.median(colours, axis=0)
    visible = _visible(np.stack([face.landmarks for face in present]))
    places = topology().positions[list(SKIN), :2]
    places = (places - places.mean(0)) / places.std(0)
    base = np.concatenate([np.ones((len(places), 1), np.float32), places.astype(np.float32)], 1)
    rest = colours - usual
    for number in range(len(present)):
        rest[number] -= _light(base, rest[number], visible[number])
    spread = 1.4826 * np.median(np.abs(rest), axis=0) + _FLOOR
    far = (np.abs(rest) / spread).max(-1) > _UNUSUAL
    share[known] = (far & visible).sum(1) / np.maximum(visible.sum(1), 1)
    return share


def _light(base: Floats, change: Floats, visible: np.ndarray) -> Floats:
    """A constant and a gradient per colour channel that explains most points; outliers count little."""
    weight = visible.astype(np.float32) + 1e-3
    shift = np.median(change[visible], axis=0) if visible.any() else np.median(change, axis=0)
    weight = weight / (1 + (np.abs(change - shift).max(1) / (2 * _FLOOR)) ** 2)
    part = base * weight[:, None]
    # A little ridge on the gradient keeps it from chasing a covered half of the face.
    ridge = np.diag([1e-3, 4.0, 4.0]).astype(np.float32)
    solved = np.linalg.solve(part.T @ base + ridge, part.T @ change)
    return np.asarray(base @ solved, np.float32)


def _visible(landmarks: Floats) -> np.ndarray:
    """``[T, len(SKIN)]`` whether each skin landmark faces the camera, by an average face's normals."""
    shape = topology().positions
    normals = vertex_normals(shape, topology().triangles)[list(SKIN)]
    skull = list(RIGID)
    _, rotation, _ = align(head_axes(landmarks[:, skull]), shape[skull], np.ones(len(skull), np.float32))
    return np.asarray(normals @ rotation[:, 2].T > _FACING).T
