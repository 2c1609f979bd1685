"""Instant avatars of the average person on disk, and the requests that tell them apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from studio.domain.avatar import Avatar
from studio.domain.rendering import RenderRequest
from studio.engines.catalog import engine_spec
from studio.project.avatar_files import save_avatar
from studio.warping.warp_files import save_parts
from tests.warping.average_person import STAGE, ask, average_person, motion_of, parts_from, pattern


def write_avatar(folder: Path, seed: int = 0) -> Avatar:
    """An instant avatar whose textures depend on ``seed``."""
    folder.mkdir(parents=True)
    textures = np.stack([pattern(seed * 10 + i) for i in range(3)])
    plate = np.full_like(textures[0], 120)
    save_parts(folder, parts_from(average_person(), motion_of([-12.0, 0.0, 12.0]), textures, plate=plate))
    avatar = Avatar("Average", "instant", f"key{seed}", folder, STAGE, {})
    save_avatar(folder, avatar)
    return avatar


def turned(yaw: float) -> RenderRequest:
    """The head at some yaw, in degrees."""
    return ask(motion_of([yaw]))


def drawn_directly(avatar: Avatar, request: RenderRequest) -> tuple[np.ndarray, np.ndarray | None]:
    """What the avatar's engine draws in this process."""
    engine = engine_spec(avatar.engine).load(avatar)
    frame = engine.render(request)
    engine.close()
    return frame.image, frame.alpha
