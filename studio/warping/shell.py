"""How hair, neck and shoulders really move with the head, learnt from the clip itself.

The shell's rings move as a skull would; hair is thicker, necks bend, shoulders stay. With all pivots warped
to one pose, optical flow shows what that guess leaves over at each ring vertex. Each pivot keeps what was
measured, and a linear function of the head's pose carries it to poses that the clip does not show.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats, View
from studio.domain.motion import HeadMotion
from studio.warping.common_pose import common_pose
from studio.warping.mesh import PersonMesh, ShellMotion, shell_features

SIZE = 256
"""Side of the pictures that flow is measured in, pixels."""
NEIGHBOURHOOD = 6.0
"""Gaussian sigma, in pixels of SIZE, over which flow is averaged around a vertex."""
FARTHEST = 24.0
"""Pixels of SIZE beyond which measured flow is a mistake."""
FOOLED = (10.0, 25.0)
"""Grey levels of difference after following the flow where doubt starts, and where belief ends."""
RIDGE = 1.0
"""Weight of the prior that the shell moves like a skull, in frames."""


def learn_shell(
    mesh: PersonMesh, motion: HeadMotion, textures: npt.NDArray[np.uint8], stage: View
) -> tuple[ShellMotion, Floats]:
    """Measure the shell in every pivot and fit its motion.

    Args:
        mesh: the person's mesh, without learnt shell motion.
        motion: parameters of the N pivots.
        textures: ``[N, H, W, 4]`` pivots.
        stage: what the textures show.

    Returns:
        The fitted motion, and ``[N, S, 2]`` what each pivot's S shell vertices deviate from the plain mesh,
        metres of the image plane at the head's distance (x right, y down).
    """
    positions = mesh.positions(motion)[..., :2]
    meshes = stage.placement.apply(positions)
    at_rest = common_pose(mesh, meshes, textures, stage, SIZE)
    first, last = mesh.shell
    grey = np.stack([cv2.cvtColor(p[..., :3], cv2.COLOR_RGB2GRAY) for p in at_rest.pictures])
    features = shell_features(motion, mesh)
    reference = int(np.argmin((features[:, 1:] ** 2).sum(1)))
    person = at_rest.pictures[..., 3].astype(np.float32) / 255.0
    flower = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    places = at_rest.mesh[first:last]
    rows, columns = (np.clip(places[:, i].astype(int), 0, SIZE - 1) for i in (1, 0))
    grid = np.stack(np.meshgrid(np.arange(SIZE), np.arange(SIZE)), -1).astype(np.float32)
    measured = np.zeros((len(motion), last - first, 2), np.float32)
    confidence = np.zeros(measured.shape[:2], np.float32)
    for n in range(len(motion)):
        flow = flower.calc(grey[reference], grey[n], None)
        # Where the flow does not lead to the same grey, it was fooled: by a cover, or by what came into view.
        found = cv2.remap(grey[n], grid + flow, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        wrong = cv2.blur(np.abs(found.astype(np.float32) - grey[reference]), (9, 9))
        sure = person[reference] * (np.linalg.norm(flow, axis=-1) < FARTHEST)
        sure *= np.clip((FOOLED[1] - wrong) / (FOOLED[1] - FOOLED[0]), 0.0, 1.0)
        weight = cv2.GaussianBlur(sure, (0, 0), NEIGHBOURHOOD)
        flow = cv2.GaussianBlur(flow * sure[..., None], (0, 0), NEIGHBOURHOOD)
        flow /= np.maximum(weight, 1e-3)[..., None]
        landed = places + flow[rows, columns]
        where = at_rest.spread(meshes[n])
        x, y = (landed[None, :, i] - 0.5 for i in (0, 1))
        landed_at = cv2.remap(where, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]
        measured[n] = (landed_at - meshes[n, first:last]) / (motion.camera[n, 0] * stage.placement.scale)
        inside = ((places >= 1) & (landed >= 1) & (places < SIZE - 1) & (landed < SIZE - 1)).all(1)
        confidence[n] = np.clip((weight[rows, columns] - 0.1) / 0.3, 0.0, 1.0) * inside
    coefficients, confidence = _fit(features, measured, confidence)
    learnt = ShellMotion(coefficients, features.min(0), features.max(0))
    # What could not be measured well is taken from what was learnt elsewhere.
    sure = confidence[..., None]
    return learnt, np.asarray(sure * measured + (1.0 - sure) * learnt.at(features), np.float32)


def _fit(features: Floats, measured: Floats, confidence: Floats) -> tuple[Floats, Floats]:
    """Weighted ridge regression for each vertex: ``[P, S, 2]``, and the confidence ``[N, S]`` that is left
    when measurements far from it have lost theirs."""
    vertices = confidence.shape[1]
    out = np.zeros((features.shape[1], vertices, 2), np.float32)
    kept = np.zeros_like(confidence)
    prior = RIDGE * np.eye(features.shape[1])
    for v in range(vertices):
        weight = confidence[:, v].astype(np.float64)
        if weight.sum() < 1.0:
            continue
        for _ in range(2):
            weighted = features * weight[:, None]
            solution = np.linalg.solve(weighted.T @ features + prior, weighted.T @ measured[:, v])
            residual = np.linalg.norm(measured[:, v] - features @ solution, axis=1)
            typical = np.median(residual[weight > 0]) + 1e-5
            weight = confidence[:, v] / (1.0 + (residual / (3.0 * typical)) ** 4)
        out[:, v] = solution
        kept[:, v] = weight
    return out, kept
