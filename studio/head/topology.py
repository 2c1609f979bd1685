"""Which of MediaPipe's 478 face-mesh points are what, and how they are joined.

Indices are MediaPipe's own (mediapipe.solutions.face_mesh_connections). "Left" and "right" are the
viewer's throughout, as in :class:`studio.domain.motion.HeadMotion`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats

POINTS = 478
"""Mesh points with irises."""

UPPER_LIDS = ((246, 161, 160, 159, 158, 157, 173), (466, 388, 387, 386, 385, 384, 398))
"""Upper lid edge of the viewer's left and right eye, from the outer to the inner corner."""
LOWER_LIDS = ((7, 163, 144, 145, 153, 154, 155), (249, 390, 373, 374, 380, 381, 382))
"""Lower lid edge, opposite the upper one point by point."""
EYE_CORNERS = ((33, 133), (263, 362))
"""Outer and inner corner of the viewer's left and right eye."""
IRISES = ((468, 469, 470, 471, 472), (473, 474, 475, 476, 477))
"""Iris centre, then its rim."""

INNER_UPPER_LIP = (191, 80, 81, 82, 13, 312, 311, 310, 415)
"""Inner edge of the upper lip, viewer's left to right, without the corners."""
INNER_LOWER_LIP = (95, 88, 178, 87, 14, 317, 402, 318, 324)
"""Inner edge of the lower lip, opposite the upper one point by point."""
MOUTH_CORNERS = (61, 291)
"""Outer corners of the mouth, viewer's left and right."""
INNER_MOUTH_CORNERS = (78, 308)
"""Inner corners of the mouth."""
CHIN = (152, 148, 377, 176, 400, 175, 199, 200, 18, 83, 313, 171, 396, 208, 428, 201, 421, 32, 262)
"""Points carried by the lower jaw with little skin sliding over it."""
RIGID = (
    *(10, 151, 9, 8, 168, 6, 197, 195, 5, 4, 1, 19, 94, 122, 351, 193, 417, 196, 419, 3, 248),
    *(21, 251, 54, 284, 103, 332, 67, 297, 109, 338, 108, 337, 69, 299, 104, 333, 68, 298, 71, 301),
    *(127, 356, 162, 389, 139, 368, 34, 264, 234, 454, 33, 263, 133, 362, 130, 359),
)
"""Points that hardly move with any expression: forehead, temples, nose bridge and tip, eye corners."""
FIRM = (
    *(168, 6, 197, 195, 5, 4, 1, 33, 133, 362, 263, 98, 327, 2, 9, 8, 151, 10),
    *(109, 338, 67, 297, 103, 332, 54, 284),
)
"""The rigid points that stay visible in a turned face: without the outline, along which landmarks slide."""


@dataclass(frozen=True)
class Topology:
    """The canonical mesh: what is joined to what, and where the points are on an average face."""

    positions: Floats
    """``[478, 3]`` MediaPipe's canonical face in metres, head axes."""
    triangles: npt.NDArray[np.int32]
    """``[F, 3]`` skin, eyes and the closed inner mouth."""
    mirror: npt.NDArray[np.int32]
    """``[478]`` the point that each one becomes in a mirror."""


def mirror_map(positions: npt.NDArray[np.floating]) -> npt.NDArray[np.int32]:
    """For each point ``[V, 3]`` of a symmetric shape the index of its mirror image across x = 0."""
    flipped = positions * (-1.0, 1.0, 1.0)
    distance = ((flipped[:, None] - positions[None]) ** 2).sum(-1)
    return np.asarray(distance.argmin(1), np.int32)


@cache
def topology() -> Topology:
    """The bundled canonical mesh (assets/head/topology.npz)."""
    with np.load(asset_folder() / "topology.npz") as stored:
        return Topology(stored["positions"], stored["triangles"], stored["mirror"])


def asset_folder() -> Path:
    """Where the head model's numbers are kept."""
    return Path(__file__).resolve().parents[2] / "assets" / "head"
