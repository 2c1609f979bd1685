"""One convention for image coordinates, head pose and camera; every converter lives here.

Image coordinates are continuous: pixel column ``i`` covers ``[i, i + 1)`` and its centre is at
``i + 0.5``; x points right, y points down. Scaling an image by ``s`` therefore scales coordinates by
``s``, without half-pixel terms. OpenCV puts pixel centres at integers: ``Similarity.pixel_matrix``
converts.

Head coordinates follow FLAME: metres, x towards the subject's own left (the viewer's right), y up,
z out of the face towards the camera.

Head pose is yaw, pitch, roll in degrees, ``R = Ry(yaw) @ Rx(-pitch) @ Rz(-roll)``, seen by the viewer:

* yaw > 0: the nose points to the viewer's right;
* pitch > 0: the nose points up;
* roll > 0: the head leans to the viewer's right (clockwise in the image).

Yaw and pitch are thus where the nose points; roll turns the head about its own nose axis.

The camera is a scaled orthographic one, as in DECA: ``image = scale * (x, -y) + (cx, cy)`` with scale
in source pixels per metre and ``(cx, cy)`` the head origin in source pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Similarity:
    """A turn, a uniform scale and a shift of the image plane: ``p' = scale * R(angle) p + (x, y)``."""

    scale: float
    """Length in the target for one unit of length in the source; greater than zero."""
    angle: float
    """Turn in radians, from the x axis towards the y axis (clockwise on screen)."""
    x: float
    """Shift along x, in target units."""
    y: float
    """Shift along y, in target units."""

    @property
    def matrix(self) -> Floats:
        """The map as a ``[2, 3]`` matrix on continuous coordinates."""
        c, s = self.scale * np.cos(self.angle), self.scale * np.sin(self.angle)
        return np.array([[c, -s, self.x], [s, c, self.y]], np.float32)

    @property
    def pixel_matrix(self) -> Floats:
        """The map as a ``[2, 3]`` matrix for OpenCV, which puts pixel centres at integers."""
        m = self.matrix.astype(np.float64)
        m[:, 2] += m[:, :2] @ np.array([0.5, 0.5]) - 0.5
        return m.astype(np.float32)

    def apply(self, points: npt.NDArray[np.floating]) -> Floats:
        """Map points ``[..., 2]``; a third column (depth) is scaled along."""
        m = self.matrix
        out = np.empty(points.shape, np.float32)
        out[..., :2] = points[..., :2] @ m[:, :2].T + m[:, 2]
        if points.shape[-1] == 3:
            out[..., 2] = points[..., 2] * self.scale
        return out

    def inverse(self) -> Similarity:
        """The map back."""
        scale, angle = 1.0 / self.scale, -self.angle
        c, s = scale * np.cos(angle), scale * np.sin(angle)
        return Similarity(scale, angle, float(-(c * self.x - s * self.y)), float(-(s * self.x + c * self.y)))

    def then(self, after: Similarity) -> Similarity:
        """This map followed by another."""
        c, s = after.scale * np.cos(after.angle), after.scale * np.sin(after.angle)
        return Similarity(
            self.scale * after.scale,
            self.angle + after.angle,
            float(c * self.x - s * self.y + after.x),
            float(s * self.x + c * self.y + after.y),
        )

    def scaled(self, factor: float) -> Similarity:
        """This map followed by a uniform scaling, for example from the unit square to pixels."""
        return self.then(Similarity(factor, 0.0, 0.0, 0.0))

    @staticmethod
    def from_array(values: npt.NDArray[np.floating]) -> Similarity:
        """From ``[scale, angle, x, y]``, the way sequences store it."""
        scale, angle, x, y = (float(v) for v in values)
        return Similarity(scale, angle, x, y)

    def to_array(self) -> Floats:
        """As ``[scale, angle, x, y]``."""
        return np.array([self.scale, self.angle, self.x, self.y], np.float32)


@dataclass(frozen=True)
class View:
    """What a rendering shows: a map from source pixels to output pixels, and the output's size."""

    placement: Similarity
    """Source-clip pixels to output pixels."""
    width: int
    """Output width in pixels."""
    height: int
    """Output height in pixels."""


def rotation_from_angles(angles: npt.NDArray[np.floating]) -> Floats:
    """Yaw, pitch, roll in degrees ``[..., 3]`` to rotation matrices ``[..., 3, 3]``."""
    yaw, pitch, roll = np.moveaxis(np.deg2rad(np.asarray(angles, np.float64)), -1, 0)
    pitch, roll = -pitch, -roll
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    cr, sr = np.cos(roll), np.sin(roll)
    rows = [
        [cy * cr + sy * sp * sr, -cy * sr + sy * sp * cr, sy * cp],
        [cp * sr, cp * cr, -sp],
        [-sy * cr + cy * sp * sr, sy * sr + cy * sp * cr, cy * cp],
    ]
    return np.stack([np.stack(row, -1) for row in rows], -2).astype(np.float32)


def angles_from_rotation(rotation: npt.NDArray[np.floating]) -> Floats:
    """Rotation matrices ``[..., 3, 3]`` to yaw, pitch, roll in degrees ``[..., 3]``.

    Yaw is in (-180, 180], pitch in [-90, 90]. Inverse of :func:`rotation_from_angles` away from
    pitch = ±90°, where yaw and roll are no longer distinct.
    """
    r = np.asarray(rotation, np.float64)
    yaw = np.arctan2(r[..., 0, 2], r[..., 2, 2])
    pitch = np.arcsin(np.clip(r[..., 1, 2], -1.0, 1.0))
    roll = -np.arctan2(r[..., 1, 0], r[..., 1, 1])
    return np.rad2deg(np.stack([yaw, pitch, roll], -1)).astype(np.float32)


def project(
    points: npt.NDArray[np.floating],
    angles: npt.NDArray[np.floating],
    camera: npt.NDArray[np.floating],
) -> Floats:
    """Head-space points to source pixels with depth.

    Args:
        points: ``[..., V, 3]`` in metres, head coordinates.
        angles: ``[..., 3]`` yaw, pitch, roll in degrees.
        camera: ``[..., 3]`` scale (pixels per metre), cx, cy.

    Returns:
        ``[..., V, 3]``: x and y in source pixels; z in pixels, larger is nearer to the camera.
    """
    rotated = points @ np.swapaxes(rotation_from_angles(angles), -1, -2)
    camera = np.asarray(camera, np.float32)
    out = rotated * np.array([1.0, -1.0, 1.0], np.float32) * camera[..., None, :1]
    out[..., :2] += camera[..., None, 1:]
    return np.asarray(out, np.float32)


def head_plane(placement: npt.NDArray[np.floating], camera: npt.NDArray[np.floating]) -> Floats:
    """Maps from continuous picture coordinates to metres in the head's plane.

    That plane passes through the head's origin and faces the viewer; x points to the viewer's right, y up.

    Args:
        placement: ``[T, 4]`` source pixels to picture pixels, as :meth:`Similarity.to_array` has them.
        camera: ``[T, 3]`` scale (source pixels per metre), cx, cy.

    Returns:
        ``[T, 2, 3]`` affine matrices.
    """
    scale, angle, x, y = np.asarray(placement, np.float64).T
    focal, cx, cy = np.asarray(camera, np.float64).T
    c, s = np.cos(angle) / scale, np.sin(angle) / scale
    right = np.stack([c, s, -(c * x + s * y) - cx], -1)
    down = np.stack([-s, c, s * x - c * y - cy], -1)
    return np.asarray(np.stack([right, -down], 1) / focal[:, None, None], np.float32)
