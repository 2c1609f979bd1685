"""Cut out what a personal prior learns from: aligned crops, what warping makes of them, and made-up moments.

A trained engine must not learn to copy. Every training frame is therefore shown to it with a *guide* that
was warped without the pivots of the same moment, and in several versions, each without other pivots: what is
wrong with a guide then has to be read from the guide itself, and cannot be known by heart. Beside the frames
stand *recombined* moments: the pose of one frame with the expression of another, also beyond what the clip
shows, where the best that is known is what warping makes of all pivots.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from pipelines.aligned_crop import cut_mask, cut_view, inside_source
from pipelines.material_files import (
    damage_told,
    load_numbers,
    motion_from_numbers,
    motion_numbers,
    new_arrays,
    save_numbers,
)
from pipelines.pvp_settings import MaterialSettings
from pipelines.training_frames import training_frames
from studio.domain.camera import Floats, Similarity, View
from studio.domain.controls import ControlState, track_from_motion
from studio.domain.motion import EXPRESSIONS, HeadMotion
from studio.domain.pivots import PivotSet
from studio.domain.progress import Progress, silent
from studio.domain.rendering import RenderRequest
from studio.domain.sequence import TrackedSequence
from studio.head.neutral_crop import aligned_crops
from studio.media import read_selected
from studio.project.sequence_files import MaskReader
from studio.warping.warper import Warper

Bytes = npt.NDArray[np.uint8]

EYES_AND_MOUTH = (
    (33, 160, 158, 133, 153, 144),
    (362, 385, 387, 263, 373, 380),
    (61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91),
)
"""Outlines of what expression may change, MediaPipe's numbers: landmarks 36-41, 42-47 and 48-60 of 68."""
DILATE, BLUR, BLUR_SIGMA = 31 / 512, 51 / 512, 5 / 512
"""PVP's public code, per side of the crop: how far the outlines grow, then how they are softened."""
_ARRAYS = ("real", "guides", "inside", "mask", "keep", "made_guides", "made_targets")


@dataclass(frozen=True)
class Material:
    """What a prior learns from; T good training frames, V versions of their guides, M made-up moments."""

    frames: npt.NDArray[np.int32]
    """``[T]`` frame numbers in the clip, ascending."""
    real: Bytes
    """``[T, R, R, 3]`` what the camera saw; beyond its picture, the first guide."""
    guides: Bytes
    """``[V, T, R, R, 3]`` what warping makes of it without the moment's own pivots."""
    inside: Bytes
    """``[T, R, R]`` 255 where the crop lies inside the camera's picture: elsewhere nobody knows."""
    mask: Bytes
    """``[T, R, R]`` 255 on the person."""
    keep: Bytes
    """``[T, R, R]`` 255 outside of softened eyes and mouth, in the crop (PVP eq. 13)."""
    motion: HeadMotion
    """Of the T frames."""
    crops: Floats
    """``[T, 4]`` source pixels to the crop's unit square."""
    train: npt.NDArray[np.int64]
    """Places (0..T-1) to learn from."""
    validation: npt.NDArray[np.int64]
    """Places to judge by: blocks of the training part, never learnt from."""
    pivots: npt.NDArray[np.int64]
    """Places of the pivots that may be learnt from."""
    made_guides: Bytes
    """``[M, R, R, 3]`` guides of moments that never were."""
    made_targets: Bytes
    """``[M, R, R, 3]`` the same warped from all pivots."""
    made_motion: HeadMotion
    """Of the M moments."""

    @property
    def guide(self) -> Bytes:
        """``[T, R, R, 3]`` the first version, in which only the moment's own pivots are missing."""
        return self.guides[0]

    @property
    def resolution(self) -> int:
        """Side R of the crops."""
        return int(self.real.shape[1])


def cut_material(
    video: Path,
    tracked: Path,
    sequence: TrackedSequence,
    pivots: PivotSet,
    warper: Warper,
    settings: MaterialSettings,
    folder: Path,
    progress: Progress = silent,
) -> None:
    """Write the material into an existing folder; nothing outside ``pivots.learnt_from`` is looked at.

    Raises:
        Problem: too few good frames, or the clip cannot be read.
    """
    chosen = training_frames(sequence, pivots, settings.validation, settings.validation_blocks)
    frames = chosen.frames
    chance = np.random.default_rng(settings.seed)
    size, count = settings.resolution, len(frames)
    motion = sequence.motion.take(frames)
    crops = aligned_crops(warper.mesh.neutral_face, motion)
    made_motion = recombined(motion, settings.recombined, chance)
    made_crops = aligned_crops(warper.mesh.neutral_face, made_motion)
    shapes = {
        "real": (count, size, size, 3),
        "guides": (settings.guides, count, size, size, 3),
        "inside": (count, size, size),
        "mask": (count, size, size),
        "keep": (count, size, size),
        "made_guides": (len(made_motion), size, size, 3),
        "made_targets": (len(made_motion), size, size, 3),
    }
    arrays = new_arrays(folder, {name: (np.uint8, shape) for name, shape in shapes.items()})
    total = count + len(made_motion)
    draw = _Drawing(warper, sequence, size)
    with MaskReader(tracked) as masks:
        for place, (frame, picture) in enumerate(read_selected(video, frames.tolist())):
            view = View(Similarity.from_array(crops[place]).scaled(size), size, size)
            arrays["real"][place] = cut_view(picture, view)
            arrays["inside"][place] = 255 * inside_source(view, sequence.width, sequence.height)
            box = Similarity.from_array(sequence.mask_boxes[frame])
            arrays["mask"][place] = cut_mask(masks.read(frame), box, view)
            arrays["keep"][place] = keep_mask(view.placement.apply(sequence.landmarks[frame, :, :2]), size)
            away = np.abs(pivots.frames - frame) / float(sequence.rate)
            for version in range(settings.guides):
                without = _left_out(away, settings, version, chance)
                arrays["guides"][version, place] = draw(motion, place, view, without)
            # Beyond the camera's picture nobody knows better than warping: no training is led there by a
            # border that was merely continued.
            beyond = arrays["inside"][place] == 0
            arrays["real"][place][beyond] = arrays["guides"][0, place][beyond]
            progress(place + 1, total, "Cutting out what to learn from")
    nowhere = np.full(len(pivots.frames), np.inf)
    for place in range(len(made_motion)):
        view = View(Similarity.from_array(made_crops[place]).scaled(size), size, size)
        arrays["made_targets"][place] = draw(made_motion, place, view, None)
        without = _left_out(nowhere, settings, 1, chance)
        arrays["made_guides"][place] = draw(made_motion, place, view, without)
        progress(count + place + 1, total, "Drawing moments that never were")
    for array in arrays.values():
        array.flush()
    own = np.searchsorted(frames, pivots.frames)
    own = np.intersect1d(own[frames[np.minimum(own, count - 1)] == pivots.frames], chosen.train)
    save_numbers(
        folder / "material.npz",
        {
            "frames": frames.astype(np.int32),
            "crops": crops,
            "train": chosen.train,
            "validation": chosen.validation,
            "pivots": own,
            **motion_numbers("motion", motion),
            **motion_numbers("made", made_motion),
        },
    )


