"""A tracker of made discs, and contenders whose worth is known."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pipelines.one_picture import OnePicture
from pipelines.people_contenders import Driven, Pictures
from studio.domain.camera import project
from studio.domain.motion import HeadMotion
from studio.head import builtin_head
from studio.tracking.tracker import Face


class DiscTracker:
    """Finds a face where a disc is: the neutral head, upright, at its centre. Blind to grey pictures."""

    name = "discs"
    score_names: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.closed = False

    def faces(self, picture: Pictures) -> list[Face]:
        inside = np.abs(picture.astype(int) - 110).max(2) > 8
        if not inside.any():
            return []
        model, side = builtin_head(), len(picture)
        y, x = (indices + 0.5 for indices in np.nonzero(inside))
        camera = np.array([[side / 0.30, x.mean(), y.mean()]], np.float32)
        motion = HeadMotion.neutral(1, camera[0])
        neutral = model.neutral(np.zeros(model.identities, np.float32), np.zeros_like(model.template))
        points = project(model.posed_landmarks(neutral)(motion), motion.angles, camera)[0]
        return [Face(points)]

    def close(self) -> None:
        self.closed = True


class Truth:
    """Shows the driving frames themselves."""

    name = "truth"

    def of(self, person: OnePicture) -> Driven:
        return lambda motion, frames: frames.copy()


class Nobody:
    """Shows a wall."""

    name = "nobody"

    def of(self, person: OnePicture) -> Driven:
        return lambda motion, frames: np.full_like(frames, 110)


class Watching:
    """Keeps what an evaluation shows."""

    def __init__(self) -> None:
        self.seen: dict[str, tuple[OnePicture, Pictures, Mapping[str, Pictures]]] = {}

    def saw(self, driving: str, person: OnePicture, real: Pictures, drawn: Mapping[str, Pictures]) -> None:
        self.seen[driving] = (person, real, drawn)
