"""Normals of a mesh."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats


def vertex_normals(points: npt.NDArray[np.floating], triangles: npt.NDArray[np.integer]) -> Floats:
    """Unit normals of vertices: triangles count by their area.

    They point to where a triangle's corners are seen running counter-clockwise, in axes like head space's (x
    right, y up, z to the viewer); in pixels, where y points down, they come out reversed.

    Args:
        points: ``[..., V, 3]``.
        triangles: ``[F, 3]`` vertex indices.

    Returns:
        ``[..., V, 3]``; zero where a vertex has no triangle.
    """
    vertices = points.shape[-2]
    flat = np.asarray(points, np.float64).reshape(-1, vertices, 3)
    a, b, c = (flat[:, triangles[:, i]] for i in range(3))
    faces = _cross(b - a, c - a)
    # bincount is many times as fast as numpy's unbuffered add.at.
    corner = (np.arange(len(flat))[:, None] * vertices + triangles.T.ravel()).ravel()
    summed = np.stack(
        [
            np.bincount(corner, np.tile(part.reshape(len(flat), -1), (1, 3)).ravel(), flat[..., 0].size)
            for part in faces
        ],
        -1,
    )
    length = np.maximum(np.sqrt(np.einsum("vd,vd->v", summed, summed)), 1e-20)
    return np.asarray((summed / length[:, None]).reshape(points.shape), np.float32)


def _cross(
    a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The parts of a cross product; ``np.cross`` takes several times as long over few vectors."""
    (ax, ay, az), (bx, by, bz) = np.moveaxis(a, -1, 0), np.moveaxis(b, -1, 0)
    return ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