def load_material(folder: Path) -> Material:
    """Open what :func:`cut_material` wrote; pictures stay on disk until looked at. Raises Problem."""
    with damage_told(folder):
        numbers = load_numbers(folder / "material.npz")
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in _ARRAYS}
        return Material(
            **{name: numbers[name] for name in ("frames", "crops", "train", "validation", "pivots")},
            motion=motion_from_numbers("motion", numbers),
            made_motion=motion_from_numbers("made", numbers),
            **arrays,
        )


def recombined(motion: HeadMotion, count: int, chance: np.random.Generator) -> HeadMotion:
    """``count`` moments with the pose of one frame and the face of another, stretched beyond both.

    Turn and nod go up to 8° beyond the frame's own, expressions from half to one and a half, with other
    people's faces mixed in: coefficients drawn from the head model's own prior (deviation 1).
    """
    frames = len(motion)
    pose, face = chance.integers(frames, size=(2, count))
    angles = motion.angles[pose] + chance.uniform(-8.0, 8.0, (count, 3)) * np.array([1.0, 1.0, 0.25])
    stretch = chance.uniform(0.5, 1.5, (count, 1))
    others = chance.normal(size=(count, EXPRESSIONS)) * np.where(chance.random((count, 1)) < 0.3, 0.8, 0.1)
    return HeadMotion(
        expression=(motion.expression[face] * stretch + others).astype(np.float32),
        jaw=(motion.jaw[face] * stretch).astype(np.float32),
        eyelids=motion.eyelids[face].astype(np.float32),
        gaze=motion.gaze[face].astype(np.float32),
        angles=angles.astype(np.float32),
        camera=motion.camera[pose].astype(np.float32),
    )


def keep_mask(landmarks: Floats, size: int) -> Bytes:
    """255 outside of eyes and mouth, 0 inside, soft between (PVP eq. 13), in the crop's own pixels.

    Args:
        landmarks: ``[478, 2]`` in pixels of the crop.
        size: its side.
    """
    changing = np.zeros((size, size), np.uint8)
    for outline in EYES_AND_MOUTH:
        hull = cv2.convexHull(landmarks[list(outline)].round().astype(np.int32))
        cv2.fillConvexPoly(changing, hull, 255)
    wide, soft = (max(3, 2 * round(share * size / 2) + 1) for share in (DILATE, BLUR))
    grown = cv2.dilate(changing, np.ones((wide, wide), np.uint8))
    return np.asarray(255 - cv2.GaussianBlur(grown, (soft, soft), max(0.5, BLUR_SIGMA * size)), np.uint8)


class _Drawing:
    """The warper asked for moments in their crops."""

    def __init__(self, warper: Warper, sequence: TrackedSequence, size: int) -> None:
        self._warper, self._rate, self._size = warper, sequence.rate, size

    def __call__(
        self, motion: HeadMotion, place: int, view: View, without: npt.NDArray[np.bool_] | None
    ) -> Bytes:
        one = motion.take(slice(place, place + 1))
        track = track_from_motion(one, self._warper.mesh.rest_camera, self._rate)
        request = RenderRequest(ControlState(track.names, track.values[0]), view)
        return self._warper.render(request, without).image


def _left_out(
    away: npt.NDArray[np.floating], settings: MaterialSettings, version: int, chance: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Pivots that a version of a guide goes without; ``away``: seconds from each of them to the frame."""
    if version == 0:
        without = away <= settings.least_gap
    else:
        low, high = max(settings.least_gap, 1e-3), max(settings.most_gap, settings.least_gap, 1e-3)
        without = away <= np.exp(chance.uniform(np.log(low), np.log(high)))
        without |= chance.random(len(away)) < chance.uniform(0.0, settings.dropped)
    if without.all():
        without[np.argmax(away)] = False
    return np.asarray(without)
