"""A synthetic person: the built-in head with textures whose every pixel is known."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import cv2
import numpy as np

from studio.domain.camera import Similarity, View, project
from studio.domain.controls import ControlState, track_from_motion
from studio.domain.motion import HeadMotion
from studio.domain.rendering import RenderRequest
from studio.head import builtin_head
from studio.head.sheet import head_sheet
from studio.warping.mesh import PersonMesh, ShellMotion, boundary_loop, picture_border
from studio.warping.parts import WarpParts
from studio.warping.plate import Plate
from studio.warping.settings import WarpSettings
from studio.warping.warper import Warper

SIZE = 192
CAMERA = np.array([750.0, 96.0, 100.0], np.float32)
STAGE = View(Similarity(1.0, 0.0, 0.0, 0.0), SIZE, SIZE)


def one_pivot_each() -> WarpSettings:
    """Settings that blend nothing, so that what is drawn can be traced to one pivot."""
    return WarpSettings(face_blend=1, outer_blend=1, mouth_blend=1, eyes_blend=1)


def average_person() -> PersonMesh:
    """A person of average shape in the middle of the stage."""
    model = builtin_head()
    offset = np.zeros_like(model.template)
    identity = np.zeros(model.identities, np.float32)
    rest = np.zeros(3, np.float32)
    still = model.vertices(identity, offset, HeadMotion.neutral(1, CAMERA))[0]
    rim = project(still[boundary_loop(model.triangles)], rest, CAMERA)[:, :2]
    border = picture_border(rim, rim.mean(0), (0.0, 0.0, float(SIZE), float(SIZE)))
    return PersonMesh(model, identity, offset, CAMERA, rest, border)


def motion_of(yaw: np.ndarray | list[float], jaw: float | list[float] = 0.0) -> HeadMotion:
    """Frames that turn to the given yaw (degrees), with the jaw open by the given radians."""
    motion = HeadMotion.neutral(len(yaw), CAMERA)
    motion.angles[:, 0] = yaw
    motion.jaw[:, 0] = jaw
    return motion


def no_shell_motion(mesh: PersonMesh) -> ShellMotion:
    """A shell that only turns with the head."""
    first, last = mesh.shell
    return ShellMotion(
        np.zeros((7, last - first, 2), np.float32), np.zeros(7, np.float32), np.ones(7, np.float32)
    )


def pattern(seed: int, size: int = SIZE) -> np.ndarray:
    """A smooth random picture, ``[size, size, 4]``, wholly person."""
    random = np.random.default_rng(seed).uniform(0, 255, (12, 12, 3)).astype(np.float32)
    smooth = cv2.resize(random, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.dstack([np.clip(smooth, 0, 255), np.full((size, size), 255)]).astype(np.uint8)


def parts_from(
    mesh: PersonMesh,
    motion: HeadMotion,
    textures: np.ndarray,
    settings: WarpSettings | None = None,
    plate: np.ndarray | None = None,
) -> WarpParts:
    """An avatar of pivots' motion and textures; the background is white unless given."""
    background = np.full((SIZE, SIZE, 4), 255, np.uint8) if plate is None else plate
    first, last = mesh.shell
    return WarpParts(
        mesh=replace(mesh, shell_motion=no_shell_motion(mesh)),
        motion=motion,
        textures=textures,
        shell=np.zeros((len(motion), last - first, 2), np.float32),
        trust=np.ones((len(motion), mesh.vertices), np.float32),
        plate=Plate(background, 0.0),
        stage=STAGE,
        settings=settings or one_pivot_each(),
        sheet=head_sheet(motion, CAMERA),
    )


def engine_from(mesh: PersonMesh, motion: HeadMotion, textures: np.ndarray, **rest: Any) -> Warper:
    """An engine that draws :func:`parts_from`."""
    return Warper(parts_from(mesh, motion, textures, **rest))


def ask(motion: HeadMotion, view: View = STAGE) -> RenderRequest:
    """A request for the first frame of a motion."""
    track = track_from_motion(motion, CAMERA, Fraction(30))
    return RenderRequest(ControlState(track.names, track.values[0].copy()), view)
