"""What colour each place of a face usually has."""

from __future__ import annotations

import cv2
import numpy as np

from studio.domain.camera import Floats
from studio.warping.parts import WarpParts, facing, pivot_positions

FLOOR = 1e-4
"""Weight of a pivot in which a vertex is not seen: it counts only where no pivot shows the vertex."""


def mean_colours(parts: WarpParts) -> Floats:
    """``[Vm, 3]`` mean RGB, 0..1, of the head model's vertices over the pivots; those count most in which a
    vertex faces the camera and is not covered."""
    mesh = parts.mesh
    vertices = len(mesh.neutral_face)
    positions = pivot_positions(mesh, parts.motion, parts.shell)
    weights = (facing(positions, mesh) * parts.trust)[:, :vertices] + FLOOR
    # OpenCV puts pixel centres at integers.
    places = parts.stage.placement.apply(positions[:, :vertices, :2]) - 0.5
    total = np.zeros((vertices, 3))
    for texture, place, weight in zip(parts.textures, places, weights, strict=True):
        seen = cv2.remap(
            np.ascontiguousarray(texture[..., :3]),
            np.ascontiguousarray(place[:, None]),
            None,
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        total += weight[:, None] * seen[:, 0]
    return np.asarray(total / weights.sum(0)[:, None] / 255.0, np.float32)
