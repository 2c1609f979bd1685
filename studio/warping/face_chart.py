"""The chart: one flat picture of a person's mesh, in which every place of head and shoulders has its pixel.

A picture over the chart says something about places of the person (is this lip, is this hair) that then holds
in every pose and view: a pixel's triangle and barycentric weights lead to its place in the chart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats
from studio.head.topology import (
    EYE_CORNERS,
    INNER_LOWER_LIP,
    INNER_MOUTH_CORNERS,
    INNER_UPPER_LIP,
    LOWER_LIDS,
    UPPER_LIDS,
)
from studio.warping.mesh import RINGS, PersonMesh

SIDE = 384
"""Pixels along each side of the chart: about a millimetre of a face each."""
PARTED = 0.006
"""Metres by which the chart parts the lips, each, so that what is between them has a place."""
PARTING_REACH = 0.022
"""Metres from the line between the lips beyond which nothing is moved for that."""
OUTSIDE = 2.4
"""Scale, like the rings', at which the ring around the picture is drawn."""
OUTER_LIPS = (*(61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146),)
"""MediaPipe's outer lip line, in order around it."""
INNER_LIPS = (
    INNER_MOUTH_CORNERS[0],
    *INNER_UPPER_LIP,
    INNER_MOUTH_CORNERS[1],
    *INNER_LOWER_LIP[::-1],
)
"""The inner lip line, in order around it."""


@dataclass(frozen=True)
class FaceChart:
    """Where each vertex of a person's mesh lies in the chart."""

    places: Floats
    """``[V, 3]`` x right and y down in chart pixels, z in pixels, larger is nearer."""
    scale: float
    """Chart pixels per metre."""
    middle: Floats
    """``[2]`` middle of the face in chart pixels; rings are scaled about it."""

    def polygon(self, vertices: tuple[int, ...]) -> Floats:
        """``[N, 2]`` chart places of vertices."""
        return np.asarray(self.places[list(vertices), :2], np.float32)

    def triangle_table(self, triangles: npt.NDArray[np.int32]) -> Floats:
        """``[F, 6]`` for each triangle x and y of its last corner and what its first and second weight add:
        x, x by u, x by v, y, y by u, y by v."""
        a, b, c = (self.places[triangles[:, k], :2] for k in range(3))
        return np.ascontiguousarray(np.stack([c, a - c, b - c], 2).reshape(len(triangles), 6), np.float32)


def eye_polygon(side: int) -> tuple[int, ...]:
    """Vertices around an eye's opening in order; 0 is the viewer's left eye."""
    outer, inner = EYE_CORNERS[side]
    return (outer, *UPPER_LIDS[side], inner, *LOWER_LIDS[side][::-1])


def face_chart(mesh: PersonMesh) -> FaceChart:
    """The chart of a person: their neutral face from the front with lips parted, the shell around it as it
    hangs on the face, and what is around the picture drawn in."""
    face = mesh.neutral_face.astype(np.float64).copy()
    edge = face[mesh.rim]
    middle = edge.mean(0)
    face = _with_parted_lips(face)
    last = mesh.shell_at_rest[-len(mesh.rim) :]
    # The ring around the picture continues the outermost one.
    around = middle + (last - middle) * (OUTSIDE / RINGS[-1].scale)
    around[:, 2] = last[:, 2] - 0.1
    points = np.concatenate([face, mesh.shell_at_rest, around])
    half = np.abs(last[:, :2] - middle[:2]).max(0).max() * 1.02
    scale = 0.5 * SIDE / half
    places = (points - middle) * (scale, -scale, scale)
    places[:, :2] += 0.5 * SIDE
    return FaceChart(places.astype(np.float32), float(scale), np.full(2, 0.5 * SIDE, np.float32))


def _with_parted_lips(face: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Vertices ``[Vm, 3]`` with the lips drawn apart: most at their middle, not at all at the corners."""
    left, right = (face[k] for k in INNER_MOUTH_CORNERS)
    upper, lower = face[list(INNER_UPPER_LIP)], face[list(INNER_LOWER_LIP)]
    line_x = np.array([left[0], *upper[:, 0], right[0]])
    line_y = np.array([left[1], *(0.5 * (upper[:, 1] + lower[:, 1])), right[1]])
    height = face[:, 1] - np.interp(face[:, 0], line_x, line_y)
    up = np.sign(height)
    up[list(INNER_UPPER_LIP)], up[list(INNER_LOWER_LIP)] = 1.0, -1.0
    up[list(INNER_MOUTH_CORNERS)] = 0.0
    along = np.clip((face[:, 0] - left[0]) / (right[0] - left[0]), 0.0, 1.0)
    most = PARTED * np.sqrt(np.clip(4.0 * along * (1.0 - along), 0.0, 1.0))
    out = face.copy()
    out[:, 1] += up * most * np.clip(1.0 - np.abs(height) / PARTING_REACH, 0.0, 1.0)
    return out
