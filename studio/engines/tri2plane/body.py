"""Where the body is when the head is elsewhere: a turning head does not take the shoulders along.

The body is held as it usually is in the clip and takes part in half of the head's way through the picture;
what the clip shows beyond that, leaning, breathing in, a phone that is held by the same person, was measured
by optical flow for the shell of the warped mesh (:mod:`studio.warping.shell`). Here it is brought down to one
affine map of the body's plane for each moment, a linear function of the head's pose.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats, rotation_from_angles
from studio.domain.motion import HeadMotion
from studio.warping.mesh import BODY_FOLLOWS, PersonMesh, away_from_rest

FEATURES = 7
"""What the body's motion depends on, see :func:`studio.warping.mesh.away_from_rest`."""
BODY = (0.55, 0.97)
"""Share of the head's turn that shell vertices ignore from which they show the body, and to which: the
outermost ring lies beyond most pictures, where flow sees nothing."""
STIFF = 0.01
"""Metres: bending costs as if there were one more vertex for each, that far away and still."""
BENT = 0.5
"""Most that a body's map may differ from none (Frobenius norm), so that there is always a way back."""


@dataclass(frozen=True, eq=False)
class BodyMotion:
    """How a person's body moves beyond taking part in half of the head's way."""

    coefficients: Floats
    """``[7, 2, 3]`` for each feature: what is added to a place (x to the right, y up, 1) of the body's plane,
    metres."""
    low: Floats
    """``[7]`` smallest features seen; beyond them nothing more is added."""
    high: Floats
    """``[7]`` largest features seen."""

    @staticmethod
    def none() -> BodyMotion:
        """A body that only goes half of the head's way."""
        still = np.zeros(FEATURES, np.float32)
        return BodyMotion(np.zeros((FEATURES, 2, 3), np.float32), still, still)


def learn_body(mesh: PersonMesh) -> BodyMotion:
    """The shell's learnt motion, where it shows the body, as affine maps: least squares over its vertices."""
    shell = mesh.shell_motion
    if shell is None:
        return BodyMotion.none()
    # Vertices of which flow saw nothing have no coefficients at all.
    known = shell.coefficients.any((0, 2))
    share = mesh.shell_lets_go
    body = known & (share >= BODY[0]) & (share <= BODY[1])
    if body.sum() < 3:
        return BodyMotion.none()
    places = (mesh.shell_at_rest[body] @ rotation_from_angles(mesh.rest_angles).T)[:, :2]
    middle = places.mean(0)
    points = np.concatenate([places - middle, np.ones((len(places), 1))], 1).astype(np.float64)
    prior = STIFF**2 * len(points) * np.diag([1.0, 1.0, 0.0])
    moved = shell.coefficients[:, body].astype(np.float64) * (1.0, -1.0)
    wanted = np.einsum("vi,fvc->ifc", points, moved).reshape(3, -1)
    fitted = np.linalg.solve(points.T @ points + prior, wanted)
    maps = fitted.reshape(3, FEATURES, 2).transpose(1, 2, 0)
    maps[:, :, 2] -= maps[:, :, :2] @ middle
    return BodyMotion(maps.astype(np.float32), shell.low, shell.high)


def body_maps(
    motion: HeadMotion,
    rest_camera: npt.NDArray[np.floating],
    rest_angles: npt.NDArray[np.floating],
    body: BodyMotion,
) -> Floats:
    """From the head's place to the body's.

    Args:
        motion: T frames.
        rest_camera: ``[3]`` where the head usually is.
        rest_angles: ``[3]`` how it is usually held, degrees.
        body: how the body moves.

    Returns:
        ``[T, 2, 3]`` affine maps from places in camera space relative to the head's origin (metres, x to the
        viewer's right and y up, then 1) to the same place of the body at rest, relative to its own origin.
    """
    way = (1.0 - BODY_FOLLOWS) * (motion.camera[:, 1:] - rest_camera[1:]) / motion.camera[:, :1] * (1.0, -1.0)
    features = np.clip(away_from_rest(motion, rest_angles, rest_camera), body.low, body.high)
    added = np.tensordot(features, body.coefficients, 1).astype(np.float64)
    # A place p of the body is seen at p + J p + c; this is the way back.
    bend = added[:, :, :2]
    bend *= np.minimum(1.0, BENT / np.maximum(np.linalg.norm(bend, axis=(1, 2), keepdims=True), 1e-9))
    back = np.linalg.inv(np.eye(2) + bend)
    shift = np.einsum("tij,tj->ti", back, way - added[:, :, 2])
    return np.concatenate([back, shift[:, :, None]], 2).astype(np.float32)
