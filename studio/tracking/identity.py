"""Are two stretches of a clip the same person? By skin colours and by the proportions of the skull.

No identity network is needed for faces of one clip under one light: over some 60 clips, the colours at
landmarks of one person stay within 4 units of their median, while two people are 8 apart on average;
pose-free proportions stay within 0.035 (root mean square of a unit face), two people are 0.055 apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats
from studio.head.alignment import align, to_head_space
from studio.tracking.regions import RIGID
from studio.tracking.sighting import Sighting

_LOOK_UNIT = 4.0
_SHAPE_UNIT = 0.045
_SETTLED = 10
"""Sightings after which the mean proportions are worth their full weight."""
_SIDE, _FRONT = 0.7, 0.9
"""Cosines between which a face counts more and more as seen from the front."""
SAME_PERSON = 1.6
"""Two stretches less unlike than this are taken for one person."""


@dataclass(frozen=True)
class Signature:
    """What is typical of one stretch."""

    look: Floats
    """``[len(SKIN), 3]`` median Lab colours."""
    shape: Floats
    """``[len(RIGID), 3]`` mean of the turned and scaled skull landmarks."""
    count: int
    """How many sightings it comes from."""
    facing: float
    """Cosine between where the face looks and the camera, over the sightings used."""


def look_difference(a: npt.NDArray[np.generic], b: npt.NDArray[np.generic]) -> float:
    """Mean difference of two sets of skin colours ``[len(SKIN), 3]`` in 8-bit Lab units, with the overall
    brightness left out and brightness weighed half."""
    return float(point_differences(a, b).mean())


def point_differences(a: npt.NDArray[np.generic], b: npt.NDArray[np.generic]) -> Floats:
    """The same for each point: ``[..., len(SKIN)]``."""
    gap = a.astype(np.float32) - b.astype(np.float32)
    gap[..., 0] -= np.median(gap[..., 0], axis=-1, keepdims=True)
    gap[..., 0] *= 0.5
    return np.asarray(np.abs(gap).mean(-1), np.float32)


def head_axes(landmarks: Floats) -> Floats:
    """Source pixels (y down) to head axes (y up): ``[..., 3]`` right-handed."""
    return landmarks * np.array([1, -1, 1], np.float32)


def signature(sightings: Sequence[Sighting], template: Floats, most: int = 60) -> Signature:
    """What is typical of some sightings; at most ``most`` of them, evenly spread, are looked at.

    Only the third that looks most into the camera counts: a turned face shows other skin, and the mesh
    bends with the turn.

    Args:
        sightings: at least one.
        template: ``[478, 3]`` a mean face in head axes, any scale.
    """
    chosen = [sightings[i] for i in np.unique(np.linspace(0, len(sightings) - 1, most).astype(int))]
    skull = list(RIGID)
    unit = template[skull] - template[skull].mean(0)
    unit = unit / np.sqrt((unit**2).sum(1).mean())
    points = head_axes(np.stack([s.landmarks[skull] for s in chosen]))
    scale, rotation, shift = align(points, unit, np.ones(len(skull), np.float32))
    facing = rotation[:, 2, 2]
    front = np.argsort(-facing)[: max(5, len(chosen) // 3)]
    aligned = to_head_space(points, scale, rotation, shift)[front]
    look = np.median(np.stack([chosen[i].colours for i in front]), axis=0)
    return Signature(look.astype(np.float32), aligned.mean(0), len(sightings), float(facing[front].mean()))


def unlikeness(a: Signature, b: Signature) -> float:
    """How different two stretches are; about 0..1.5 for one person, 2..10 for two (see SAME_PERSON).

    Where one of them shows the face only from the side, there is little to compare and the figure shrinks.
    """
    look = look_difference(a.look, b.look) / _LOOK_UNIT
    shape = float(np.sqrt(((a.shape - b.shape) ** 2).sum(1).mean())) / _SHAPE_UNIT
    settled = min(1.0, a.count / _SETTLED, b.count / _SETTLED)
    frontal = float(np.clip((min(a.facing, b.facing) - _SIDE) / (_FRONT - _SIDE), 0, 1))
    return float(np.hypot(look * (0.4 + 0.6 * frontal), shape * settled * frontal))
