"""A small clip with known motion, and engines whose quality is known, for tests of the evaluation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from skimage.data import astronaut

from pipelines.aligned_crop import cut_view
from pipelines.evaluate_avatar import Judged
from studio.domain.camera import project
from studio.domain.controls import HEAD_NAMES, Control, ControlSheet, ControlState
from studio.domain.motion import HeadMotion
from studio.domain.rendering import Frame, RenderRequest
from studio.domain.sequence import TrackedSequence
from studio.head import builtin_head
from studio.media import read_frames
from studio.tracking.tracker import Face, Picture

FRAMES, WIDTH, HEIGHT = 30, 320, 272
TRAIN, HELD_OUT = slice(0, 20), slice(20, 30)
REST = np.array([900.0, 160.0, 136.0], np.float32)
EXTRA = Control("mood", "Mood", "amount", "Extra", -1, 1, 0.25)


def write_clip(path: Path) -> Path:
    """The portrait drifting sideways, its contrast reduced so that an offset cannot clip."""
    wide = 40 + astronaut()[0:HEIGHT, 60 : 60 + WIDTH + 2 * FRAMES] * 0.6
    film = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 25, (WIDTH, HEIGHT))
    for t in range(FRAMES):
        film.write(np.ascontiguousarray(wide[:, 2 * t : 2 * t + WIDTH, ::-1]).astype(np.uint8))
    film.release()
    return path


def tracked_clip() -> TrackedSequence:
    """Parameters that drift with the picture; the aligned crop is fixed and lies inside the frame."""
    model = builtin_head()
    motion = HeadMotion.neutral(FRAMES, REST)
    angles = motion.angles.copy()
    angles[:, 0] = np.linspace(-10, 10, FRAMES)
    motion = replace(motion, angles=angles)
    identity = np.zeros(model.identities, np.float32)
    offset = np.zeros_like(model.template)
    points = model.landmarks(identity, offset, motion)
    crop = np.array([1 / 200, 0.0, -60 / 200, -36 / 200], np.float32)
    return TrackedSequence(
        width=WIDTH,
        height=HEIGHT,
        rate=Fraction(25),
        landmarks=project(points, motion.angles, motion.camera),
        crops=np.tile(crop, (FRAMES, 1)),
        mask_boxes=np.tile(crop, (FRAMES, 1)),
        flags=np.zeros(FRAMES, np.int32),
        sharpness=np.ones(FRAMES, np.float32),
        head_model=model.id,
        identity=identity,
        offset=offset,
        motion=motion,
        fit_error=np.zeros(FRAMES, np.float32),
        tracker="test",
    )


class KnownEngine:
    """Draws the true crop of the frame that it is asked for, changed by a function of known effect."""

    def __init__(self, video: Path, change: Callable[[int, np.ndarray], np.ndarray]) -> None:
        self.sheet = ControlSheet(
            (*(Control(n, n, "amount", "Head", -1e6, 1e6, float(n == "zoom")) for n in HEAD_NAMES), EXTRA)
        )
        self.asked: list[ControlState] = []
        self.closed = False
        self._frames = list(read_frames(video))
        self._change = change

    def render(self, request: RenderRequest) -> Frame:
        self.asked.append(request.state)
        frame = round((request.state["yaw"] + 10) / 20 * (FRAMES - 1))
        image = self._change(frame, cut_view(self._frames[frame], request.view))
        return Frame(image, None, request, 1.0)

    def close(self) -> None:
        self.closed = True


class PosedTracker:
    """Sees the neutral head at a fixed yaw wherever it looks, and nobody in a black picture."""

    name = "posed"
    score_names = ()

    def __init__(self, yaw: float = 0.0, shift: float = 0.0) -> None:
        model = builtin_head()
        motion = HeadMotion.neutral(1, np.array([800.0, 88.0 + shift, 88.0], np.float32))
        motion.angles[:, 0] = yaw
        zero = np.zeros(model.identities, np.float32)
        points = model.landmarks(zero, np.zeros_like(model.template), motion)
        self._points = project(points, motion.angles, motion.camera)[0]

    def faces(self, picture: Picture) -> list[Face]:
        return [Face(self._points)] if picture.max() > 0 else []

    def close(self) -> None:
        pass


def judged(video: Path, engine: KnownEngine, **changes: object) -> Judged:
    whole = Judged(
        engine=engine,
        engine_id="known",
        rest_camera=REST,
        sequence=tracked_clip(),
        video=video,
        train=TRAIN,
        held_out=HELD_OUT,
        title="portrait",
    )
    return replace(whole, **changes)  # type: ignore[arg-type]
