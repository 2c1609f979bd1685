"""Fitting a head model to tracked landmarks: identity once a clip, everything else frame by frame.

Every frame is solved in head space. Landmarks are brought there with the current pose; what is left over is
explained by one linear step over pose, expression, jaw and eyelids together, with a Gaussian prior on
all but the pose (Gauss-Newton with the Jacobian of the neutral face). As that Jacobian depends on the
person only, its normal matrix is inverted once and a step is one matrix product for all frames.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from studio.domain.camera import Floats, angles_from_rotation, rotation_from_angles
from studio.domain.motion import EXPRESSIONS, HeadMotion
from studio.domain.problem import Problem
from studio.domain.progress import Progress, silent
from studio.domain.sequence import LANDMARKS
from studio.head import topology as mesh
from studio.head.alignment import align, to_head_space
from studio.head.model import HeadModel, pose_features

POSE = 7
"""Small turn (3), relative scale and shift (3): the columns of the Jacobian that move the whole head."""


@dataclass(frozen=True)
class FitSettings:
    """How a head model is fitted."""

    rounds: int = 4
    """Times that the person's shape and the motion are refined in turn."""
    steps: int = 3
    """Gauss-Newton steps for each frame."""
    sample: int = 240
    """Frames that the person's shape is learned from, at most."""
    depth_trust: float = 0.3
    """Weight of a landmark's depth relative to its x and y: trackers guess depth."""
    evidence: float = 0.12
    """Weight of a landmark as if it were independent of its neighbours: a tracker's errors move together, so
    478 points tell as much as some sixty."""


@dataclass(frozen=True)
class HeadFit:
    """A head model fitted to a clip of T frames."""

    identity: Floats
    """``[I]`` identity coefficients in standard deviations."""
    offset: Floats
    """``[V, 3]`` what the identity basis misses of the person's neutral shape, metres."""
    motion: HeadMotion
    """Parameters per frame."""
    error: Floats
    """``[T]`` mean distance (x and y) between landmarks and fit, as a fraction of the distance between the
    iris centres of the person's neutral face; large where the landmarks fit no head."""


def fit_landmarks(
    model: HeadModel,
    landmarks: npt.NDArray[np.floating],
    valid: npt.NDArray[np.bool_],
    settings: FitSettings | None = None,
    progress: Progress = silent,
    shape_from: npt.NDArray[np.bool_] | None = None,
) -> HeadFit:
    """Fit identity, offset and motion to a clip.

    Args:
        model: the head model.
        landmarks: ``[T, 478, 3]`` MediaPipe's points in source pixels, z larger = nearer to the camera.
        valid: ``[T]`` frames in which a face was found; the others may hold anything and get the motion
            of landmarks interpolated between their neighbours.
        settings: see :class:`FitSettings`.
        progress: told after every round.
        shape_from: ``[T]`` frames that the person's shape may be learned from; None for all. Where none of
            them is valid, all valid frames are used.

    Returns:
        The fit, T frames.

    Raises:
        Problem: when no frame is valid.
        ValueError: when the shapes are wrong.
    """
    chosen = settings or FitSettings()
    landmarks, valid = np.asarray(landmarks, np.float32), np.asarray(valid, bool)
    if landmarks.ndim != 3 or landmarks.shape[1:] != (LANDMARKS, 3) or valid.shape != landmarks.shape[:1]:
        raise ValueError(
            f"landmarks are {landmarks.shape} and valid {valid.shape}, expected [T, 478, 3], [T]"
        )
    usable = valid & np.isfinite(landmarks).all((1, 2))
    if not usable.any():
        raise Problem(
            "No face was found in any frame, so there is no head to fit; use a clip that shows a face."
        )
    filled = _fill_gaps(landmarks, usable)
    allowed = usable if shape_from is None else usable & shape_from
    learnt_from = filled[allowed if allowed.any() else usable]
    # A photo has no calmer frames; a clip's only usable one is likely a calm one.
    learn = fit_person_once if len(landmarks) == 1 else fit_person
    identity, offset = learn(model, learnt_from, chosen, progress)
    fitter = PersonFitter(model, identity, offset, chosen)
    motion = fitter.fit(filled)
    return HeadFit(identity, offset, motion, fitter.error(filled, motion))


