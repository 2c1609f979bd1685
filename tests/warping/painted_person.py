"""The sample's puppet as a person to warp, with the truth about which of their pixels are what."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from pipelines.sample import expression, picture, portrait
from pipelines.sample.pose import Pose
from pipelines.sample.puppet import Puppet
from studio.domain.camera import Similarity, View, project
from studio.domain.controls import ControlState, track_from_motion
from studio.domain.motion import HeadMotion
from studio.head import builtin_head
from studio.head.fitting import PersonFitter, fit_landmarks
from studio.head.sheet import head_sheet
from studio.warping.face_chart import OUTER_LIPS
from studio.warping.mesh import PersonMesh, boundary_loop, picture_border
from studio.warping.parts import WarpParts
from studio.warping.plate import Plate
from studio.warping.region_places import BROWS
from studio.warping.settings import WarpSettings
from studio.warping.shell import learn_shell

SIDE = 400
"""Pixels along each side of its pictures."""
CLASSES = ("skin", "hair", "lips", "eyes", "other")
_CODES = np.array([(1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 1, 1), (1, 0, 1)], np.float32)
"""Colours that say so; where two meet, none of the others comes about that matters."""
PUPIL = 0.4
"""Radius of the pupil in radii of the iris."""
HAIR_ENDS, CLOTHES = 137, 70
"""Row of the portrait below which what is around the face is neck, and level below which that is collar."""


def pose(yaw: float, pitch: float = -6.0, jaw: float = 0.0) -> Pose:
    """The puppet turned, with the jaw open by some degrees."""
    fields = np.array([0.0, 0.0, max(0.0, 0.8 - jaw / 5.0), 0.7, 0.0, 0.0], np.float32)
    return Pose(
        np.array([yaw, pitch, 2.0], np.float32),
        np.zeros(2, np.float32),
        fields,
        float(np.deg2rad(jaw)),
        np.zeros(2, np.float32),
    )


FILMED = tuple(
    pose(yaw, pitch, jaw)
    for yaw in (-32.0, -24.0, -16.0, -8.0, 0.0, 8.0, 16.0, 24.0, 32.0)
    for pitch, jaw in ((-6.0, 0.0), (2.0, 6.0))
)
"""What the person's pivots show."""


@dataclass(frozen=True)
class PaintedPerson:
    """A person to warp, and their truth."""

    parts: WarpParts
    """What a warper draws them with."""
    puppet: Puppet
    """Draws them in any pose."""
    coded: Puppet
    """Draws what is what, as colours."""
    fitter: PersonFitter
    """Finds the parameters of a pose."""

    @property
    def view(self) -> View:
        """The whole picture."""
        return self.parts.stage

    def state(self, at: Pose) -> ControlState:
        """The state that asks for a pose."""
        motion = self.fitter.fit(self.puppet.landmarks(at)[None])
        track = track_from_motion(motion, self.parts.mesh.rest_camera, Fraction(30))
        return ControlState(track.names, track.values[0].copy())

    def truth(self, at: Pose) -> dict[str, npt.NDArray[np.bool_]]:
        """``[SIDE, SIDE]`` where each class is in a pose."""
        drawn = self.coded.draw(at).astype(np.float32)
        there = drawn.max(-1) > 60
        unit = drawn / np.maximum(np.linalg.norm(drawn, axis=-1, keepdims=True), 1.0)
        codes = _CODES / np.linalg.norm(_CODES, axis=1, keepdims=True)
        kind = (unit @ codes.T).argmax(-1)
        return {name: there & (kind == k) for k, name in enumerate(CLASSES)}


