"""An avatar on disk, opened to be judged by frames of its clip that it has never seen.

Whoever measures avatars opens them here: the same frames, the same masks, the same rest camera.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.evaluate_avatar import Beside, Judged
from studio.domain.avatar import Avatar
from studio.engines.catalog import engine_spec
from studio.engines.engine import Engine
from studio.project.avatar_files import load_avatar
from studio.project.sequence_files import MaskReader, load_sequence


@dataclass(frozen=True)
class Opened:
    """An avatar and what draws it."""

    avatar: Avatar
    """As it lies on disk; its edits are left out, since the camera saw none."""
    engine: Engine
    """Draws it; closed by whoever opened it."""
    rest_camera: npt.NDArray[np.float32]
    """``[3]`` scale, cx, cy that its move and zoom controls are relative to."""

    def beside(self, name: str) -> Beside:
        """It as the avatar that is measured beside another one; ``name``: what reports call it."""
        return Beside(self.engine, name, self.rest_camera, self.avatar)


def open_avatar(folder: Path, stack: ExitStack) -> Opened:
    """Open the avatar in a folder until the stack ends. Raises Problem when it is damaged."""
    avatar = load_avatar(folder)
    engine = engine_spec(avatar.engine).load(avatar)
    stack.callback(engine.close)
    return Opened(avatar, engine, np.array(avatar.lineage["rest_camera"], np.float32))


def judged_by_the_end(
    opened: Opened,
    tracked: Path,
    video: Path,
    share: float,
    stack: ExitStack,
    title: str = "",
    about: Mapping[str, Any] | None = None,
) -> Judged:
    """An avatar and the end of its clip.

    Args:
        opened: the avatar.
        tracked: folder of the clip's TrackedSequence, whose masks stay open until the stack ends.
        video: the clip itself.
        share: of the clip that is held out.
        stack: ends when the judging does.
        title: name of the clip, for tables.
        about: how the avatar was built, for the report.

    Raises:
        Problem: the tracking is damaged.
    """
    sequence = load_sequence(tracked)
    train, held_out = sequence.split(share)
    masks = stack.enter_context(MaskReader(tracked))
    return Judged(
        engine=opened.engine,
        engine_id=opened.avatar.engine,
        rest_camera=opened.rest_camera,
        sequence=sequence,
        video=video,
        train=train,
        held_out=held_out,
        title=title,
        masks=masks.read,
        about=about or {},
    )