def fit_person(
    model: HeadModel,
    landmarks: Floats,
    settings: FitSettings,
    progress: Progress = silent,
) -> tuple[Floats, Floats]:
    """A person's identity ``[I]`` and offset ``[V, 3]`` from good landmarks ``[T, 478, 3]``.

    The neutral face is what remains of each frame once its motion is taken away, averaged robustly over
    the frames with the mouth most closed and the eyes open.
    """
    used = landmarks[_spread(len(landmarks), settings.sample)]
    calm = used[calm_frames(used)]
    identity = np.zeros(model.identities, np.float32)
    offset = np.zeros_like(model.template)
    solve = _identity_solver(model, settings)
    for turn in range(settings.rounds):
        fitter = PersonFitter(model, identity, offset, settings)
        # The first rounds explain calm frames by identity alone, later ones take the motion away.
        motion = fitter.fit(calm, pose_only=turn < 2)
        seen = fitter.unposed(calm, motion)
        moved = fitter.deformed(motion) - fitter.neutral_landmarks
        neutral = robust_mean(seen - moved)
        identity = solve(neutral)
        offset = _offset(model, neutral - model.pick_landmarks(model.neutral(identity, offset * 0)))
        progress(turn + 1, settings.rounds, "fitting the head")
    return identity, offset


ROUNDS_OF_ONE = 16
"""Rounds after which identity and motion of a single frame no longer move."""


def fit_person_once(
    model: HeadModel,
    landmarks: Floats,
    settings: FitSettings,
    progress: Progress = silent,
) -> tuple[Floats, Floats]:
    """A person's identity ``[I]`` and offset ``[V, 3]`` from one frame ``[1, 478, 3]``.

    What is shape and what is expression, one picture cannot say: an open mouth may be how the face is made.
    The model's statistics must. So both are sought together, each under its prior and in turns until neither
    moves (the most probable pair), and only what neither explains becomes the offset. Learnt as from a clip,
    whose calm frames are taken to be at rest, a laugh would become the resting face.
    """
    identity, nothing = np.zeros(model.identities, np.float32), np.zeros_like(model.template)
    solve = _identity_solver(model, settings)
    neutral = model.pick_landmarks(model.template)
    for turn in range(ROUNDS_OF_ONE):
        fitter = PersonFitter(model, identity, nothing, settings)
        motion = fitter.fit(landmarks)
        moved = fitter.deformed(motion) - fitter.neutral_landmarks
        neutral = (fitter.unposed(landmarks, motion) - moved)[0]
        identity = solve(neutral)
        progress(turn + 1, ROUNDS_OF_ONE, "fitting the head")
    return identity, _offset(model, neutral - model.pick_landmarks(model.neutral(identity, nothing)))


