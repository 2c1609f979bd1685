"""Tracked clip and pivots to an instant avatar: cut pivots out, recover the background, learn the shell."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipelines.aligned_crop import cut_mask, cut_view
from studio.domain.camera import Similarity, View, project
from studio.domain.motion import HeadMotion
from studio.domain.pivots import PivotSet
from studio.domain.problem import Problem
from studio.domain.progress import Progress, silent
from studio.domain.sequence import TrackedSequence
from studio.head import HeadModel, builtin_head
from studio.head.sheet import head_sheet
from studio.media import read_selected
from studio.project.sequence_files import MaskReader, load_sequence
from studio.warping.mesh import PersonMesh, boundary_loop, picture_border
from studio.warping.parts import WarpParts, facing, pivot_positions
from studio.warping.plate import recover_plate
from studio.warping.regions import region_weights
from studio.warping.settings import WarpSettings
from studio.warping.shell import learn_shell
from studio.warping.trust import vertex_trust
from studio.warping.warp_files import save_parts

STAGE_MARGIN = 1.04
"""Side of the stage in sides of the square that holds the clip's crops."""


def build_instant(
    video: Path,
    tracked: Path,
    pivots: PivotSet,
    settings: WarpSettings,
    folder: Path,
    progress: Progress = silent,
) -> View:
    """Write an instant avatar's files into an existing folder.

    Args:
        video: the clip that was tracked.
        tracked: its sequence folder, with masks.
        pivots: the chosen frames; nothing outside ``pivots.learnt_from`` is looked at.
        settings: see :class:`WarpSettings`.
        folder: an empty folder; the caller renames it into place when this returns.
        progress: told for each frame read.

    Returns:
        The stage: the window of the clip that exports show, at the avatar's own resolution.

    Raises:
        Problem: the video or the sequence cannot be read, or belongs to another head model.
    """
    parts = warp_parts(video, tracked, load_sequence(tracked), pivots, settings, progress)
    progress(0, 1, "Writing the avatar")
    save_parts(folder, parts)
    progress(1, 1, "Writing the avatar")
    return parts.stage


def warp_parts(
    video: Path,
    tracked: Path,
    sequence: TrackedSequence,
    pivots: PivotSet,
    settings: WarpSettings,
    progress: Progress = silent,
) -> WarpParts:
    """What :func:`build_instant` writes.

    Args:
        video: the clip that was tracked.
        tracked: its sequence folder, with masks.
        sequence: what that holds.
        pivots, settings, progress: as there.

    Raises:
        Problem: the video cannot be read, or the sequence belongs to another head model.
    """
    model = builtin_head()
    if sequence.head_model != model.id:
        raise Problem(
            f"The clip was tracked with the head model “{sequence.head_model}”, and the instant engine draws "
            f"the built-in one, “{model.id}”: import the clip again without --flame."
        )
    learn = np.arange(*pivots.learnt_from)
    learn = learn[sequence.good[learn]]
    stage = choose_stage(sequence, learn, settings.texture_size)
    mesh = person_mesh(model, sequence, learn, stage)
    spread = np.unique(learn[np.linspace(0, len(learn) - 1, settings.plate_frames).round().astype(int)])
    needed = np.union1d(pivots.frames, spread)
    cut = _cut_frames(video, tracked, sequence, needed, stage, progress)
    plate = recover_plate(cut[np.searchsorted(needed, spread)])
    textures = cut[np.searchsorted(needed, pivots.frames)]
    motion = sequence.motion.take(pivots.frames)
    progress(0, 1, "Learning how hair and shoulders move")
    shell_motion, shell = learn_shell(mesh, motion, textures, stage)
    mesh = replace(mesh, shell_motion=shell_motion)
    progress(0, 1, "Looking for covered parts")
    positions = pivot_positions(mesh, motion, shell)
    trust = vertex_trust(
        mesh,
        stage.placement.apply(positions[..., :2]),
        facing(positions, mesh),
        region_weights(mesh),
        textures,
        stage,
    )
    sheet = head_sheet(sequence.motion.take(learn), mesh.rest_camera)
    return WarpParts(mesh, motion, textures, shell, trust, plate, stage, settings, sheet)


def choose_stage(sequence: TrackedSequence, frames: npt.NDArray[np.integer], size: int) -> View:
    """The square window of the clip that holds the crops of ``frames``, at most ``size`` pixels wide.

    It stays inside the picture: a crop may reach beyond, but an export must not show what no camera saw.
    The crops of a clip whose head moves leave room around it by themselves. One frame's is tight, cuts hair
    off and has no room to turn: there the window is all in which the person's outline is known, and as many
    pixels wider.
    """
    crops, margin = sequence.crops[frames], STAGE_MARGIN
    if len(frames) == 1:
        tight = crops[0, 0]
        crops, margin = sequence.mask_boxes[frames], 1.0
        size = round(size * max(float(tight / crops[0, 0]), 1.0))
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    points = np.concatenate([Similarity.from_array(c).inverse().apply(corners) for c in crops])
    low, high = np.percentile(points, 1, axis=0), np.percentile(points, 99, axis=0)
    side = float((high - low).max()) * margin
    side = min(side, float(sequence.width), float(sequence.height))
    limit = np.array([sequence.width, sequence.height]) - side
    left, top = np.clip((low + high) / 2 - side / 2, 0.0, limit)
    pixels = int(min(size, round(side))) // 2 * 2
    scale = pixels / side
    return View(Similarity(scale, 0.0, float(-left * scale), float(-top * scale)), pixels, pixels)


def person_mesh(
    model: HeadModel, sequence: TrackedSequence, frames: npt.NDArray[np.integer], stage: View
) -> PersonMesh:
    """The person's mesh with its rest pose and the ring around the stage."""
    rest_camera = np.median(sequence.motion.camera[frames], axis=0).astype(np.float32)
    rest_angles = np.median(sequence.motion.angles[frames], axis=0).astype(np.float32)
    still = model.vertices(sequence.identity, sequence.offset, HeadMotion.neutral(1, rest_camera))[0]
    rim = project(still[boundary_loop(model.triangles)], rest_angles, rest_camera)[:, :2]
    corners = np.array([[0, 0], [stage.width, stage.height]], np.float32)
    left, top, right, bottom = stage.placement.inverse().apply(corners).ravel().tolist()
    border = picture_border(rim, rim.mean(0), (left, top, right, bottom))
    return PersonMesh(model, sequence.identity, sequence.offset, rest_camera, rest_angles, border)


def _cut_frames(
    video: Path,
    tracked: Path,
    sequence: TrackedSequence,
    frames: npt.NDArray[np.integer],
    stage: View,
    progress: Progress,
) -> npt.NDArray[np.uint8]:
    """``[N, H, W, 4]`` the stage's window of some frames: RGB and person mask."""
    out = np.empty((len(frames), stage.height, stage.width, 4), np.uint8)
    with MaskReader(tracked) as masks:
        for number, (frame, picture) in enumerate(read_selected(video, frames.tolist())):
            out[number, ..., :3] = cut_view(picture, stage)
            box = Similarity.from_array(sequence.mask_boxes[frame])
            out[number, ..., 3] = cut_mask(masks.read(frame), box, stage)
            progress(number + 1, len(frames), "Cutting out the pivots")
    return out
