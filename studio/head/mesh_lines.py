"""Which of the 478 points are joined by lines when the mesh is drawn over a picture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from studio.head import topology as mesh

Lines = npt.NDArray[np.int32]
"""``[E, 2]`` indices of the points that each line joins."""

_LOWER_OUTER_LIP = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
_UPPER_OUTER_LIP = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)


@dataclass(frozen=True, eq=False)
class MeshLines:
    """The mesh as lines: draw ``edges`` thinly and ``features`` over them."""

    edges: Lines
    """Every side of a triangle of the skin, once."""
    features: Lines
    """Outlines of the face, lips, eyes and irises."""


@cache
def mesh_lines() -> MeshLines:
    """The lines of the bundled mesh."""
    triangles = mesh.topology().triangles
    sides = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    edges = np.unique(np.sort(sides, axis=1), axis=0)
    irises = np.isin(edges, np.ravel(mesh.IRISES)).any(1)
    lips = [_LOWER_OUTER_LIP, _UPPER_OUTER_LIP]
    corners = mesh.INNER_MOUTH_CORNERS
    lips += [(corners[0], *inner, corners[1]) for inner in (mesh.INNER_UPPER_LIP, mesh.INNER_LOWER_LIP)]
    parts = [_path(line) for line in lips]
    for side in (0, 1):
        outer, inner_corner = mesh.EYE_CORNERS[side]
        lids = (mesh.UPPER_LIDS[side], mesh.LOWER_LIDS[side])
        parts += [_path((outer, *lid, inner_corner)) for lid in lids]
        rim = mesh.IRISES[side][1:]
        parts.append(_path((*rim, rim[0])))
    parts.append(_border(triangles))
    return MeshLines(edges[~irises].astype(np.int32), np.concatenate(parts).astype(np.int32))


def _path(points: tuple[int, ...]) -> Lines:
    return np.array([points[:-1], points[1:]], np.int32).T


def _border(triangles: Lines) -> Lines:
    """Sides that belong to one triangle only and lie around the face."""
    sides = np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), 1)
    found, count = np.unique(sides, axis=0, return_counts=True)
    single = found[count == 1]
    return np.asarray(single[~np.isin(single, np.ravel(mesh.IRISES)).any(1)], np.int32)