class PersonFitter:
    """Frame-by-frame fitting for a fixed person; cheap enough for live use once made."""

    def __init__(
        self,
        model: HeadModel,
        identity: npt.NDArray[np.floating],
        offset: npt.NDArray[np.floating],
        settings: FitSettings | None = None,
    ) -> None:
        """Prepare for a person.

        Args:
            model: the head model.
            identity: ``[I]`` coefficients.
            offset: ``[V, 3]`` metres.
            settings: see :class:`FitSettings`.
        """
        self.model = model
        self.settings = settings or FitSettings()
        self.neutral = model.neutral(identity, offset)
        self.neutral_landmarks = model.pick_landmarks(self.neutral)
        self._posed = model.posed_landmarks(self.neutral)
        self._iris = [_rows(model, mesh.IRISES[side][0]) for side in (0, 1)]
        self.eye_distance = eyes_apart(model, self.neutral_landmarks)
        noise = model.landmark_noise
        trust = np.array([1.0, 1.0, self.settings.depth_trust], np.float32)
        weights = (self.settings.evidence / noise[:, None] ** 2) * trust
        # The eyes turn by themselves: they say nothing about pose or expression.
        free = np.isin(model.landmark_ids, np.ravel(mesh.IRISES))
        weights[free] = 0.0
        self._weights = np.ascontiguousarray(weights.reshape(-1), np.float32)
        self._jacobian = self._make_jacobian()
        self._prior = np.concatenate(
            [
                np.full(POSE, 1e-3),
                1.0 / model.expression_deviation.astype(np.float64) ** 2,
                1.0 / model.motion_deviation.astype(np.float64) ** 2,
            ]
        )
        weighted = self._jacobian * self._weights
        normal = weighted.astype(np.float64) @ self._jacobian.T + np.diag(self._prior)
        inverse = np.linalg.inv(normal)
        self._gain = np.ascontiguousarray((inverse @ weighted).T, np.float32)
        self._pull = np.ascontiguousarray((inverse * self._prior).T[POSE:], np.float32)
        rigid = weighted[:POSE].astype(np.float64) * np.repeat(model.rigid**2, 3)
        rigid_normal = rigid @ self._jacobian[:POSE].T
        self._pose_gain = np.ascontiguousarray((np.linalg.inv(rigid_normal) @ rigid).T, np.float32)

    def fit(self, landmarks: npt.NDArray[np.floating], pose_only: bool = False) -> HeadMotion:
        """The motion that explains landmarks ``[T, 478, 3]`` in pixels, z larger = nearer."""
        points = self._prepare(landmarks)
        scale, rotation, shift = align(points, self.neutral_landmarks, self.model.rigid)
        frames = len(points)
        motion = HeadMotion.neutral(frames, np.ones(3, np.float32))
        amounts = np.zeros((frames, EXPRESSIONS + 5), np.float32)
        warp = self.model.tracker_warp
        for _ in range(self.settings.steps):
            seen = to_head_space(points, scale, rotation, shift)
            left = seen - self._posed(motion)
            left -= np.tensordot(pose_features(angles_from_rotation(rotation)), warp, 1)
            left = left.reshape(frames, -1)
            if pose_only:
                step = left @ self._pose_gain
            else:
                step = left @ self._gain
                pull = amounts @ self._pull
                step -= pull
                amounts += step[:, POSE:]
                motion = replace(
                    motion,
                    expression=amounts[:, :EXPRESSIONS],
                    jaw=amounts[:, EXPRESSIONS : EXPRESSIONS + 3],
                    eyelids=amounts[:, EXPRESSIONS + 3 :],
                )
            shift = shift + scale[:, None] * np.einsum("tij,tj->ti", rotation, step[:, 4:7])
            scale = scale * np.exp(step[:, 3])
            rotation = rotation @ Rotation.from_rotvec(step[:, :3]).as_matrix().astype(np.float32)
        motion = replace(
            motion,
            eyelids=np.clip(motion.eyelids, 0.0, 1.0),
            angles=angles_from_rotation(rotation),
            camera=np.stack([scale, shift[:, 0], -shift[:, 1]], 1),
        )
        return motion if pose_only else replace(motion, gaze=self._gaze(points, motion))

    def error(self, landmarks: npt.NDArray[np.floating], motion: HeadMotion) -> Floats:
        """Mean x-y distance between landmarks and fit ``[T]``, as a fraction of the eye distance."""
        seen = self.unposed(landmarks, motion)
        rotation = rotation_from_angles(motion.angles)
        left = (seen - self.deformed(motion)) @ np.swapaxes(rotation, 1, 2)
        distance = np.linalg.norm(left[..., :2], axis=-1).mean(1)
        return np.asarray(distance / self.eye_distance, np.float32)

    def unposed(self, landmarks: npt.NDArray[np.floating], motion: HeadMotion) -> Floats:
        """Landmarks ``[T, L, 3]`` in head space, freed of the tracker's pose-dependent deformation."""
        rotation = rotation_from_angles(motion.angles)
        shift = np.stack([motion.camera[:, 1], -motion.camera[:, 2], np.zeros(len(motion), np.float32)], 1)
        points = self._prepare(landmarks)
        # The depth of the origin is no parameter: put the rigid points' depth where the model has it.
        scale = motion.camera[:, 0]
        neutral = np.einsum("tj,lj->tl", rotation[:, 2], self.neutral_landmarks) * scale[:, None]
        shift[:, 2] = ((points[..., 2] - neutral) * self.model.rigid).sum(1) / self.model.rigid.sum()
        seen = to_head_space(points, scale, rotation, shift)
        return np.asarray(
            seen - np.tensordot(pose_features(motion.angles), self.model.tracker_warp, 1), np.float32
        )

    def deformed(self, motion: HeadMotion) -> Floats:
        """The model's landmarks ``[T, L, 3]`` in head space."""
        return self._posed(motion)

    def _prepare(self, landmarks: npt.NDArray[np.floating]) -> Floats:
        flip = np.array([1.0, -1.0, self.model.tracker_depth], np.float32)
        ids = self.model.landmark_ids
        points = np.asarray(landmarks, np.float32)
        return points * flip if len(ids) == points.shape[1] else points[:, ids] * flip

    def _make_jacobian(self) -> Floats:
        model, neutral = self.model, self.neutral
        points = self.neutral_landmarks
        rows = np.zeros((POSE + EXPRESSIONS + 5, len(points), 3), np.float32)
        for axis in range(3):
            rows[axis] = np.cross(np.eye(3)[axis], points)
            rows[4 + axis, :, axis] = 1.0
        rows[3] = points
        rows[POSE : POSE + EXPRESSIONS] = model.pick_landmarks(model.expression_basis)
        nudge = 0.02
        count = 5
        probe = HeadMotion.neutral(count, np.ones(3, np.float32))
        probe.jaw[:3] = np.eye(3) * nudge
        probe.eyelids[3:] = np.eye(2) * nudge
        rows[POSE + EXPRESSIONS :] = (self._posed(probe) - model.pick_landmarks(neutral)) / nudge
        return rows.reshape(len(rows), -1)

    def _gaze(self, points: Floats, motion: HeadMotion) -> Floats:
        """Gaze yaw and pitch ``[T, 2]`` from the irises' places, both eyes weighted by how open they are."""
        if any(len(rows) == 0 for rows in self._iris):
            return np.zeros((len(motion), 2), np.float32)
        rotation = rotation_from_angles(motion.angles)
        shift = np.stack([motion.camera[:, 1], -motion.camera[:, 2], np.zeros(len(motion), np.float32)], 1)
        straight = self._posed(replace(motion, gaze=np.zeros_like(motion.gaze)))
        joints = self.model.joints(self.neutral, motion.expression)
        total = np.zeros((len(motion), 2), np.float32)
        weight = np.full((len(motion), 1), 0.05, np.float32)
        for side in (0, 1):
            rows = self._iris[side]
            model_iris = straight[:, rows[0]]
            seen = (points[:, rows[0]] - shift) / motion.camera[:, :1]
            # Depth is not trusted: take the model's, then turn into head space.
            seen[:, 2] = np.einsum("tj,tj->t", rotation[:, 2], model_iris)
            moved = np.einsum("tji,tj->ti", rotation, seen) - model_iris
            radius = (model_iris - joints[:, 1 + side])[:, 2:]
            turn = np.rad2deg(np.arcsin(np.clip(moved[:, :2] / radius, -0.8, 0.8)))
            open_share = np.clip(1.0 - motion.eyelids[:, side : side + 1], 0.0, 1.0) ** 2
            total += open_share * turn
            weight += open_share
        return np.asarray(total / weight, np.float32)


