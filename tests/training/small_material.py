"""Material whose truth is known: frames are their guides, one pixel to the right and tinted by the turn."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from pipelines.cut_material import Material
from studio.domain.motion import HeadMotion

SIDE = 32
TINT = 30.0
"""Levels of red per radian of yaw over 0.35, less of blue."""


def smooth(count: int, chance: np.random.Generator, side: int = SIDE) -> np.ndarray:
    """``[count, side, side, 3]`` float pictures that change slowly, 60..195."""
    coarse = chance.uniform(60, 195, (count, 6, 6, 3)).astype(np.float32)
    pictures = [cv2.resize(c, (side, side), interpolation=cv2.INTER_LINEAR) for c in coarse]
    return np.array(pictures, np.float32).reshape(count, side, side, 3)


def moves(yaw: np.ndarray, chance: np.random.Generator, size: float = 1.0) -> HeadMotion:
    """Frames of these turns, degrees, with some expression."""
    motion = HeadMotion.neutral(len(yaw), np.array([750.0, 96.0, 96.0], np.float32))
    motion.angles[:, 0] = yaw
    motion.angles[:, 1] = chance.normal(0, 4, len(yaw))
    motion.expression[:, :4] = size * chance.normal(size=(len(yaw), 4))
    motion.jaw[:, 0] = np.abs(chance.normal(0, 0.1, len(yaw)))
    return motion


def truth(guide: np.ndarray, yaw: np.ndarray) -> np.ndarray:
    """``[..., R, R, 3]`` what the camera would have seen where warping gives ``guide``."""
    tint = np.deg2rad(yaw)[:, None, None, None] / 0.35 * np.array([TINT, 0.0, -0.5 * TINT])
    return (np.roll(guide, 1, 2) + tint).round().clip(0, 255).astype(np.uint8)


def small_material(count: int = 48, made: int = 24, side: int = SIDE, seed: int = 0) -> Material:
    """``count`` frames, the middle of each third to judge by; made-up moments turned far away, whose targets
    are their guides."""
    chance = np.random.default_rng(seed)
    yaw = chance.uniform(-20, 20, count)
    guide = smooth(count, chance, side)
    whole = np.full((count, side, side), 255, np.uint8)
    judged = np.concatenate([np.arange(2) + int((b + 0.5) * count / 3) for b in range(3)])
    learnt = np.setdiff1d(np.arange(count), judged)
    invented = smooth(made, chance, side).round().astype(np.uint8)
    away = np.where(np.arange(made) % 2, 1.0, -1.0) * chance.uniform(50, 65, made)
    return Material(
        frames=np.arange(count, dtype=np.int32),
        real=truth(guide, yaw),
        guides=guide.round().astype(np.uint8)[None],
        inside=whole,
        mask=whole,
        keep=whole,
        motion=moves(yaw, chance),
        crops=np.tile(np.array([1 / 190, 0, 0, 0], np.float32), (count, 1)),
        train=learnt,
        validation=judged,
        pivots=learnt[::8],
        made_guides=invented,
        made_targets=invented,
        made_motion=moves(away, chance, 3.0),
    )


def poisoned(material: Material, where: slice) -> Material:
    """The same with nonsense in these columns of the frames, which are said to be outside the picture."""
    inside, real = material.inside.copy(), material.real.copy()
    inside[:, :, where] = 0
    real[:, :, where] = np.random.default_rng(99).integers(0, 255, real[:, :, where].shape)
    return replace(material, inside=inside, real=real)
