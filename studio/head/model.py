"""HeadModel: a linear morphable head with a jaw, eyelids and turning eyes, in FLAME's layout.

Vertices are computed as in FLAME (Li et al. 2017, eqs. 1-5), with the neck and the global rotation left
to the camera: ``shaped = template + identity + offset + expression + eyelids``, pose correctives are added,
then linear blend skinning turns the jaw and the two eyes about joints that move with the shape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from studio.domain.camera import Floats, rotation_from_angles
from studio.domain.motion import HeadMotion
from studio.head.handles import Handle

JOINTS = 3
"""Jaw, the viewer's left eye, the viewer's right eye."""


@dataclass(frozen=True)
class Eyelids:
    """How lids close: each listed vertex goes a share of the way from the upper to the lower lid edge.

    Measuring the way on the person's own neutral face makes every eye close fully at 1, large or small.
    """

    vertex: npt.NDArray[np.int32]
    """``[E]`` vertex moved."""
    upper: npt.NDArray[np.int32]
    """``[E]`` vertex of the upper lid edge."""
    lower: npt.NDArray[np.int32]
    """``[E]`` vertex of the lower lid edge opposite."""
    share: Floats
    """``[E]`` share of the way from upper to lower at 1; negative moves up."""
    eye: npt.NDArray[np.int32]
    """``[E]`` 0 for the viewer's left eye, 1 for the right."""

    def displacement(self, neutral: Floats) -> Floats:
        """What closing each eye does to a neutral shape ``[V, 3]``: ``[2, V, 3]`` in metres."""
        out = np.zeros((2, *neutral.shape), np.float32)
        way = (neutral[self.lower] - neutral[self.upper]) * self.share[:, None]
        np.add.at(out, (self.eye, self.vertex), way)
        return out


NO_EYELIDS = Eyelids(*(np.zeros(0, np.int32),) * 3, share=np.zeros(0, np.float32), eye=np.zeros(0, np.int32))
"""For models without lid movement of their own."""


