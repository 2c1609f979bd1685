"""What pictures of one head from several sides say of its shape, and of each other."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats
from studio.head import HeadModel
from studio.head.alignment import align
from studio.head.fitting import FitSettings, PersonFitter, eyes_apart, fit_person
from studio.head.model import pose_features
from studio.head.topology import topology

FACING = 0.35
"""Cosine to the camera from which a triangle counts as seen well enough to be carried on."""
_LEAST_PIXELS = 200
"""Pixels that two neighbours must share, so that their difference says anything."""
_ROUNDS = 3
Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class ViewShape:
    """What one picture says of a head, all of it left free: nothing is known of the person."""

    shape: Floats
    """``[L, 3]`` landmarks of the face as it stands, expression included, turned to the front; metres of
    the head model's size."""
    angles: Floats
    """``[3]`` yaw, pitch, roll in degrees."""


def free_shape(model: HeadModel, landmarks: Floats) -> ViewShape:
    """Fit identity and offset to one picture's landmarks ``[478, 3]`` in pixels, z larger = nearer."""
    settings = FitSettings()
    identity, offset = fit_person(model, landmarks[None], settings)
    motion = PersonFitter(model, identity, offset, settings).fit(landmarks[None], pose_only=True)
    return ViewShape(model.pick_landmarks(model.neutral(identity, offset)), motion.angles[0])


def spread(shapes: Floats, eye_distance: float, model: HeadModel) -> tuple[Floats, Floats]:
    """How far shapes ``[N, L, 3]`` lie from their mean, size and pose apart.

    Args:
        shapes: of one face in N views.
        eye_distance: the person's own, metres: sets the scale, which no picture shows.
        model: says which landmarks are the irises'.

    Returns:
        ``[N]`` root mean square distance over landmarks, millimetres; and the mean shape ``[L, 3]``, metres.
    """
    weights = np.ones(shapes.shape[1], np.float32)
    mean = shapes[len(shapes) // 2]
    for _ in range(_ROUNDS):
        placed = np.stack([_placed(shape, mean, weights) for shape in shapes])
        mean = placed.mean(0)
    scale = eye_distance / eyes_apart(model, mean)
    away = (placed - mean) * scale
    return 1000.0 * np.sqrt((away**2).sum(-1).mean(1)), np.asarray(mean * scale, np.float32)


def seen_spread(landmarks: Floats, angles: Floats, mean: Floats, model: HeadModel) -> float:
    """How far landmarks lie, in the picture, from one shape turned rigidly: what needs no tracker's depth.

    Args:
        landmarks: ``[478, 3]`` of one picture, pixels.
        angles: ``[3]`` as read from it; only the tracker's own deformation at such angles depends on them.
        mean: ``[L, 3]`` the shape, metres.
        model: the head model.

    Returns:
        Root mean square distance in millimetres, after the best turn, size and place.
    """
    shape = mean + np.tensordot(pose_features(angles[None])[0], model.tracker_warp, 1)
    ids = model.landmark_ids
    points = landmarks if len(ids) == len(landmarks) else landmarks[ids]
    seen = np.asarray(points[:, :2], np.float64) * (1.0, -1.0)
    seen, centred = seen - seen.mean(0), np.asarray(shape - shape.mean(0), np.float64)
    affine = np.linalg.lstsq(centred, seen, rcond=None)[0].T
    left, sizes, right = np.linalg.svd(affine, full_matrices=False)
    size = float(sizes.mean())
    # The nearest scaled rotation to the best affine map; two rows of one are enough for a picture.
    away = seen / size - centred @ (left @ right).T
    return float(1000.0 * np.sqrt((away**2).sum(-1).mean()))


def carried_error(picture: Picture, marks: Floats, other: Picture, other_marks: Floats) -> float:
    """How well a face carried over by its tracked mesh explains its neighbour: PSNR in dB.

    Args:
        picture: ``[H, W, 3]`` of one view.
        marks: ``[478, 3]`` its landmarks, picture pixels, z larger = nearer.
        other: ``[H, W, 3]`` the neighbouring view.
        other_marks: its landmarks.

    Returns:
        Over pixels whose triangle is seen well in both; NaN where there are hardly any.
    """
    from studio.head.rasterise import rasterise  # compiles: no help text needs that

    triangles = topology().triangles
    height, width = other.shape[:2]
    well = _facing(marks, triangles) & _facing(other_marks, triangles)
    seen = rasterise(other_marks, triangles, width, height)
    hidden = rasterise(marks, triangles, picture.shape[1], picture.shape[0]).triangle
    shown = (seen.triangle >= 0) & well[seen.triangle]
    places = seen.interpolate(np.ascontiguousarray(marks[:, :2]), triangles)
    at = np.clip(np.floor(places).astype(int), 0, (picture.shape[1] - 1, picture.shape[0] - 1))
    inside = (places >= 0).all(-1) & (places < (picture.shape[1], picture.shape[0])).all(-1)
    shown &= inside & (hidden[at[..., 1], at[..., 0]] >= 0)
    if shown.sum() < _LEAST_PIXELS:
        return float("nan")
    moved = cv2.remap(
        picture,
        np.ascontiguousarray(places[..., 0] - 0.5, np.float32),
        np.ascontiguousarray(places[..., 1] - 0.5, np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    error = float(((moved[shown].astype(np.float64) - other[shown]) ** 2).mean())
    return float(10.0 * np.log10(255.0**2 / max(error, 1e-3)))


def _placed(shape: Floats, mean: Floats, weights: Floats) -> Floats:
    """A shape moved, turned and sized to lie nearest to another."""
    size, turn, shift = align(mean[None], shape, weights)
    return np.asarray(size[0] * shape @ turn[0].T + shift[0], np.float32)


def _facing(marks: Floats, triangles: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    """``[F]`` triangles that face the viewer well."""
    a, b, c = (marks[triangles[:, k]] for k in range(3))
    normals = np.cross(b - a, c - a)
    cosine = normals[:, 2] / np.maximum(np.linalg.norm(normals, axis=1), 1e-12)
    # A face seen at all shows most of its triangles, which tells their winding.
    return np.asarray(cosine * np.sign(np.median(cosine)) > FACING)
