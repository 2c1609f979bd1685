"""Regions of the face, and which pivots suit each of them best."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from studio.domain.camera import Floats, project, rotation_from_angles
from studio.domain.motion import HeadMotion
from studio.head.topology import EYE_CORNERS, LOWER_LIDS, UPPER_LIDS
from studio.head.topology import IRISES as IRIS_POINTS
from studio.warping.mesh import PersonMesh

REGIONS = ("outer", "face", "mouth", "eyes")
"""Column order of region weights."""

LIPS = (
    *(61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185),
    *(78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191),
)
"""MediaPipe indices of the outer and inner lip lines."""
EYES = tuple(int(i) for i in np.hstack([*UPPER_LIDS, *LOWER_LIDS, *EYE_CORNERS]))
"""MediaPipe indices of the eyelid lines."""
IRISES = tuple(int(i) for i in np.hstack(IRIS_POINTS))
"""MediaPipe indices of both irises."""

REACH = {"mouth": (0.007, 0.020), "eyes": (0.006, 0.015), "rim": (0.002, 0.020)}
"""Metres around each region's lines: full weight up to the first, none beyond the second."""


ELSEWHERE = 0.15
"""How much a shift of the whole mouth or of an eye counts beside a change of its shape."""
LIDS_COUNT = np.array([1.0, 2.0], np.float32)
"""How much width and height of an eye count: a lid's few millimetres are the difference that people see."""
COMPONENT = 0.02
"""Root mean square, in millimetres, below which a principal component of the pivots' shapes is noise."""
DISTRUST = 30.0
"""Millimetres of shape difference that a wholly covered region counts as."""


def _fade(distance: npt.NDArray[np.floating], full: float, none: float) -> Floats:
    t = np.clip((none - distance) / (none - full), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t), np.float32)


def region_weights(mesh: PersonMesh) -> Floats:
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


class PivotChooser:
    """Finds, for each region, the pivots whose shape is nearest to the wanted one.

    Shapes are compared as the viewer sees them: the region's vertices, turned with the head and projected at
    one fixed scale, so that a millimetre that shows counts and one that hides does not. They are kept as
    principal components over the pivots: what pivots do not differ in cannot tell them apart.
    """

    def __init__(self, mesh: PersonMesh, pivots: HeadMotion, trust: Floats) -> None:
        """Learn the pivots' shapes.

        Args:
            mesh: the person's mesh.
            pivots: parameters of the N pivots.
            trust: ``[N, R]`` how far each pivot can be trusted in each region, 0..1.
        """
        self._mesh = mesh
        self._trust = trust
        still = HeadMotion.neutral(1, mesh.rest_camera)
        self._rim = mesh.model.vertices(mesh.identity, mesh.offset, still)[0][mesh.rim]
        self._means, self._bases, self._features = [], [], []
        for shapes in self._describe(pivots, mesh.face(pivots)):
            mean = shapes.mean(0)
            _, size, axes = np.linalg.svd(shapes - mean, full_matrices=False)
            keep = max(1, int((size > COMPONENT * np.sqrt(len(shapes) * shapes.shape[1])).sum()))
            self._means.append(mean)
            self._bases.append(np.ascontiguousarray(axes[:keep].T / np.sqrt(shapes.shape[1])))
            self._features.append((shapes - mean) @ self._bases[-1])

    def choose(
        self,
        wanted: HeadMotion,
        face: Floats,
        blends: tuple[int, ...],
        without: npt.NDArray[np.bool_] | None = None,
    ) -> tuple[npt.NDArray[np.int32], Floats]:
        """The pivots to blend in each region for one frame.

        Args:
            wanted: parameters of the one frame to draw.
            face: ``[1, Vm, 3]`` its face, from ``mesh.face(wanted)``.
            blends: how many pivots each region blends.
            without: ``[N]`` pivots that must not be used; at least one must be left.

        Returns:
            ``[R, K]`` pivot numbers (-1 for none) and ``[R, K]`` weights summing to 1 over each row. A
            pivot's weight falls to nothing before another takes its place, so nothing changes suddenly.
        """
        places = max(blends)
        chosen = np.full((len(REGIONS), places), -1, np.int32)
        share = np.zeros((len(REGIONS), places), np.float32)
        shapes = self._describe(wanted, face)
        left = np.arange(len(self._trust)) if without is None else np.flatnonzero(~without)
        for r, blend in enumerate(blends):
            features = self._features[r][left]
            distance = np.linalg.norm(features - (shapes[r] - self._means[r]) @ self._bases[r], axis=1)
            # A covered pivot is taken only where nothing clean is anywhere near.
            distance = distance + DISTRUST * (1.0 - self._trust[left, r])
            count = min(blend, len(features))
            order = np.argsort(distance)[: count + 1]
            limit = distance[order[-1]] if len(order) > count else distance[order[-1]] * 1.5
            order = order[:count]
            weight = (1.0 - distance[order] / (limit + 1e-6)) ** 2 / (distance[order] + 0.15 * limit + 1e-6)
            weight += 1e-6
            chosen[r, :count] = left[order]
            share[r, :count] = weight / weight.sum()
        return chosen, share

    def _describe(self, motion: HeadMotion, face: Floats) -> list[Floats]:
        """R arrays ``[T, D]``: what each region looks like, in millimetres."""
        frames, rest = len(motion), self._mesh.rest_camera
        millimetres = np.tile(np.array([1000.0, 0.0, 0.0], np.float32), (frames, 1))
        rim = project(np.tile(self._rim, (frames, 1, 1)), motion.angles, millimetres)[..., :2]
        shift = (motion.camera[:, 1:] - rest[1:]) / rest[0] * 1000.0
        outer = rim * (motion.camera[:, :1] / rest[0])[..., None] + shift[:, None]
        seen = _upright(project(face[:, _DESCRIBED], motion.angles, millimetres)[..., :2], motion.angles)
        skin, lips, left, right = np.split(seen, _ENDS, axis=1)
        # An open mouth seen from elsewhere beats a closed one seen from here: the place counts little.
        lips, left, right = (
            part - (1.0 - ELSEWHERE) * part.mean(1, keepdims=True) for part in (lips, left, right)
        )
        eyes = np.concatenate([left, right], 1) * LIDS_COUNT
        return [np.asarray(part.reshape(frames, -1), np.float32) for part in (outer, skin, lips, eyes)]


def _upright(points: Floats, angles: Floats) -> Floats:
    """Points of the picture ``[T, P, 2]`` turned so that the head's up is the picture's: a picture can be
    turned without loss, so a tilt of the head says nothing about which pivot suits."""
    up = rotation_from_angles(angles)[:, :2, 1]
    sine, cosine = (up / np.linalg.norm(up, axis=1, keepdims=True)).T[..., None]
    x, y = points[..., 0], points[..., 1]
    return np.stack([cosine * x + sine * y, cosine * y - sine * x], -1)


_SKIN = tuple(range(0, 468, 6))
_ONE_EYE = [[*UPPER_LIDS[side], *LOWER_LIDS[side], *EYE_CORNERS[side], *IRIS_POINTS[side]] for side in (0, 1)]
_DESCRIBED = np.array([*_SKIN, *LIPS, *_ONE_EYE[0], *_ONE_EYE[1]])
_ENDS = np.cumsum([len(_SKIN), len(LIPS), len(_ONE_EYE[0])])
