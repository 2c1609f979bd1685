"""The instant engine of a single picture: the plainest way to animate a photo, and the bar for trained
ones."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from pipelines.build_instant import person_mesh
from pipelines.one_picture import OnePicture
from studio.domain.camera import Floats, Similarity, View
from studio.domain.sequence import LANDMARKS, TrackedSequence
from studio.head import HeadModel
from studio.head.sheet import head_sheet
from studio.warping.parts import WarpParts, facing, pivot_positions
from studio.warping.plate import Plate, recover_plate
from studio.warping.regions import region_weights
from studio.warping.settings import WarpSettings
from studio.warping.shell import learn_shell
from studio.warping.trust import vertex_trust


def instant_of_one(person: OnePicture, model: HeadModel, still: bool = True) -> WarpParts:
    """What the instant engine draws a person with, of whom there is one picture.

    The same stages as :func:`pipelines.build_instant.build_instant`, the picture being clip, pivot and stage.

    Args:
        person: the picture.
        model: the head model that the picture was fitted with.
        still: whether the background stands still, what is behind the person being filled in smoothly;
            otherwise the picture's surroundings move with the head.
    """
    side = person.side
    stage = View(Similarity(1.0, 0.0, 0.0, 0.0), side, side)
    sequence = _sequence(person, model)
    textures = np.concatenate([person.picture, person.mask[..., None]], 2)[None]
    mesh = person_mesh(model, sequence, np.array([0]), stage)
    shell_motion, shell = learn_shell(mesh, person.motion, textures, stage)
    mesh = replace(mesh, shell_motion=shell_motion)
    positions = pivot_positions(mesh, person.motion, shell)
    trust = vertex_trust(
        mesh, positions[..., :2], facing(positions, mesh), region_weights(mesh), textures, stage
    )
    # A place counts as background where it was seen twice: a picture that stands still is.
    plate = recover_plate(np.concatenate([textures, textures]))
    if not still:
        plate = Plate(np.concatenate([plate.image[..., :3], np.zeros((side, side, 1), np.uint8)], 2), np.inf)
    sheet = head_sheet(person.motion, mesh.rest_camera)
    return WarpParts(mesh, person.motion, textures, shell, trust, plate, stage, WarpSettings(), sheet)


def _sequence(person: OnePicture, model: HeadModel) -> TrackedSequence:
    """The picture as a clip of one frame."""
    side = person.side
    square: Floats = np.array([[1.0 / side, 0.0, 0.0, 0.0]], np.float32)
    return TrackedSequence(
        width=side,
        height=side,
        rate=Fraction(25),
        landmarks=np.zeros((1, LANDMARKS, 3), np.float32),
        crops=square,
        mask_boxes=square,
        flags=np.zeros(1, np.int32),
        sharpness=np.ones(1, np.float32),
        head_model=model.id,
        identity=person.coefficients,
        offset=person.offset,
        motion=person.motion,
        fit_error=np.zeros(1, np.float32),
        tracker="one picture",
    )
