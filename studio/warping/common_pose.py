"""Every pivot warped to the person's rest pose, where they can be compared point by point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats, View
from studio.domain.motion import HeadMotion
from studio.head.rasterise import Visibility, rasterise
from studio.warping.mesh import PersonMesh
from studio.warping.paint import Pivots, Textures, paint


@dataclass(frozen=True)
class CommonPose:
    """N pivots at rest, S pixels square."""

    pictures: npt.NDArray[np.uint8]
    """``[N, S, S, 4]`` RGB before black, and person mask."""
    mesh: Floats
    """``[V, 2]`` the rest mesh in the pictures' pixels."""
    seen: Visibility
    """What is seen of the rest mesh at each pixel."""
    corners: npt.NDArray[np.int32]
    """``[F, 3]`` the triangles."""

    def spread(self, values: Floats) -> Floats:
        """Values at vertices ``[V, ...]`` to pixels ``[S, S, ...]``; 0 where there is no triangle."""
        return self.seen.interpolate(values, self.corners)


def common_pose(
    mesh: PersonMesh, meshes: Floats, textures: npt.NDArray[np.uint8], stage: View, size: int
) -> CommonPose:
    """Warp every pivot to the rest pose.

    Args:
        mesh: the person's mesh.
        meshes: ``[N, V, 2]`` mesh of each pivot in its texture's pixels.
        textures: ``[N, H, W, 4]`` pivots.
        stage: what the textures show.
        size: side of the pictures in pixels; they show what the stage shows.
    """
    rest = HeadMotion.neutral(1, mesh.rest_camera)
    rest.angles[:] = mesh.rest_angles
    at = stage.placement.scaled(size / stage.width).apply(mesh.positions(rest)[0])
    seen = rasterise(at, mesh.triangles, size, size)
    whole = np.ones((mesh.vertices, 1), np.float32)
    packed = Textures.pack(textures)
    pictures = np.empty((len(meshes), size, size, 4), np.uint8)
    for n in range(len(meshes)):
        one = Pivots(
            chosen=np.full((1, 1), n, np.int32),
            share=np.ones((1, 1), np.float32),
            meshes=meshes,
            visible=np.ones(meshes.shape[:2], np.float32),
        )
        picture, cover = paint(seen, mesh.triangles, whole, packed, one, None, None)
        pictures[n, ..., :3], pictures[n, ..., 3] = picture, cover
    return CommonPose(pictures, at[:, :2], seen, mesh.triangles)
