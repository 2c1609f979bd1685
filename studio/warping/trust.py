"""Which parts of which pivots show the person, and not a hand, a caption or a microphone before them.

Every pivot is warped to one common pose. There, skin and hair look alike in all pivots, so a cover in a few
of them shows as an outlier from the median. Mouth and eyes change their look by themselves; they are judged
by the skin around them.
"""

from __future__ import annotations

import warnings

import cv2
import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats, View
from studio.warping.common_pose import common_pose
from studio.warping.mesh import PersonMesh

SIZE = 160
"""Side of the common picture, pixels: covers have some extent, noise and hair do not matter."""
OUTLIER = (8.0, 24.0)
"""Grey levels of difference, beyond 2.5 median deviations, where doubt starts and where trust ends."""
SPREAD = {"skin": 1.5, "features": 7.0}
"""Gaussian sigma in pixels of SIZE over which a verdict spreads: on skin, and into mouth and eyes."""


def vertex_trust(
    mesh: PersonMesh,
    meshes: Floats,
    visible: Floats,
    region_weight: Floats,
    textures: npt.NDArray[np.uint8],
    stage: View,
) -> Floats:
    """``[N, V]`` trust in each vertex of each pivot, 0..1.

    Args:
        mesh: the person's mesh.
        meshes: ``[N, V, 2]`` mesh of each pivot in its texture's pixels.
        visible: ``[N, V]`` how well each vertex is seen in each pivot.
        region_weight: ``[V, R]`` regions, in the order of ``regions.REGIONS``.
        textures: ``[N, H, W, 4]`` pivots.
        stage: what the textures show.
    """
    common = common_pose(mesh, meshes, textures, stage, SIZE)
    at = common.mesh
    seen = np.stack([common.spread(v) > 0.5 for v in visible]) & (common.pictures[..., 3] > 128)
    blurred = np.stack([cv2.GaussianBlur(c[..., :3], (0, 0), 1.5) for c in common.pictures]).astype(
        np.float32
    )
    blurred[~seen] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # pixels that no pivot shows
        middle = np.nanmedian(blurred, 0)
        # A frame may be lighter or darker as a whole (exposure, flicker) without being covered.
        gain = np.nanmedian(blurred - middle, (1, 2), keepdims=True)
        residual = np.nan_to_num(np.abs(blurred - gain - middle).max(-1))
        spread = np.nan_to_num(np.nanmedian(np.abs(blurred - gain - middle), 0)).max(-1)
    doubt = (residual - 2.5 * spread - OUTLIER[0]) / (OUTLIER[1] - OUTLIER[0])
    skin = 1.0 - region_weight[:, 2] - region_weight[:, 3]
    columns = np.clip(at[:, 0].astype(int), 0, SIZE - 1)
    rows = np.clip(at[:, 1].astype(int), 0, SIZE - 1)
    feature = np.zeros((SIZE, SIZE), np.float32)
    feature[rows, columns] = 1.0 - skin
    feature = cv2.dilate(feature, np.ones((7, 7)))
    trust = np.ones(visible.shape, np.float32)
    for n in range(len(doubt)):
        covered = np.clip(doubt[n], 0.0, 1.0) * (1.0 - feature)
        near = cv2.dilate(cv2.GaussianBlur(covered, (0, 0), SPREAD["skin"]), np.ones((3, 3)))
        weight = cv2.GaussianBlur(1.0 - feature, (0, 0), SPREAD["features"])
        around = cv2.GaussianBlur(covered, (0, 0), SPREAD["features"]) / np.maximum(weight, 1e-3)
        verdict = skin * np.minimum(1.0, 1.6 * near[rows, columns])
        verdict += (1.0 - skin) * np.minimum(1.0, 2.0 * around[rows, columns])
        trust[n] = 1.0 - verdict
    return trust
