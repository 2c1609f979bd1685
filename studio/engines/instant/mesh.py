"""The instant engine's mesh: the face, a shell for hair, ears and neck, and the rest of the picture.

The head model ends at the rim of the face. Rings of vertices carry its motion outwards: two rings turn
rigidly with the head, at depths of a typical skull, so that hair and ears move behind the face; below the
chin they let go of the head's turn, because a neck bends; a last ring, around the picture, stays put.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats, project
from studio.domain.motion import HeadMotion
from studio.head import HeadModel

RING_SCALES = (1.18, 1.5, 2.1)
"""Distance of the shell's rings from the middle of the face, as a factor of the rim's."""
RING_DEPTH = ((0.8, -0.010), (0.3, -0.020), (0.0, -0.030))
"""Depth of the rings as (share of the rim's own depth, metres added): hair above the forehead curves back
slowly, ears lie at the head's middle, and the outline of skull and hair just behind it."""
NECK_LETS_GO = ((0.0, 0.35), (0.0, 0.75), (1.0, 1.0))
"""How much of the head's turn each ring ignores at the temples, and at its lowest point."""
BODY_FOLLOWS = 0.5
"""Share of the head's shift in the picture that what is below the chin takes part in."""


@dataclass(frozen=True)
class ShellMotion:
    """What the plain shell leaves over, as a linear function of head pose; see ``shell.learn_shell``."""

    coefficients: Floats
    """``[P, S, 2]`` metres of the image plane (x right, y down) per feature, for each of S shell vertices."""
    low: Floats
    """``[P]`` smallest feature values seen; beyond them nothing more is added."""
    high: Floats
    """``[P]`` largest feature values seen."""

    def at(self, features: Floats) -> Floats:
        """``[T, S, 2]`` metres for features ``[T, P]``."""
        known = np.clip(features, self.low, self.high)
        return np.asarray(np.tensordot(known, self.coefficients, 1), np.float32)


@dataclass(frozen=True)
class InstantMesh:
    """A person's mesh. V = model vertices + 36 per ring + 36 around the picture."""

    model: HeadModel
    """The head model that moves the face."""
    identity: Floats
    """``[I]`` the person."""
    offset: Floats
    """``[Vm, 3]`` the person, beyond the identity basis; metres."""
    rest_camera: Floats
    """``[3]`` scale, cx, cy: where the head usually is."""
    rest_angles: Floats
    """``[3]`` how the head is usually held, degrees."""
    border: Floats
    """``[B, 2]`` the ring around the picture, source pixels."""
    shell_motion: ShellMotion | None = None
    """How the shell moves beyond turning with the head; None before it is learnt."""
    rim: npt.NDArray[np.int32] = field(init=False)
    """``[B]`` vertices on the rim of the face, in order around it."""
    triangles: npt.NDArray[np.int32] = field(init=False)
    """``[F, 3]`` face, shell and surroundings."""
    neutral_face: Floats = field(init=False)
    """``[Vm, 3]`` the person's neutral face in head space, metres."""

    def __post_init__(self) -> None:
        rim = boundary_loop(self.model.triangles)
        strips = []
        first = len(self.offset)
        rings = [rim, *(np.arange(len(rim)) + first + i * len(rim) for i in range(len(RING_SCALES) + 1))]
        for inner, outer in zip(rings, rings[1:], strict=False):
            following = np.roll(np.arange(len(rim)), -1)
            strips.append(np.stack([inner, outer, inner[following]], 1))
            strips.append(np.stack([outer, outer[following], inner[following]], 1))
        object.__setattr__(self, "neutral_face", self.model.neutral(self.identity, self.offset))
        object.__setattr__(self, "rim", rim.astype(np.int32))
        object.__setattr__(
            self, "triangles", np.concatenate([self.model.triangles, *strips]).astype(np.int32)
        )

    @property
    def vertices(self) -> int:
        """How many vertices there are."""
        return len(self.offset) + len(self.rim) * (len(RING_SCALES) + 1)

    @property
    def shell(self) -> tuple[int, int]:
        """First shell vertex, and one past the last."""
        return len(self.offset), len(self.offset) + len(self.rim) * len(RING_SCALES)

    def face(self, motion: HeadMotion) -> Floats:
        """``[T, Vm, 3]`` the face in head space, metres."""
        return self.model.deform(self.neutral_face, motion)

    def positions(self, motion: HeadMotion, face: Floats | None = None) -> Floats:
        """Where every vertex is.

        Args:
            motion: T frames.
            face: ``[T, Vm, 3]`` from :meth:`face`, where the caller has it already.

        Returns:
            ``[T, V, 3]`` source pixels, z in pixels, larger is nearer.
        """
        face = self.face(motion) if face is None else face
        frames = len(motion)
        # The shell hangs on the neutral rim: a dropping jaw must not drag the collar along.
        rim = self.neutral_face[self.rim]
        middle = rim.mean(0)
        low = np.clip((middle[1] - rim[:, 1]) / (middle[1] - rim[:, 1].min()), 0.0, 1.0)
        parts = [project(face, motion.angles, motion.camera)]
        body_camera = motion.camera.copy()
        body_camera[:, 1:] += (BODY_FOLLOWS - 1.0) * (motion.camera[:, 1:] - self.rest_camera[1:])
        rest_angles = np.tile(self.rest_angles, (frames, 1))
        for scale, (share, behind), release in zip(RING_SCALES, RING_DEPTH, NECK_LETS_GO, strict=True):
            ring = middle + (rim - middle) * scale
            ring[:, 2] = share * rim[:, 2] + behind
            turned = project(np.tile(ring, (frames, 1, 1)), motion.angles, motion.camera)
            held = project(np.tile(ring, (frames, 1, 1)), rest_angles, body_camera)
            free = (release[0] + (release[1] - release[0]) * low**1.5)[:, None]
            parts.append(turned + free * (held - turned))
        far = np.full((len(self.border), 1), -10.0 * self.rest_camera[0], np.float32)
        parts.append(np.tile(np.concatenate([self.border, far], 1), (frames, 1, 1)))
        out = np.concatenate(parts, 1).astype(np.float32)
        if self.shell_motion is not None:
            moved = self.shell_motion.at(shell_features(motion, self))
            out[:, slice(*self.shell), :2] += moved * motion.camera[:, :1, None]
        return out


def shell_features(motion: HeadMotion, mesh: InstantMesh) -> Floats:
    """``[T, 7]`` what the shell's motion depends on: 1, then turn, nod, tilt (in 20 degrees), shift right and
    down (in 5 centimetres) and growth (in tenths), all relative to rest."""
    angles = (motion.angles - mesh.rest_angles) / 20.0
    shift = (motion.camera[:, 1:] - mesh.rest_camera[1:]) / mesh.rest_camera[0] / 0.05
    growth = (motion.camera[:, :1] / mesh.rest_camera[0] - 1.0) / 0.1
    one = np.ones((len(motion), 1))
    return np.concatenate([one, angles, shift, growth], 1).astype(np.float32)


def boundary_loop(triangles: npt.NDArray[np.integer]) -> npt.NDArray[np.int32]:
    """The longest loop of edges that belong to one triangle only: the rim of the face, in order."""
    edges: dict[int, int] = {}
    pairs = {(int(t[i]), int(t[(i + 1) % 3])) for t in triangles for i in range(3)}
    for a, b in pairs:
        if (b, a) not in pairs:
            edges[a] = b
    best: list[int] = []
    while edges:
        start, loop = next(iter(edges)), []
        here = start
        while here in edges:
            loop.append(here)
            here = edges.pop(here)
        best = max(best, loop, key=len)
    return np.array(best, np.int32)


def picture_border(rim: Floats, centre: Floats, bounds: tuple[float, float, float, float]) -> Floats:
    """Where rays from the head's centre through the rim leave the picture's rectangle.

    Args:
        rim: ``[B, 2]`` rim of the face at rest, source pixels.
        centre: ``[2]`` middle of the face at rest.
        bounds: left, top, right, bottom of the rectangle in source pixels.

    Returns:
        ``[B, 2]`` source pixels, in the rim's order.
    """
    left, top, right, bottom = bounds
    direction = rim - centre
    with np.errstate(divide="ignore"):
        reach_x = np.where(direction[:, 0] > 0, right - centre[0], left - centre[0]) / direction[:, 0]
        reach_y = np.where(direction[:, 1] > 0, bottom - centre[1], top - centre[1]) / direction[:, 1]
    # 1.6: the corners of the rectangle must lie inside the polygon through these points.
    reach = 1.6 * np.minimum(np.abs(reach_x), np.abs(reach_y))
    return np.asarray(centre + direction * reach[:, None], np.float32)
