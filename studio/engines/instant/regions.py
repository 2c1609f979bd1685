"""Regions of the face, and which pivots suit each of them best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from studio.domain.camera import Floats, project
from studio.domain.motion import HeadMotion
from studio.engines.instant.mesh import InstantMesh

REGIONS = ("outer", "face", "mouth", "eyes")
"""Column order of region weights."""

LIPS = (
    *(61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185),
    *(78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191),
)
"""MediaPipe indices of the outer and inner lip lines."""
EYES = (
    *(33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246),
    *(263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466),
)
"""MediaPipe indices of the eyelid lines."""
IRISES = tuple(range(468, 478))
"""MediaPipe indices of the irises."""

REACH = {"mouth": (0.007, 0.020), "eyes": (0.006, 0.015), "rim": (0.002, 0.020)}
"""Metres around each region's lines: full weight up to the first, none beyond the second."""


ELSEWHERE = 0.15
"""How much a shift of the whole mouth or of both eyes counts beside a change of their shape."""
DISTRUST = 30.0
"""Millimetres of shape difference that a wholly covered region counts as."""


def _fade(distance: npt.NDArray[np.floating], full: float, none: float) -> Floats:
    t = np.clip((none - distance) / (none - full), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t), np.float32)


def region_weights(mesh: InstantMesh) -> Floats:
    """``[V, 4]`` share of each of REGIONS at each vertex; rows sum to 1."""
    still = HeadMotion.neutral(1, mesh.rest_camera)
    face = mesh.model.vertices(mesh.identity, mesh.offset, still)[0]

    def near(vertices: npt.ArrayLike) -> npt.NDArray[np.float64]:
        return np.asarray(cKDTree(face[np.asarray(vertices)]).query(face)[0])

    mouth = _fade(near(LIPS), *REACH["mouth"])
    eyes = _fade(near(EYES + IRISES), *REACH["eyes"]) * (1.0 - mouth)
    outer = _fade(near(mesh.rim), *REACH["rim"]) * (1.0 - mouth - eyes)
    weights = np.zeros((mesh.vertices, len(REGIONS)), np.float32)
    weights[:, 0] = 1.0
    weights[: len(face)] = np.stack([outer, 1.0 - mouth - eyes - outer, mouth, eyes], 1)
    return weights


@dataclass(frozen=True)
class PivotChooser:
    """Finds, for each region, the pivots whose shape is nearest to the wanted one.

    Shapes are compared as the viewer sees them: the region's vertices, turned with the head and projected at
    one fixed scale, so that a millimetre that shows counts and one that hides does not.
    """

    mesh: InstantMesh
    """The person's mesh."""
    pivots: HeadMotion
    """Parameters of the N pivots."""
    trust: Floats
    """``[N, R]`` how far each pivot can be trusted in each region, 0..1."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "_features", [self._describe(self.pivots, r) for r in range(len(REGIONS))])

    def choose(self, wanted: HeadMotion, blends: tuple[int, ...]) -> tuple[npt.NDArray[np.int32], Floats]:
        """The pivots to blend in each region for one frame.

        Args:
            wanted: parameters of the one frame to draw.
            blends: how many pivots each region blends.

        Returns:
            ``[R, K]`` pivot numbers (-1 for none) and ``[R, K]`` weights summing to 1 over each row. A
            pivot's weight falls to nothing before another takes its place, so nothing changes suddenly.
        """
        places = max(blends)
        chosen = np.full((len(REGIONS), places), -1, np.int32)
        share = np.zeros((len(REGIONS), places), np.float32)
        for r, blend in enumerate(blends):
            features: Floats = self._features[r]  # type: ignore[attr-defined]
            distance = np.sqrt(np.mean((features - self._describe(wanted, r)) ** 2, 1))
            # A covered pivot is taken only where nothing clean is anywhere near.
            distance = distance + DISTRUST * (1.0 - self.trust[:, r])
            count = min(blend, len(features))
            order = np.argsort(distance)[: count + 1]
            limit = distance[order[-1]] if len(order) > count else distance[order[-1]] * 1.5
            order = order[:count]
            weight = (1.0 - distance[order] / (limit + 1e-6)) ** 2 / (distance[order] + 0.15 * limit + 1e-6)
            weight += 1e-6
            chosen[r, :count] = order
            share[r, :count] = weight / weight.sum()
        return chosen, share

    def _describe(self, motion: HeadMotion, region: int) -> Floats:
        """``[T, D]`` what region number ``region`` looks like, in millimetres."""
        name = REGIONS[region]
        millimetres = np.tile(np.array([1000.0, 0.0, 0.0], np.float32), (len(motion), 1))
        if name == "outer":
            rest = self.mesh.rest_camera
            still = HeadMotion.neutral(1, rest)
            rim = self.mesh.model.vertices(self.mesh.identity, self.mesh.offset, still)[0][self.mesh.rim]
            turned = project(np.tile(rim, (len(motion), 1, 1)), motion.angles, millimetres)[..., :2]
            shift = (motion.camera[:, 1:] - rest[1:]) / rest[0] * 1000.0
            grown = turned * (motion.camera[:, :1] / rest[0])[..., None] + shift[:, None]
            return np.asarray(grown.reshape(len(motion), -1), np.float32)
        face = self.mesh.model.vertices(self.mesh.identity, self.mesh.offset, motion)
        seen = project(face, motion.angles, millimetres)[..., :2]
        if name == "face":
            return np.asarray(seen[:, :468:6].reshape(len(motion), -1), np.float32)
        part = seen[:, list(LIPS if name == "mouth" else EYES + IRISES)]
        # An open mouth seen from elsewhere beats a closed one seen from here: the place counts little.
        part = part - (1.0 - ELSEWHERE) * part.mean(1, keepdims=True)
        return np.asarray(part.reshape(len(motion), -1), np.float32)
