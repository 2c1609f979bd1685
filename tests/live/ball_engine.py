"""A volumetric avatar in closed form: a ball with coloured spots that a free camera goes around.

There is also a flat one without camera or layers. ``offered`` puts both into the catalog of a test and of the
live workers that the test starts.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from studio.domain.avatar import Avatar
from studio.domain.camera import Similarity, View, rotation_from_angles
from studio.domain.controls import ControlSheet, motion_from_values
from studio.domain.free_camera import FreeCamera, camera_controls
from studio.domain.layer_pictures import depth_picture, normals_picture
from studio.domain.motion import HeadMotion
from studio.domain.rendering import Frame, RenderRequest
from studio.engines.catalog import ENGINES
from studio.engines.engine import EngineSpec
from studio.head.sheet import head_sheet
from studio.live.worker import main
from studio.project.avatar_files import save_avatar

SIZE, RADIUS = 192, 0.08
CAMERA = np.array([750.0, 96.0, 96.0], np.float32)
STAGE = View(Similarity(1.0, 0.0, 0.0, 0.0), SIZE, SIZE)
SKIN, NOSE, RIGHT, TOP = (150, 120, 100), (230, 40, 40), (40, 200, 60), (60, 80, 230)
GROUND = (24, 26, 30)
SPOT = 0.94
"""Cosine of a spot's half angle."""


def head_controls() -> ControlSheet:
    """The head's controls, which only turn and move it here."""
    return head_sheet(HeadMotion.neutral(1, CAMERA), CAMERA)


def sheet() -> ControlSheet:
    """The head's controls and the camera's."""
    return ControlSheet((*head_controls().controls, *camera_controls()))


class Ball:
    """Draws the ball: a red spot where the nose is, a green one at the viewer's right, a blue one on top."""

    def __init__(self, avatar: Avatar) -> None:
        self.sheet = sheet()

    def render(self, request: RenderRequest) -> Frame:
        """Draw one frame."""
        motion = motion_from_values(request.state.values[None], CAMERA)
        free = FreeCamera.from_state(request.state)
        turn = free.rotation @ rotation_from_angles(motion.angles[0])
        scale, cx, cy = free.placed(motion.camera[0])
        view = request.view
        y, x = np.mgrid[: view.height, : view.width].astype(np.float32) + 0.5
        source = view.placement.inverse().apply(np.stack([x, y], -1))
        plane = (source - (cx, cy)) / scale * (1.0, -1.0)
        # |line_at(plane, z)| = RADIUS, solved for the z nearest to the eye
        near, aside = free.nearness, (plane**2).sum(-1)
        a, b, c = 1 + near**2 * aside, near * aside, aside - RADIUS**2
        inside = b**2 - a * c
        height = (b + np.sqrt(np.maximum(inside, 0.0))) / a
        normals = free.line_at(plane, height) / RADIUS
        cover = (inside > 0).astype(np.float32)
        if request.layer == "depth":
            image = depth_picture(height, cover)
        elif request.layer == "normals":
            image = normals_picture(normals, cover)
        else:
            image = self._coloured(normals, turn, cover)
        return Frame(image, (255 * cover).astype(np.uint8), request, 0.0)

    def close(self) -> None:
        """There is nothing to free."""

    def _coloured(self, normals: np.ndarray, turn: np.ndarray, cover: np.ndarray) -> np.ndarray:
        inside = normals @ turn  # the transposed rotation, to head space
        colour = np.broadcast_to(np.array(SKIN, np.float32), normals.shape).copy()
        for axis, spot in ((2, NOSE), (0, RIGHT), (1, TOP)):
            colour[inside[..., axis] > SPOT] = spot
        shade = (0.45 + 0.55 * np.clip(normals[..., 2:], 0.0, 1.0)) * cover[..., None]
        return (colour * shade + np.array(GROUND) * (1.0 - cover[..., None])).astype(np.uint8)


class Flat(Ball):
    """The ball from the front alone."""

    def __init__(self, avatar: Avatar) -> None:
        self.sheet = head_controls()


SPEC = EngineSpec(
    id="ball",
    title="Ball",
    summary="A ball, for tests.",
    loader="tests.live.ball_engine:Ball",
    presets=("draft",),
    missing=lambda home: None,
    layers=("picture", "depth", "normals"),
)
FLAT = replace(SPEC, id="flat", title="Flat", loader="tests.live.ball_engine:Flat", layers=("picture",))
BOTH = {"ball": SPEC, "flat": FLAT}


def write_ball(folder: Path, engine: str = "ball") -> Avatar:
    """A ball on disk."""
    folder.mkdir(parents=True)
    avatar = Avatar("Ball", engine, folder.name, folder, STAGE, {"rest_camera": CAMERA.tolist()})
    save_avatar(folder, avatar)
    return avatar


def offered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have both in the catalog here and in live workers started from here."""
    for engine, spec in BOTH.items():
        monkeypatch.setitem(ENGINES, engine, spec)
    monkeypatch.setattr(
        "studio.live.process.live_command",
        lambda kind, *words: [sys.executable, "-m", "tests.live.ball_engine", *words],
    )


def centre_of(image: np.ndarray, colour: tuple[int, int, int]) -> tuple[float, float]:
    """Where a spot is: x and y of the middle of its pixels, as shares of the picture."""
    channel = int(np.argmax(colour))
    others = np.delete(image, channel, -1).max(-1).astype(int)
    y, x = np.nonzero(image[..., channel].astype(int) > 1.9 * others)
    assert len(x), "the spot is not seen"
    return float((x.mean() + 0.5) / image.shape[1]), float((y.mean() + 0.5) / image.shape[0])


if __name__ == "__main__":
    ENGINES.update(BOTH)
    sys.exit(main(sys.argv[1:]))