_latest: tuple[object, bytes, PersonFitter] | None = None


def fit_motion(
    model: HeadModel,
    identity: npt.NDArray[np.floating],
    offset: npt.NDArray[np.floating],
    landmarks: npt.NDArray[np.floating],
) -> HeadMotion:
    """The motion of a known person for landmarks ``[T, 478, 3]`` (or one frame ``[478, 3]``).

    The person's solver is kept between calls, so a live loop may simply call this with the same person.
    """
    global _latest
    key = np.asarray(identity, np.float32).tobytes() + np.asarray(offset, np.float32).tobytes()
    if _latest is None or _latest[0] is not model or _latest[1] != key:
        _latest = (model, key, PersonFitter(model, identity, offset))
    points = np.asarray(landmarks, np.float32)
    return _latest[2].fit(points[None] if points.ndim == 2 else points)


def calm_frames(landmarks: npt.NDArray[np.floating], share: float = 0.2) -> npt.NDArray[np.intp]:
    """Frames ``[K]`` of ``[T, 478, 3]`` with the mouth among the most closed and the eyes not shut."""
    points = np.asarray(landmarks, np.float32)[..., :2]
    size = np.linalg.norm(points[:, 10] - points[:, 2], axis=-1) + 1e-6
    gap = (
        np.linalg.norm(points[:, mesh.INNER_UPPER_LIP] - points[:, mesh.INNER_LOWER_LIP], axis=-1).mean(1)
        / size
    )
    eyes = [
        np.linalg.norm(points[:, up] - points[:, low], axis=-1).mean(1)
        for up, low in zip(mesh.UPPER_LIDS, mesh.LOWER_LIDS)
    ]
    aperture = np.minimum(*eyes) / size
    awake = aperture >= 0.85 * np.median(aperture)
    order = np.argsort(np.where(awake, gap, np.inf))
    count = min(int(awake.sum()), max(10, round(share * len(points))))
    return np.sort(order[: max(1, count)])


