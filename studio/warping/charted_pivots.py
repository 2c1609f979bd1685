"""Pivots drawn on a person's chart, where their colours can be compared place by place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt

from studio.domain.camera import Floats
from studio.head.rasterise import rasterise
from studio.warping.face_chart import SIDE, FaceChart
from studio.warping.paint import Pivots, Textures, paint
from studio.warping.parts import WarpParts, facing, pivot_positions

COUNT = 20
"""How many pivots are looked at, spread over the turns of the head."""
STEP = 2
"""Chart pixels for each one that is drawn here: colours need no more."""
CLEAR = 250
"""Coverage from which a pixel is the person's alone."""
SEEN = 0.3
"""How well a place must be seen, 0..1, for its colour to count."""


@dataclass(frozen=True)
class ChartedPivots:
    """M pivots over the chart, S = SIDE / STEP pixels along each side."""

    numbers: npt.NDArray[np.int32]
    """``[M]`` which pivots."""
    pictures: npt.NDArray[np.uint8]
    """``[M, S, S, 3]`` RGB."""
    person: Floats
    """``[S, S]`` how much of each place the person covers, on average over what was filmed of it, 0..1."""
    clear: npt.NDArray[np.bool_]
    """``[M, S, S]`` where a pivot shows the person and nothing else, in its frame and facing the camera."""


def charted_pivots(parts: WarpParts, chart: FaceChart) -> ChartedPivots:
    """Draw a person's pivots on their chart."""
    order = np.argsort(parts.motion.angles[:, 0], kind="stable")
    numbers = order[np.unique(np.linspace(0, len(order) - 1, COUNT).round().astype(int))]
    mesh, side = parts.mesh, SIDE // STEP
    positions = pivot_positions(mesh, parts.motion.take(numbers), parts.shell[numbers])
    meshes = parts.stage.placement.apply(positions[..., :2])
    visible = facing(positions, mesh) * parts.trust[numbers]
    seen = rasterise(chart.places / np.float32(STEP), mesh.triangles, side, side)
    textures = Textures.pack(parts.textures[numbers])
    whole = np.ones((mesh.vertices, 1), np.float32)
    pictures = np.empty((len(numbers), side, side, 3), np.uint8)
    clear = np.empty(pictures.shape[:3], np.bool_)
    covered, filmed = np.zeros((2, side, side), np.float32)
    height, width = parts.textures.shape[1:3]
    for n in range(len(numbers)):
        one = Pivots(
            chosen=np.full((1, 1), n, np.int32),
            share=np.ones((1, 1), np.float32),
            meshes=meshes,
            visible=np.ones(visible.shape, np.float32),
        )
        pictures[n], cover = paint(seen, mesh.triangles, whole, textures, one, None, None)
        told = seen.interpolate(np.column_stack([meshes[n], visible[n]]).astype(np.float32), mesh.triangles)
        x, y, good = np.moveaxis(told, -1, 0)
        inside = (x > 1.0) & (y > 1.0) & (x < width - 1.0) & (y < height - 1.0)
        covered += inside * (cover / np.float32(255.0))
        filmed += inside
        clear[n] = inside & (cover >= CLEAR) & (good > SEEN)
    # What was never filmed is as what is next to it.
    nearest = distance_transform_edt(filmed == 0, return_distances=False, return_indices=True)
    person = (covered / np.maximum(filmed, 1.0))[tuple(nearest)]
    return ChartedPivots(numbers.astype(np.int32), pictures, person.astype(np.float32), clear)
