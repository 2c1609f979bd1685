"""How much lighter a light from somewhere makes each vertex of a person.

The face's normals are the posed mesh's own, smoothed; around it the shell continues them: over a rough
skull to the outline of the hair, down a round neck to shoulders that face the viewer. What is around the
picture faces the viewer too: there the coverage says that it is not lit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
        joined.data[:] = 1.0  # pairs that two triangles share were counted twice
        self._mean = csr_matrix(joined.multiply(1.0 / joined.sum(1)))
        self._shell = self._shell_normals()

    def at(self, positions: npt.NDArray[np.floating], motion: HeadMotion) -> Floats:
        """``[V, 3]`` unit normals as the viewer sees them: x to the right, y up, z towards the viewer.

        Args:
            positions: ``[V, 3]`` vertices in source pixels, or seen in a view; z larger is nearer.
            motion: parameters of the one frame.
        """
        mesh = self._mesh
        face = positions[: len(mesh.neutral_face)] * np.array([1.0, -1.0, 1.0])
        turns = rotation_from_angles(np.stack([motion.angles[0], mesh.rest_angles]))
        turned, held = (self._shell @ turn.T for turn in turns)
        shell = turned + mesh.shell_lets_go[:, None] * (held - turned)
        normals = np.concatenate([vertex_normals(face, mesh.model.triangles), shell]).astype(np.float32)
        for _ in range(SMOOTHINGS):
            normals = self._mean @ normals
        around = np.tile(np.array([0.0, 0.0, 1.0], np.float32), (len(mesh.border), 1))
        return _unit(np.concatenate([normals, around]))

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


def _lasting(factor: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    return np.where(factor > DIMMEST, factor, DIMMEST * np.exp(np.minimum(factor / DIMMEST - 1.0, 0.0)))


def _unit(vectors: npt.NDArray[np.floating]) -> Floats:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-9), np.float32)


_EDGES = ((0, 1, 2), (1, 2, 0))
"""Corners of a triangle and those that follow them."""
