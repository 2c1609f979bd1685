"""Volume material whose truth is known: a speckled ball that turns like a head, before a striped wall.

The jaw's angle makes the lower half of the ball lighter, so that something depends on the moment as well. All
of it is drawn in closed form, at any place of the head's plane.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipelines.cut_volume_material import VolumeMaterial
from studio.domain.camera import rotation_from_angles
from studio.domain.motion import HeadMotion
from studio.engines.tri2plane.person import VolumePerson
from studio.head.zero_pose import FrontalGrid
from tests.engines.tri2plane.small_volume import small_person
from tests.warping.average_person import CAMERA

SIDE, ROOM = 32, 8
WIDE = SIDE + 2 * ROOM
SPAN = 0.30
"""Metres of the head's plane along a side of the wide pictures."""
RADIUS = 0.085
MAPS = 32
JUDGED = (4, 10, 16)
_WAVES = np.array([[60.0, 25.0, 30.0], [-20.0, 70.0, 35.0], [45.0, -50.0, 20.0]])


def ball_person() -> VolumePerson:
    """The average head's geometry around a ball; its chin is so far down that nothing of it is neck."""
    low, high = np.array([-0.15, -0.15, -0.20], np.float32), np.array([0.15, 0.15, 0.12], np.float32)
    x, y = np.moveaxis(FrontalGrid(low[:2], high[:2], 64).centres(), -1, 0)
    proxy = np.sqrt(np.clip(RADIUS**2 - x**2 - y**2, 0, None)) - np.where(np.hypot(x, y) > RADIUS, 0.5, 0.0)
    return replace(
        small_person(MAPS), low=low, high=high, proxy=proxy.astype(np.float32), chin=-1.0, rest_camera=CAMERA
    )


def shown(plane: np.ndarray, rotation: np.ndarray, jaw: float) -> tuple[np.ndarray, np.ndarray]:
    """Colours ``[..., 3]`` 0..1 (black beside the ball) and coverage ``[...]`` at places ``[..., 2]`` of the
    head's plane, metres, x right and y up."""
    x, y = np.moveaxis(plane, -1, 0)
    depth = RADIUS**2 - x**2 - y**2
    there = depth > 0
    at = np.stack([x, y, np.sqrt(np.clip(depth, 0, None))], -1) @ rotation  # to the ball's own axes
    colours = 0.5 + 0.28 * np.sin(at @ _WAVES.T + np.array([0.0, 1.0, 2.0]))
    colours = colours + 0.5 * jaw / (1.0 + np.exp(at[..., 1:2] / 0.01))
    return np.where(there[..., None], colours, 0.0), there.astype(np.float64)


def wall(plane: np.ndarray) -> np.ndarray:
    """``[..., 3]`` 0..1."""
    stripe = 0.25 + 0.1 * np.sin(plane[..., :1] * 40.0)
    return np.concatenate([stripe, 1.0 - stripe, 0.5 + 0.0 * stripe], -1)


def places(motion: HeadMotion, frame: int, finer: int = 1) -> np.ndarray:
    """``[S, S, 2]`` metres of the head's plane at a wide picture's pixels, ``finer`` times as many."""
    line = ((np.arange(WIDE * finer) + 0.5) / (WIDE * finer) - 0.5) * SPAN
    x, y = np.meshgrid(line, -line)
    return np.stack([x, y], -1)


def _fewer(values: np.ndarray, times: int) -> np.ndarray:
    side = len(values) // times
    return values.reshape(side, times, side, times, -1).mean((1, 3))


def moves(count: int, seed: int) -> HeadMotion:
    """Turns from one side to the other, while nodding, wandering and opening the mouth."""
    random = np.random.default_rng(seed)
    motion = HeadMotion.neutral(count, CAMERA)
    motion.angles[:, 0] = np.linspace(-32, 32, count)
    motion.angles[:, 1] = random.uniform(-10, 10, count)
    motion.jaw[:, 0] = random.uniform(0, 0.5, count)
    motion.camera[:, 1:] += random.uniform(-20, 20, (count, 2))
    return motion


def small_volume_material(count: int = 20, seed: int = 0) -> VolumeMaterial:
    """``count`` frames, of which :data:`JUDGED` are to judge by."""
    motion, person = moves(count, seed), ball_person()
    pictures = np.empty((count, WIDE, WIDE, 3), np.uint8)
    mask = np.empty((count, WIDE, WIDE), np.uint8)
    background = np.empty_like(pictures)
    finer = 4
    for t, rotation in enumerate(rotation_from_angles(motion.angles)):
        plane = places(motion, t, finer)
        colours, cover = shown(plane, rotation, float(motion.jaw[t, 0]))
        behind = wall(plane)
        whole = _fewer(colours + (1.0 - cover[..., None]) * behind, finer)
        pictures[t] = (255 * whole).round().clip(0, 255)
        mask[t] = (255 * _fewer(cover, finer)[..., 0]).round()
        background[t] = (255 * _fewer(behind, finer)).round()
    pixels = SPAN * CAMERA[0]
    crops = np.array([[1 / pixels, 0, 0.5 - cx / pixels, 0.5 - cy / pixels] for _, cx, cy in motion.camera])
    maps = np.zeros((count, 6, MAPS, MAPS), np.float16)
    maps[:, 3:6] = motion.jaw[:, 0, None, None, None]
    maps[:, 3:, : MAPS // 2] *= -1  # flat maps would be normalised away
    return VolumeMaterial(
        frames=np.arange(count, dtype=np.int32),
        real=pictures,
        inside=np.full((count, WIDE, WIDE), 255, np.uint8),
        mask=mask,
        background=background,
        motion_map=maps,
        displacement=np.zeros((count, 3, MAPS, MAPS), np.float16),
        motion=motion,
        crops=crops.astype(np.float32),
        train=np.setdiff1d(np.arange(count), JUDGED).astype(np.int64),
        validation=np.array(JUDGED, np.int64),
        person=person,
        resolution=SIDE,
    )


def poisoned(material: VolumeMaterial, where: np.ndarray) -> VolumeMaterial:
    """The same with nonsense in everything that was seen at these places."""
    random = np.random.default_rng(99)
    changes = {}
    for name in ("real", "mask", "background"):
        values = getattr(material, name).copy()
        values[where] = random.integers(0, 255, values[where].shape)
        changes[name] = values
    for name in ("motion_map", "displacement"):
        values = getattr(material, name).copy()
        values[where] = random.normal(0, 1, values[where].shape)
        changes[name] = values
    motion = HeadMotion(**{name: value.copy() for name, value in vars(material.motion).items()})
    motion.angles[where] += 50.0
    motion.jaw[where] += 1.0
    return replace(material, **changes, motion=motion)
