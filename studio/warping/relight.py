"""How much lighter a light from somewhere makes each vertex of a person.

The face's normals are the posed mesh's own, smoothed; around it the shell continues them: over a rough
skull to the outline of the hair, down a round neck to shoulders that face the viewer. What is around the
picture faces the viewer too: there the coverage says that it is not lit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from studio.domain.camera import Floats, rotation_from_angles
from studio.domain.edits import Relight
from studio.domain.motion import HeadMotion
from studio.head.normals import vertex_normals
from studio.warping.mesh import RINGS, PersonMesh

SMOOTHINGS = 5
"""How often every normal of the face becomes the mean of its neighbours': light is soft, and nostrils and
lids are smaller than what a few hundred vertices can shade."""
OUTLINE, SIDEWAYS = 1.52, 80.0
"""Scale of the shell at the outline of skull and hair, and how far its surface has turned away there, degrees
(the outline itself is rounder than a ball's: hair throws light back from inside)."""
NECK, SHOULDERS = (0.9, -0.15, 0.9), (0.45, 0.45, 0.9)
"""How normals lean outwards, and up, and to the viewer, where the shell is neck, and where it is
shoulders."""
DIMMEST = 0.25
"""Factor of brightness below which darkness comes ever more slowly, so that nothing is ever black."""


@dataclass(frozen=True)
class Light:
    """One relighting at a strength."""

    effect: Relight
    """What it is."""
    strength: float
    """How much of it."""


class Normals:
    """Normals of a person's mesh in any state."""

    def __init__(self, mesh: PersonMesh) -> None:
        self._mesh = mesh
        corners = mesh.triangles[(mesh.triangles < mesh.shell[1]).all(1)]
        first, second = (np.concatenate([corners[:, k] for k in order]) for order in _EDGES)
        own = np.arange(mesh.shell[1])
        pairs = np.concatenate([first, second, own]), np.concatenate([second, first, own])
        joined = csr_matrix((np.ones(len(pairs[0]), np.float32), pairs))
        # Pairs that two triangles share are one by now.
        self._around = joined.indptr.astype(np.int32), joined.indices.astype(np.int32)
        shell, lets_go = self._shell_normals(), mesh.shell_lets_go[:, None]
        self._turning = np.asarray((1.0 - lets_go) * shell, np.float32)
        self._held = np.asarray(lets_go * (shell @ rotation_from_angles(mesh.rest_angles).T), np.float32)

    def at(self, positions: npt.NDArray[np.floating], motion: HeadMotion) -> Floats:
        """``[V, 3]`` unit normals as the viewer sees them: x to the right, y up, z towards the viewer.

        Args:
            positions: ``[V, 3]`` vertices in source pixels, or seen in a view; z larger is nearer.
            motion: parameters of the one frame.
        """
        mesh = self._mesh
        shell = self._turning @ rotation_from_angles(motion.angles[0]).T.astype(np.float32) + self._held
        out = np.empty((mesh.vertices, 3), np.float32)
        points = np.ascontiguousarray(positions[: mesh.shell[0]], np.float32)
        _smoothed(points, mesh.model.triangles, shell, *self._around, SMOOTHINGS, out)
        return out

    def _shell_normals(self) -> Floats:
        """``[S, 3]`` in head space: from the rim of the face over to what it is joined to."""
        mesh = self._mesh
        edge = mesh.neutral_face[mesh.rim]
        middle = edge.mean(0)
        outwards = _unit((edge - middle) * (1.0, 1.0, 0.0))
        rim = vertex_normals(mesh.neutral_face, mesh.model.triangles)[mesh.rim]
        low = np.clip((middle[1] - edge[:, 1]) / (middle[1] - edge[:, 1].min()), 0.0, 1.0)[:, None]
        sine, cosine = np.sin(np.deg2rad(SIDEWAYS)), np.cos(np.deg2rad(SIDEWAYS))
        outline = outwards * (sine, sine, 0.0) + (0.0, 0.0, cosine)
        out = []
        for ring in RINGS:
            along = np.clip((ring.scale - 1.0) / (OUTLINE - 1.0), 0.0, 1.0)
            sideways, up, front = np.array(NECK) + along * (np.array(SHOULDERS) - NECK)
            neck = np.stack([sideways * outwards[:, 0], np.full(len(rim), up), np.full(len(rim), front)], 1)
            skull = _unit(rim + along * (outline - rim))
            below = _unit(rim + np.sqrt(along) * (_unit(neck) - rim))
            out.append(skull + low * (below - skull))
        return _unit(np.concatenate(out))


def brightness(normals: Floats, lights: Sequence[Light]) -> Floats:
    """``[V, 3]`` factors of red, green and blue of linear light: the product over lights of
    ``1 + strength · tint · (n · direction + ambient)``, never quite 0.

    Args:
        normals: ``[V, 3]`` as the viewer sees them.
        lights: what shines.
    """
    out = np.ones(normals.shape, np.float32)
    for light in lights:
        shine = normals @ np.array(light.effect.direction, np.float32) + np.float32(light.effect.ambient)
        out *= _lasting(1.0 + light.strength * shine[:, None] * np.array(light.effect.tint, np.float32))
    return out


def gains(factors: Floats, triangles: npt.NDArray[np.int32], colourless: bool) -> Floats:
    """What pixels' values are multiplied by, so that light is by vertices' factors: their powers of
    1/2.4, for each triangle at its last corner and what its first and second weight add.

    Args:
        factors: ``[V, 3]`` from :func:`brightness`.
        triangles: ``[F, 3]``.
        colourless: whether red, green and blue have the same.

    Returns:
        ``[F, 3, 3]`` channels and these three numbers; ``[F, 1, 3]`` where colours are the same.
    """
    powers = (factors[:, :1] if colourless else factors) ** np.float32(1 / 2.4)
    out = np.empty((len(triangles), powers.shape[1], 3), np.float32)
    _spread(powers, triangles, out)
    return out


def _lasting(factor: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    return np.where(factor > DIMMEST, factor, DIMMEST * np.exp(np.minimum(factor / DIMMEST - 1.0, 0.0)))


def _unit(vectors: npt.NDArray[np.floating]) -> Floats:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-9), np.float32)