@dataclass(frozen=True, eq=False)
class HeadModel:
    """One interface for the built-in head and FLAME. V vertices, I identity coefficients, L landmarks.

    Head space is in metres, x to the viewer's right, y up, z towards the camera. One coefficient is one
    standard deviation over people (identity) or over moments (expression).
    """

    id: str
    """Which model this is, e.g. ``builtin-1``; sequences store it."""
    template: Floats
    """``[V, 3]`` the mean neutral face: mouth closed, eyes open, looking straight ahead."""
    triangles: npt.NDArray[np.int32]
    """``[F, 3]`` vertex indices."""
    identity_basis: Floats
    """``[I, V, 3]`` metres for one standard deviation."""
    expression_basis: Floats
    """``[50, V, 3]`` metres for one standard deviation."""
    expression_deviation: Floats
    """``[50]`` how far each coefficient usually goes in people's clips, in coefficient units."""
    joint_regressor: Floats
    """``[3, V]`` jaw, left eye and right eye joint as weighted sums of the shaped vertices."""
    joint_shift: Floats
    """``[3, 3]`` added to the regressed joints, metres."""
    skin: Floats
    """``[V, 3]`` share of each vertex that follows the jaw, the left eye and the right eye."""
    pose_basis: Floats
    """``[27, V, 3]`` correctives per entry of (R - identity) of the three joints, row by row; ``[0, V, 3]``
    where the model has none."""
    eyelids: Eyelids
    """How the lids close."""
    landmark_ids: npt.NDArray[np.int32]
    """``[L]`` which of MediaPipe's 478 points each landmark is."""
    landmark_vertices: npt.NDArray[np.int32]
    """``[L, 3]`` vertices whose weighted sum is the landmark."""
    landmark_weights: Floats
    """``[L, 3]`` their weights."""
    landmark_noise: Floats
    """``[L]`` standard deviation of what the model leaves unexplained of a tracked landmark, metres."""
    tracker_warp: Floats
    """``[5, L, 3]`` how the tracker deforms faces with their pose, see :func:`pose_features`; metres."""
    rigid: Floats
    """``[L]`` weight of each landmark in the first guess of the pose: 1 for bone, 0 for lips."""
    motion_deviation: Floats
    """``[5]`` usual size of the three jaw angles (radians) and of the two eyelids: the fit's prior."""
    tracker_depth: float = 1.0
    """The tracker's depth is multiplied by this to be on the scale of its x and y."""
    handles: Mapping[str, Handle] = field(default_factory=dict)
    """Semantic handles by name."""

    @property
    def identities(self) -> int:
        """Number of identity coefficients."""
        return len(self.identity_basis)

    def neutral(self, identity: npt.NDArray[np.floating], offset: npt.NDArray[np.floating]) -> Floats:
        """A person's neutral shape ``[V, 3]`` from identity ``[<=I]`` and offset ``[V, 3]``, metres."""
        used = self.identity_basis[: len(identity)]
        flat = np.asarray(identity, np.float32) @ used.reshape(len(used), -1)
        return np.asarray(self.template + flat.reshape(self.template.shape) + offset, np.float32)

    def vertices(
        self,
        identity: npt.NDArray[np.floating],
        offset: npt.NDArray[np.floating],
        motion: HeadMotion,
    ) -> Floats:
        """Posed vertices in head space: everything but the head's own rotation and the camera.

        Args:
            identity: ``[<=I]`` coefficients.
            offset: ``[V, 3]`` metres, added to the identity's shape.
            motion: T frames; angles and camera are not used here.

        Returns:
            ``[T, V, 3]`` metres.
        """
        return self.deform(self.neutral(identity, offset), motion)

    def deform(self, neutral: Floats, motion: HeadMotion) -> Floats:
        """The same from a ready neutral shape ``[V, 3]``, for callers that keep it."""
        frames, count = len(motion), len(neutral)
        basis = np.concatenate([self.expression_basis, self.eyelids.displacement(neutral)])
        amounts = np.concatenate([motion.expression, motion.eyelids], 1).astype(np.float32)
        shaped = (amounts @ basis.reshape(len(basis), -1)).reshape(frames, count, 3)
        shaped += neutral
        turns = joint_rotations(motion)
        if len(self.pose_basis):
            relative = (turns - np.eye(3, dtype=np.float32)).reshape(frames, -1)
            shaped += (relative @ self.pose_basis.reshape(len(self.pose_basis), -1)).reshape(shaped.shape)
        self._turn(shaped, turns, self.joints(neutral, motion.expression), motion)
        return shaped

    def carry(self, change: Floats, motion: HeadMotion) -> Floats:
        """What another neutral shape comes to when it moves: :meth:`deform` of a shape with the change, less
        that of the shape without it. All of it is linear in the shape, so it is the same for everybody.

        Args:
            change: ``[V, 3]`` metres, added to a neutral shape.
            motion: T frames.

        Returns:
            ``[T, V, 3]`` metres.
        """
        return self.carried(change)(motion)

    def carried(self, change: Floats) -> Callable[[HeadMotion], Floats]:
        """:meth:`carry` of one change, with all that is fixed prepared."""
        lids = self.eyelids.displacement(change).reshape(2, -1)
        joints = np.asarray(self.joint_regressor @ change, np.float32)
        moved, skin = self._skinned()

        def carry(motion: HeadMotion) -> Floats:
            out = (motion.eyelids.astype(np.float32) @ lids).reshape(len(motion), *change.shape)
            out += change
            arms = np.tile(joints, (len(motion), 1, 1))
            _skin(out, joint_rotations(motion), arms, motion.eyelids, moved, skin)
            return out

        return carry

    def _turn(self, shaped: Floats, turns: Floats, joints: Floats, motion: HeadMotion) -> None:
        """Skinning of all vertices, in place."""
        _skin(shaped, turns, joints, motion.eyelids, *self._skinned())

    def _skinned(self) -> tuple[list[npt.NDArray[np.intp]], list[Floats]]:
        """For each joint the vertices that follow it, and how much."""
        moved = [np.flatnonzero(self.skin[:, j]) for j in range(JOINTS)]
        return moved, [self.skin[rows, j] for j, rows in enumerate(moved)]

    def joints(self, neutral: Floats, expression: npt.NDArray[np.floating]) -> Floats:
        """Where the joints are: ``[T, 3, 3]`` (jaw, left eye, right eye) for expressions ``[T, 50]``."""
        rest, moves = self._joint_parts(neutral)
        return np.asarray(rest + np.tensordot(expression, moves, 1), np.float32)

    def _joint_parts(self, neutral: Floats) -> tuple[Floats, Floats]:
        rest = self.joint_regressor @ neutral + self.joint_shift
        moves = self.joint_regressor @ self.expression_basis
        return np.asarray(rest, np.float32), np.asarray(moves, np.float32)

    def posed_landmarks(self, neutral: Floats) -> Callable[[HeadMotion], Floats]:
        """A function from motions to landmarks ``[T, L, 3]`` of one person, with all that is fixed prepared.

        Only the vertices that landmarks hang on are computed.
        """
        used, places = np.unique(self.landmark_vertices, return_inverse=True)
        places = places.reshape(self.landmark_vertices.shape)
        count = len(used)
        lids = self.eyelids.displacement(neutral)
        basis = np.concatenate([self.expression_basis, lids, self.pose_basis])[:, used]
        basis = basis.reshape(len(basis), -1)
        start = neutral[used]
        whole = not self.landmark_weights[:, 1:].any() and np.array_equal(places[:, 0], np.arange(count))
        rest, moves = self._joint_parts(neutral)
        moved = [np.flatnonzero(self.skin[used, j]) for j in range(JOINTS)]
        skin = [self.skin[used[rows], j] for j, rows in enumerate(moved)]
        correctives = bool(len(self.pose_basis))

        def posed(motion: HeadMotion) -> Floats:
            frames = len(motion)
            turns = joint_rotations(motion)
            amounts = [motion.expression, motion.eyelids]
            if correctives:
                amounts.append((turns - np.eye(3, dtype=np.float32)).reshape(frames, -1))
            shaped = (np.concatenate(amounts, 1).astype(np.float32) @ basis).reshape(frames, count, 3) + start
            _skin(
                shaped, turns, rest + np.tensordot(motion.expression, moves, 1), motion.eyelids, moved, skin
            )
            if whole:
                return shaped
            corners = shaped[:, places]
            return np.asarray(np.einsum("tlkd,lk->tld", corners, self.landmark_weights), np.float32)

        return posed

    def pick_landmarks(self, vertices: Floats) -> Floats:
        """Landmarks ``[..., L, 3]`` of given vertices ``[..., V, 3]``."""
        corners = vertices[..., self.landmark_vertices, :]
        return np.asarray(np.einsum("...lkd,lk->...ld", corners, self.landmark_weights), np.float32)

    def landmarks(
        self,
        identity: npt.NDArray[np.floating],
        offset: npt.NDArray[np.floating],
        motion: HeadMotion,
    ) -> Floats:
        """Landmarks ``[T, L, 3]`` in head space; ``landmark_ids`` says which of MediaPipe's they are."""
        return self.pick_landmarks(self.vertices(identity, offset, motion))


