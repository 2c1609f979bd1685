"""What a person is warped from: their mesh, their pivots and where these lie."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats, View
from studio.domain.controls import ControlSheet
from studio.domain.motion import HeadMotion
from studio.head.normals import vertex_normals
from studio.warping.mesh import PersonMesh
from studio.warping.plate import Plate
from studio.warping.settings import WarpSettings

FACING = (0.05, 0.35)
"""Cosine to the camera at which a vertex of a pivot starts to count as seen, and at which fully."""


@dataclass(frozen=True)
class WarpParts:
    """What a warper draws with, in memory."""

    mesh: PersonMesh
    """The person's mesh."""
    motion: HeadMotion
    """Parameters of the N pivots."""
    textures: npt.NDArray[np.uint8]
    """``[N, H, W, 4]`` RGB and person mask of each pivot, as the stage shows it."""
    shell: Floats
    """``[N, S, 2]`` what each pivot's shell deviates from the plain mesh, metres of the image plane."""
    trust: Floats
    """``[N, V]`` trust in each vertex of each pivot, 0..1."""
    plate: Plate
    """Background of the stage."""
    stage: View
    """Source pixels to texture pixels."""
    settings: WarpSettings
    """How many pivots are blended where."""
    sheet: ControlSheet
    """Controls with the ranges that the clip covered."""
    change: Floats | None = None
    """``[Vm + S, 3]`` another shape that was baked in, as :meth:`Reshaper.change` gives it; None for the
    person's own."""


def pivot_positions(mesh: PersonMesh, motion: HeadMotion, shell: Floats) -> Floats:
    """``[N, V, 3]`` where the pivots' vertices are, source pixels: the plain mesh with the measured shell."""
    positions = replace(mesh, shell_motion=None).positions(motion)
    positions[:, slice(*mesh.shell), :2] += shell * motion.camera[:, :1, None]
    return positions


def facing(positions: Floats, mesh: PersonMesh) -> Floats:
    """``[N, V]`` how well each vertex faces the viewer: 0 turned away, 1 seen well.

    Args:
        positions: ``[N, V, 3]`` pixels, z larger is nearer.
        mesh: whose triangles and face count to use; what lies outside the face always counts as seen.
    """
    normals = vertex_normals(positions, mesh.model.triangles)
    # Image y points down, so a triangle that is counter-clockwise in head space has its normal reversed.
    cosine = np.where(normals.any(-1), -normals[..., 2], 1.0)
    low, high = FACING
    t = np.clip((cosine - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t), np.float32)
