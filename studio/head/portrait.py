"""Pictures of a head model's mesh, shaded, without anybody's likeness."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from studio.domain.camera import rotation_from_angles
from studio.head.normals import vertex_normals
from studio.head.rasterise import rasterise

LIGHT = np.array([-0.35, 0.45, 0.82], np.float32)
"""Direction towards the lamp, head axes at rest."""
SKIN = (214.0, 196.0, 182.0)
"""Colour of a lit face, 0..255."""


def shade(
    vertices: npt.NDArray[np.floating],
    triangles: npt.NDArray[np.int32],
    size: int = 240,
    angles: tuple[float, float, float] = (0.0, 0.0, 0.0),
    centre: tuple[float, float, float] = (0.0, 0.004, 0.06),
    height: float = 0.21,
    tint: npt.NDArray[np.floating] | None = None,
) -> npt.NDArray[np.uint8]:
    """A mesh with smooth shading on a white ground.

    Args:
        vertices: ``[V, 3]`` metres, head space.
        triangles: ``[F, 3]``.
        size: the picture's sides in pixels.
        angles: yaw, pitch, roll of the head in degrees.
        centre: what stands in the middle of the picture, metres, head space.
        height: metres that fit into the picture.
        tint: ``[F, 3]`` colour of each triangle, 0..255; skin where absent.

    Returns:
        ``[size, size, 3]`` RGB.
    """
    turn = rotation_from_angles(np.array(angles, np.float32))
    points = ((np.asarray(vertices, np.float32) - centre) @ turn.T).astype(np.float32)
    faces = np.cross(
        points[triangles[:, 1]] - points[triangles[:, 0]], points[triangles[:, 2]] - points[triangles[:, 0]]
    )
    normals = vertex_normals(points, triangles)
    oversample = 3
    side = size * oversample
    image = points * (side / height)
    image[:, 0] += side / 2
    image[:, 1] = side / 2 - image[:, 1]
    visibility = rasterise(image, triangles, side, side)
    index = visibility.triangle
    seen = index >= 0
    smooth = visibility.interpolate(normals, triangles)[seen]
    smooth /= np.linalg.norm(smooth, axis=1, keepdims=True) + 1e-12
    light = 0.28 + 0.72 * np.clip(smooth @ (LIGHT / np.linalg.norm(LIGHT)), 0, 1)
    # The back of a triangle tells of folds: show it in red.
    colours = np.broadcast_to(SKIN, faces.shape) if tint is None else np.asarray(tint)
    skin = np.where(faces[index[seen], 2:] > 0, colours[index[seen]], (210.0, 40.0, 40.0))
    picture = np.full((side, side, 3), 255.0)
    picture[seen] = skin * light[:, None]
    small = picture.reshape(size, oversample, size, oversample, 3).mean((1, 3))
    return small.round().astype(np.uint8)