def _skin(
    shaped: Floats,
    turns: Floats,
    joints: Floats,
    eyelids: Floats,
    moved: list[npt.NDArray[np.intp]],
    skin: list[Floats],
) -> None:
    """Turn vertices ``[T, V, 3]`` about joints ``[T, 3, 3]`` in place (linear blend skinning)."""
    # Lids that come down leave no eyeball to be seen turning.
    open_share = 1.0 - np.clip(eyelids, 0.0, 1.0)
    steps = []
    for j, rows in enumerate(moved):
        if len(rows):
            share = skin[j][:, None] if j == 0 else skin[j][:, None] * open_share[:, j - 1, None, None]
            arm = shaped[:, rows] - joints[:, None, j]
            steps.append((rows, (arm @ np.swapaxes(turns[:, j], 1, 2) - arm) * share))
    # A vertex may follow several joints: each turns it from where it was.
    for rows, step in steps:
        shaped[:, rows] += step


def joint_rotations(motion: HeadMotion) -> Floats:
    """Rotation matrices ``[T, 3, 3, 3]`` of the jaw and of both eyes."""
    jaw = Rotation.from_rotvec(np.asarray(motion.jaw, np.float64)).as_matrix().astype(np.float32)
    angles = np.concatenate([motion.gaze, np.zeros((len(motion), 1), np.float32)], 1)
    eyes = rotation_from_angles(angles)
    return np.stack([jaw, eyes, eyes], 1)


def pose_features(angles: npt.NDArray[np.floating]) -> Floats:
    """What a tracker's systematic deformation is a linear function of: ``[T, 5]`` from angles ``[T, 3]``.

    Sine of yaw, sine of pitch, their squares and their product; all zero for a face seen from the front.
    Beyond the range that the warp was learned on (45 and 30 degrees) they stay at its edge.
    """
    yaw = np.sin(np.deg2rad(np.clip(angles[:, 0], -45.0, 45.0)))
    pitch = np.sin(np.deg2rad(np.clip(angles[:, 1], -30.0, 30.0)))
    return np.stack([yaw, pitch, yaw * yaw, pitch * pitch, yaw * pitch], 1).astype(np.float32)
