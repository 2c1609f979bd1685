"""The pictures that tell whether an avatar is one head: turned by its controls, and real ones beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipelines.aligned_crop import cut_view
from studio.domain.camera import Floats, View
from studio.domain.controls import HEAD_NAMES, ControlState, track_from_motion
from studio.domain.problem import Problem
from studio.domain.rendering import RenderRequest
from studio.domain.sequence import TrackedSequence
from studio.engines.engine import Engine
from studio.head import HeadModel
from studio.media import read_selected

NEUTRAL, STRONG, USUAL = "neutral", "strong", "usual"
"""Faces: the engine's defaults; a strong one of the clip; about the clip's most usual, of real frames."""
HEAD, CAMERA, CLIP, TRUTH = "head", "camera", "clip", "true head"
"""What is turned."""
_STRONG = 90
"""Percentile of the clip's frames, by how far the face moves, that a strong face is taken from."""
_FRONTAL = 15.0
"""Degrees of yaw up to which it is looked for."""
_MOTION = [n for n in HEAD_NAMES if n.startswith(("jaw", "expression"))]
Picture = npt.NDArray[np.uint8]
Draw = Callable[[View], Picture]
"""What a view shows of one state or frame."""


@dataclass(frozen=True)
class Shown:
    """An avatar to look at."""

    engine: Engine
    """Draws it."""
    name: str
    """What reports call it, e.g. ``tri2plane`` or ``pvp:draft``."""
    stage: View
    """What the pictures show."""


@dataclass(frozen=True)
class Filmed:
    """The clip that the avatars were built from."""

    sequence: TrackedSequence
    """What was tracked in it."""
    seen: npt.NDArray[np.integer]
    """``[K]`` frames that the avatars were allowed to learn from; good ones among them count."""
    rest_camera: npt.NDArray[np.floating]
    """``[3]`` scale, cx, cy."""
    stage: View
    """What pictures of its frames show."""
    video: Path | None = None
    """The clip itself; None leaves real frames out."""
    title: str = ""
    """Name of the clip, for tables."""
    truth: Callable[[int, Floats], Picture] | None = None
    """Draws a frame's true face under other angles ``[3]`` (degrees as tracked); None where unknown."""


@dataclass(frozen=True)
class Series:
    """Pictures of one turn, drawn one after the other."""

    name: str
    """Whose pictures."""
    turned: str
    """What is turned."""
    face: str
    """Which face."""
    stage: View
    """What the pictures show."""
    pictures: Callable[[], Iterator[Draw | None]]
    """What draws each yaw's; None for a yaw that there is no picture of."""


def engine_series(
    shown: Sequence[Shown], yaws: Sequence[float], strongly: Mapping[str, float]
) -> Iterator[Series]:
    """Each avatar turned by its head and by its camera, with both faces."""
    for avatar in shown:
        names = avatar.engine.sheet.names
        # A camera that goes to the viewer's right sees the nose turn to the left.
        ways = [(HEAD, "yaw", 1.0), (CAMERA, "orbit_yaw", -1.0)]
        faces = {NEUTRAL: {}, STRONG: {n: v for n, v in strongly.items() if n in names}}
        able = [way for way in ways if way[1] in names]
        if not able:
            raise Problem(f"This {avatar.name} avatar cannot be turned: choose another engine.")
        for turned, control, sign in able:
            for face, values in faces.items():
                asked = [{**values, control: sign * yaw} for yaw in yaws]
                yield Series(avatar.name, turned, face, avatar.stage, _Drawing(avatar.engine, asked))


class _Drawing:
    """Draws an engine's states one by one."""

    def __init__(self, engine: Engine, asked: Sequence[Mapping[str, float]]) -> None:
        self._engine, self._asked = engine, asked

    def __call__(self) -> Iterator[Draw]:
        for values in self._asked:
            state = self._engine.sheet.state(values)

            def draw(view: View, state: ControlState = state) -> Picture:
                return self._engine.render(RenderRequest(state, view)).image

            yield draw


def real_series(
    filmed: Filmed, usual: list[int | None], strong: int, yaws: Sequence[float]
) -> Iterator[Series]:
    """The clip's own frames, and the true head where it is known."""
    if filmed.video is not None and any(frame is not None for frame in usual):
        video = filmed.video

        def frames() -> Iterator[Draw | None]:
            wanted = sorted({frame for frame in usual if frame is not None})
            pictures = dict(read_selected(video, wanted))
            for frame in usual:
                yield None if frame is None else _cutting(pictures[frame])

        yield Series(CLIP, CLIP, USUAL, filmed.stage, frames)
    if filmed.truth is not None:
        truth = filmed.truth

        def true() -> Iterator[Draw | None]:
            for yaw in yaws:
                yield _cutting(truth(strong, np.array([yaw, 0.0, 0.0], np.float32)))

        yield Series(TRUTH, TRUTH, STRONG, filmed.stage, true)


def _cutting(source: Picture) -> Draw:
    return lambda view: cut_view(source, view)


def face_of(sequence: TrackedSequence, rest_camera: npt.NDArray[np.floating], frame: int) -> dict[str, float]:
    """Controls of the jaw and the expression in a frame; eyes and head are left at rest."""
    values = track_from_motion(sequence.motion, rest_camera, sequence.rate).values[frame]
    return {name: float(values[HEAD_NAMES.index(name)]) for name in _MOTION}


def picked_frames(
    model: HeadModel,
    sequence: TrackedSequence,
    good: npt.NDArray[np.integer],
    yaws: Sequence[float],
    step: float,
) -> tuple[int, list[int | None]]:
    """The frame of a strong face; and for each yaw the frame there whose face is most usual, if any."""
    motion = sequence.motion.take(good)
    landmarks = model.landmarks(sequence.identity, sequence.offset, motion)
    middle = np.median(landmarks, axis=0)
    unusual = 1000.0 * np.sqrt(((landmarks - middle) ** 2).sum(-1).mean(1))
    # A tenth of a millimetre for each degree of nod or tilt: trackers read these as changes of the face, too.
    leaning = np.abs(motion.angles[:, 1:] - np.median(motion.angles[:, 1:], axis=0)).sum(1)
    frontal = np.flatnonzero(np.abs(motion.angles[:, 0]) <= _FRONTAL)
    rows = frontal if len(frontal) else np.arange(len(good))
    strength = np.percentile(unusual[rows], _STRONG)
    strong = int(good[rows[np.abs(unusual[rows] - strength).argmin()]])
    chosen: list[int | None] = []
    for yaw in yaws:
        there = np.flatnonzero(np.abs(motion.angles[:, 0] - yaw) <= step / 2)
        cost = unusual[there] + 0.1 * leaning[there]
        chosen.append(int(good[there[cost.argmin()]]) if len(there) else None)
    return strong, chosen