@numba.njit(cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def _smoothed(
    points: Any, triangles: Any, shell: Any, begins: Any, beside: Any, times: int, out: Any
) -> None:
    """Unit normals of a face in the picture, of the shell around it, smoothed together, and of what is around
    the picture. Rows are copied by loops, because slices take seconds to be compiled."""
    count, end = len(points), len(points) + len(shell)
    now, then = np.zeros((end, 3), np.float32), np.empty((end, 3), np.float32)
    for t in range(len(triangles)):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ux, uy, uz = points[b, 0] - points[a, 0], points[a, 1] - points[b, 1], points[b, 2] - points[a, 2]
        vx, vy, vz = points[c, 0] - points[a, 0], points[a, 1] - points[c, 1], points[c, 2] - points[a, 2]
        x, y, z = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for k in (a, b, c):
            now[k, 0] += x
            now[k, 1] += y
            now[k, 2] += z
    for v in range(count):
        _normalise(now[v])
    for v in range(count, end):
        for k in range(3):
            now[v, k] = shell[v - count, k]
    for _ in range(times):
        for v in range(end):
            x = y = z = np.float32(0.0)
            for k in range(begins[v], begins[v + 1]):
                one = now[beside[k]]
                x += one[0]
                y += one[1]
                z += one[2]
            share = np.float32(1.0) / np.float32(begins[v + 1] - begins[v])
            then[v, 0], then[v, 1], then[v, 2] = x * share, y * share, z * share
        now, then = then, now
    for v in range(end):
        for k in range(3):
            out[v, k] = now[v, k]
        _normalise(out[v])
    for v in range(end, len(out)):
        out[v, 0], out[v, 1], out[v, 2] = 0.0, 0.0, 1.0


@numba.njit(inline="always", fastmath=True)  # type: ignore[untyped-decorator]
def _normalise(vector: Any) -> None:
    square = vector[0] * vector[0] + vector[1] * vector[1] + vector[2] * vector[2]
    scale = np.float32(1.0) / max(np.sqrt(square), np.float32(1e-9))
    vector[0] *= scale
    vector[1] *= scale
    vector[2] *= scale


@numba.njit(cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def _spread(values: Any, triangles: Any, out: Any) -> None:
    for t in range(len(triangles)):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        for k in range(values.shape[1]):
            last = values[c, k]
            out[t, k, 0], out[t, k, 1], out[t, k, 2] = last, values[a, k] - last, values[b, k] - last


_EDGES = ((0, 1, 2), (1, 2, 0))
"""Corners of a triangle and those that follow them."""
