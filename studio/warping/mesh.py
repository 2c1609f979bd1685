"""The mesh that pictures are warped by: the face, a shell for hair, ears and neck, and the rest around.

The head model ends at the rim of the face. Rings of vertices carry its motion outwards: they turn with the
head, at depths of a typical skull, so that hair and ears move behind the face; below the chin they let go of
the head's turn, because a neck bends; a last ring, around the picture, stays put.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats, project
from studio.domain.motion import HeadMotion
from studio.head import HeadModel


@dataclass(frozen=True)
class Ring:
    """One ring of the shell, made from the rim of the neutral face."""

    scale: float
    """Distance from the middle of the face, as a factor of the rim's."""
    depth: tuple[float, float]
    """Depth as (share of the rim's own, metres added)."""
    lets_go: tuple[float, float]
    """Share of the head's turn that is ignored at the temples and above, and at the lowest point."""


RINGS = (
    Ring(1.10, (0.90, -0.006), (0.0, 0.20)),
    Ring(1.22, (0.75, -0.012), (0.0, 0.42)),
    Ring(1.36, (0.50, -0.016), (0.0, 0.60)),
    Ring(1.52, (0.30, -0.020), (0.0, 0.78)),
    Ring(1.75, (0.15, -0.025), (0.5, 0.95)),
    Ring(2.10, (0.00, -0.030), (1.0, 1.00)),
)
"""Hair above the forehead curves back slowly, ears lie at the head's middle, the outline of skull and hair
just behind it; below the chin the neck lets go of the head step by step; the outermost ring is shoulders."""
FAR = -0.3
"""Depth of the ring around the picture, metres: behind everything else."""
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
class PersonMesh:
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
    shell_at_rest: Floats = field(init=False)
    """``[S, 3]`` the shell in head space, metres. It hangs on the neutral face: a dropping jaw must not drag
    the collar along."""
    shell_lets_go: Floats = field(init=False)
    """``[S]`` share of the head's turn that each shell vertex ignores."""

    def __post_init__(self) -> None:
        rim = boundary_loop(self.model.triangles)
        first, around = len(self.offset), np.arange(len(rim))
        loops = [rim, *(around + first + ring * len(rim) for ring in range(len(RINGS) + 1))]
        strips = []
        for inner, outer in pairwise(loops):
            strips.append(np.stack([inner, outer, np.roll(inner, -1)], 1))
            strips.append(np.stack([outer, np.roll(outer, -1), np.roll(inner, -1)], 1))
        neutral = self.model.neutral(self.identity, self.offset)
        edge = neutral[rim]
        middle = edge.mean(0)
        low = np.clip((middle[1] - edge[:, 1]) / (middle[1] - edge[:, 1].min()), 0.0, 1.0) ** 1.5
        shell, lets_go = [], []
        for ring in RINGS:
            points = middle + (edge - middle) * ring.scale
            points[:, 2] = ring.depth[0] * edge[:, 2] + ring.depth[1]
            shell.append(points)
            lets_go.append(ring.lets_go[0] + (ring.lets_go[1] - ring.lets_go[0]) * low)
        made = {
            "neutral_face": neutral,
            "rim": rim.astype(np.int32),
            "triangles": np.concatenate([self.model.triangles, *strips]).astype(np.int32),
            "shell_at_rest": np.concatenate(shell).astype(np.float32),
            "shell_lets_go": np.concatenate(lets_go).astype(np.float32),
        }
        for name, value in made.items():
            object.__setattr__(self, name, value)

    @property
    def vertices(self) -> int:
        """How many vertices there are."""
        return self.shell[1] + len(self.border)

    @property
    def shell(self) -> tuple[int, int]:
        """First shell vertex, and one past the last."""
        return len(self.offset), len(self.offset) + len(self.shell_at_rest)

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
        body_camera = motion.camera.copy()
        body_camera[:, 1:] += (BODY_FOLLOWS - 1.0) * (motion.camera[:, 1:] - self.rest_camera[1:])
        shell = np.tile(self.shell_at_rest, (frames, 1, 1))
        turned = project(shell, motion.angles, motion.camera)
        held = project(shell, np.tile(self.rest_angles, (frames, 1)), body_camera)
        shell = turned + self.shell_lets_go[:, None] * (held - turned)
        parts = [project(face, motion.angles, motion.camera), shell]
        far = np.full((len(self.border), 1), FAR * self.rest_camera[0], np.float32)
        parts.append(np.tile(np.concatenate([self.border, far], 1), (frames, 1, 1)))
        out = np.concatenate(parts, 1).astype(np.float32)
        if self.shell_motion is not None:
            moved = self.shell_motion.at(shell_features(motion, self))
            out[:, slice(*self.shell), :2] += moved * motion.camera[:, :1, None]
        return out


def shell_features(motion: HeadMotion, mesh: PersonMesh) -> Floats:
    """:func:`away_from_rest` of a person's mesh."""
    return away_from_rest(motion, mesh.rest_angles, mesh.rest_camera)


def away_from_rest(
    motion: HeadMotion, rest_angles: npt.NDArray[np.floating], rest_camera: npt.NDArray[np.floating]
) -> Floats:
    """``[T, 7]`` what the shell's motion depends on: 1, then turn, nod, tilt (in 20 degrees), shift right and
    down (in 5 centimetres) and growth (in tenths), all relative to rest."""
    angles = (motion.angles - rest_angles) / 20.0
    shift = (motion.camera[:, 1:] - rest_camera[1:]) / rest_camera[0] / 0.05
    growth = (motion.camera[:, :1] / rest_camera[0] - 1.0) / 0.1
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