def robust_mean(samples: Floats, rounds: int = 4) -> Floats:
    """Mean over the first axis of ``[T, L, 3]`` in which frames far from it count less (Geman-McClure)."""
    mean = np.median(samples, axis=0)
    for _ in range(rounds):
        distance = ((samples - mean) ** 2).sum(-1).mean(-1)
        weight = 1.0 / (1.0 + distance / (np.median(distance) + 1e-12)) ** 2
        mean = np.tensordot(weight / weight.sum(), samples, 1)
    return np.asarray(mean, np.float32)


def _identity_solver(model: HeadModel, settings: FitSettings):  # type: ignore[no-untyped-def]
    """A function from a neutral shape's landmarks ``[L, 3]`` to identity coefficients ``[I]``."""
    basis = model.pick_landmarks(model.identity_basis).reshape(model.identities, -1).astype(np.float64)
    trust = np.array([1.0, 1.0, settings.depth_trust])
    weights = ((settings.evidence / (model.landmark_noise[:, None] ** 2)) * trust).reshape(-1)
    free = np.repeat(np.isin(model.landmark_ids, np.ravel(mesh.IRISES)), 3)
    weights[free] = 0.0
    normal = (basis * weights) @ basis.T + np.eye(len(basis))
    gain = np.linalg.solve(normal, basis * weights)
    template = model.pick_landmarks(model.template)

    def solve(neutral: Floats) -> Floats:
        return np.asarray(gain @ (neutral - template).reshape(-1), np.float32)

    return solve


def _offset(model: HeadModel, left: Floats) -> Floats:
    """What landmarks ``[L, 3]`` still miss, as an offset ``[V, 3]``.

    Zero for a model whose landmarks are a few points of a dense mesh: moving those alone would raise spikes,
    and such a model has identity directions enough.
    """
    out = np.zeros_like(model.template)
    if len(model.landmark_ids) == len(out):
        out[model.landmark_vertices[:, 0]] = left
    return out


def _rows(model: HeadModel, point: int) -> npt.NDArray[np.intp]:
    return np.flatnonzero(model.landmark_ids == point)


def eyes_apart(model: HeadModel, points: Floats) -> float:
    """Distance between the eyes in metres: iris centres where the model has them, else eye corners."""
    centres = []
    for side in (0, 1):
        rows = _rows(model, mesh.IRISES[side][0])
        if len(rows) == 0:
            rows = np.flatnonzero(np.isin(model.landmark_ids, mesh.EYE_CORNERS[side]))
        centres.append(points[rows].mean(0) if len(rows) else np.array([0.0315 * (2 * side - 1), 0, 0]))
    return float(np.linalg.norm(centres[1] - centres[0]))


def _spread(count: int, most: int) -> npt.NDArray[np.intp]:
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.intp))


def _fill_gaps(landmarks: Floats, usable: npt.NDArray[np.bool_]) -> Floats:
    """Landmarks with unusable frames interpolated in time, held at both ends."""
    if usable.all():
        return landmarks
    good = np.flatnonzero(usable)
    at = np.arange(len(landmarks))
    after = np.clip(np.searchsorted(good, at), 0, len(good) - 1)
    before = np.clip(after - 1, 0, None)
    before = np.where(good[after] <= at, after, before)
    low, high = good[before], good[after]
    share = np.where(high > low, (at - low) / np.maximum(high - low, 1), 0.0).clip(0, 1)
    share = share[:, None, None].astype(np.float32)
    filled = landmarks[low] * (1 - share) + landmarks[high] * share
    filled[usable] = landmarks[usable]
    return np.asarray(filled, np.float32)