def painted_person() -> PaintedPerson:
    """Make it; some seconds."""
    puppet, coded = (Puppet(SIDE, SIDE, SIDE / 268.0, (90.0, 2.0)) for _ in range(2))
    _encode(coded)
    model = builtin_head()
    landmarks = np.stack([puppet.landmarks(at) for at in FILMED])
    fit = fit_landmarks(model, landmarks, np.ones(len(FILMED), bool))
    textures = np.empty((len(FILMED), SIDE, SIDE, 4), np.uint8)
    for n, at in enumerate(FILMED):
        textures[n, ..., :3] = puppet.draw(at)
        person = coded.draw(at).max(-1)
        textures[n, ..., 3] = np.where(person > 60, 255, 0)
    stage = View(Similarity(1.0, 0.0, 0.0, 0.0), SIDE, SIDE)
    camera = np.median(fit.motion.camera, axis=0).astype(np.float32)
    angles = np.median(fit.motion.angles, axis=0).astype(np.float32)
    still = model.vertices(fit.identity, fit.offset, HeadMotion.neutral(1, camera))[0]
    rim = project(still[boundary_loop(model.triangles)], angles, camera)[:, :2]
    border = picture_border(rim, rim.mean(0), (0.0, 0.0, float(SIDE), float(SIDE)))
    mesh = PersonMesh(model, fit.identity, fit.offset, camera, angles, border)
    shell_motion, shell = learn_shell(mesh, fit.motion, textures, stage)
    # The puppet's own empty plate is what is behind it.
    wall = np.clip(cv2.resize(puppet._plate, (SIDE, SIDE), interpolation=cv2.INTER_AREA), 0, 255)
    plate = Plate(np.dstack([wall.astype(np.uint8), np.full((SIDE, SIDE), 255, np.uint8)]), 0.0)
    parts = WarpParts(
        mesh=replace(mesh, shell_motion=shell_motion),
        motion=fit.motion,
        textures=textures,
        shell=shell,
        trust=np.ones((len(FILMED), mesh.vertices), np.float32),
        plate=plate,
        stage=stage,
        settings=WarpSettings(),
        sheet=head_sheet(fit.motion, camera),
    )
    return PaintedPerson(parts, puppet, coded, PersonFitter(model, fit.identity, fit.offset))


def _encode(puppet: Puppet) -> None:
    """Colour what the puppet is made of by what it is."""
    sheet: Any = puppet._sheet
    colours = np.zeros_like(sheet.picture)
    colours[..., 3] = sheet.picture[..., 3]
    zoom = picture.ZOOM
    rows = (np.arange(colours.shape[0]) + 0.5)[:, None] / zoom
    face, lips = np.zeros(colours.shape[:2], np.uint8), np.zeros(colours.shape[:2], np.uint8)
    picture._fill(face, portrait.SKIN, 255)
    landmarks = portrait.portrait_landmarks()
    picture._fill(lips, landmarks[list(OUTER_LIPS)], 255)
    brows = np.zeros_like(face)
    for brow in BROWS:
        picture._fill(brows, landmarks[list(brow)], 255)
    light = cv2.resize(portrait.portrait(), colours.shape[1::-1]).max(-1) > CLOTHES
    inside = face > 127
    hair = ~inside & (rows < HAIR_ENDS)
    skin = inside | (~hair & light)
    kind = np.select([lips > 127, brows > 127, skin, hair], [2, 4, 0, 1], 4)
    colours[..., :3] = 255.0 * _CODES[kind]
    puppet._sheet = replace(sheet, picture=colours)
    size = puppet._eyes[0].ball.picture.shape[0]
    axis = (np.arange(size) + 0.5) / size * 2 - 1
    radius = np.hypot(*np.meshgrid(axis, axis)) * expression.EYEBALL / picture.IRIS
    ball = np.dstack(
        [255.0 * _CODES[np.where((radius < 1.0) & (radius > PUPIL), 3, 4)], np.ones((size, size))]
    )
    none = np.zeros((size, size, 4), np.float32)
    puppet._eyes = tuple(  # type: ignore[assignment]
        replace(eye, ball=replace(eye.ball, picture=ball.astype(np.float32)), glint=none)
        for eye in puppet._eyes
    )
    inner = []
    for mouth, share in puppet._mouth:
        coded = mouth.picture.copy()
        coded[..., :3] = 255.0 * _CODES[4]
        inner.append((replace(mouth, picture=coded), share))
    puppet._mouth = tuple(inner)
    puppet._plate = np.zeros_like(puppet._plate)
    puppet._light = lambda angles: np.ones(len(puppet._points), np.float32)  # type: ignore[method-assign]
