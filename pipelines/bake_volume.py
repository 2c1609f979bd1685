"""Edits trained into a Tri²-plane avatar's volume, so that they cost nothing when it is shown.

A shape goes into the head model that expressions are led back by: it is one more displacement from where a
point of the face is seen to where the volume keeps it. Colours and lights have no such place. Then the whole
network is tuned for a short time on pictures of its own: what the avatar shows in moments of its clip, with
the edits. That is not exact: a volume does not know how a head is held, so a light turns with the head a
little, and what is left of the difference is measured on moments that were left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from pipelines.aligned_crop import cut_view
from pipelines.bake_volume_settings import VolumeFitSettings
from pipelines.cut_volume_material import VolumeMaterial, wider
from pipelines.train_tri2plane import train_tri2plane
from pipelines.training.settings import LoopSettings
from pipelines.training_frames import validation_blocks
from pipelines.tri2plane_training_settings import Tri2PlaneSettings
from studio.domain.camera import Similarity, View
from studio.domain.controls import ControlState, track_from_motion
from studio.domain.edits import Edit, EditStack
from studio.domain.motion import HeadMotion
from studio.domain.progress import Progress, silent
from studio.engines.tri2plane.artefact import Tri2Parts
from studio.engines.tri2plane.engine import Tri2PlaneEngine
from studio.head.neutral_crop import aligned_crops
from studio.warping.parts import WarpParts


def volume_baked(
    parts: Tri2Parts,
    base: WarpParts,
    chosen: Sequence[tuple[Edit, float]],
    motion: HeadMotion,
    settings: VolumeFitSettings,
    folder: Path,
    progress: Progress = silent,
    device: torch.device | str = "cpu",
) -> tuple[Tri2Parts, dict[str, float]]:
    """An avatar whose volume shows edits of shape, colour and light without having them.

    Args:
        parts: the avatar; left as it is.
        base: what it stands on, with the edits in it.
        chosen: the edits and their strengths, in the stack's order.
        motion: T good frames of its clip, whose pose and expression it is tuned in; see :func:`moments_of`.
        settings: for how long, and how fast.
        folder: for checkpoints; a training that was interrupted goes on from there.
        progress: told often; may raise Interrupted.
        device: where to compute.

    Returns:
        The avatar; and ``steps`` and ``minutes`` of tuning.

    Raises:
        Problem: an edit does not belong to the avatar, or memory or disk are used up.
    """
    baked = replace(parts, base=base)
    if base.change is not None:
        face = base.change[: len(parts.person.neutral)]
        baked = replace(baked, person=replace(parts.person, change=face))
    taught = Tri2PlaneSettings(
        shape=parts.network.shape,
        learning_rate=settings.learning_rate,
        standing_rate=settings.standing_rate,
        code_dropped=0.0,
        upsampler_from=0.0,
        validation_frames=6,
        upsampler_tiles=max(1, parts.network.shape.tiles // 2),
        loop=LoopSettings(
            steps=settings.steps,
            minutes=settings.minutes,
            batch=settings.batch,
            schedule=settings.schedule,
            clip_norm=1.0,
            average_decay=0.95,
            validate_seconds=max(20.0, 60.0 * settings.minutes / LOOKS),
            seed=settings.seed,
        ),
    )
    material = taught_pictures(parts, baked, chosen, motion, progress, device)
    trained = train_tri2plane(
        material, taught, folder, progress, device, start=parts, what="training the edits in"
    )
    took = {"steps": float(trained.loop.steps), "minutes": trained.loop.seconds / 60.0}
    return replace(baked, network=trained.network.cpu().eval()), took


def taught_pictures(
    parts: Tri2Parts,
    baked: Tri2Parts,
    chosen: Sequence[tuple[Edit, float]],
    motion: HeadMotion,
    progress: Progress,
    device: torch.device | str,
) -> VolumeMaterial:
    """What the copy shall show: the avatar's own window with the edits, and the maps that the copy is told
    of the same T moments by."""
    shape = parts.network.shape
    resolution = shape.resolution * shape.upscale
    room = round(resolution * parts.margin)
    side = resolution + 2 * room
    crops = wider(aligned_crops(parts.person.neutral, motion), resolution, room)
    edits = EditStack(tuple(edit for edit, _ in chosen))
    strengths = np.array([strength for _, strength in chosen], np.float32)
    engine = Tri2PlaneEngine(parts, str(device), edits)
    track = track_from_motion(motion, parts.person.rest_camera, Fraction(1))
    plate = np.ascontiguousarray(parts.base.plate.image[..., :3])
    to_source = parts.base.stage.placement.inverse()
    count = len(motion)
    real, background = (np.empty((count, side, side, 3), np.uint8) for _ in range(2))
    mask = np.empty((count, side, side), np.uint8)
    for t in range(count):
        progress(t, count, "Drawing pictures with the edits")
        view = Similarity.from_array(crops[t]).scaled(side)
        background[t] = cut_view(plate, View(to_source.then(view), side, side))
        own = track.state(t)
        names = (*own.names, *(edit.control_name for edit in edits.edits))
        asked = ControlState(names, np.append(own.values, strengths))
        real[t], mask[t] = engine.window(asked, background[t])
    engine.close()
    maps = baked.person.zero_pose().maps(motion)
    judged = judged_of(count)
    return VolumeMaterial(
        frames=np.arange(count, dtype=np.int32),
        real=real,
        inside=np.full((count, side, side), 255, np.uint8),
        mask=mask,
        background=background,
        motion_map=maps.motion_map.astype(np.float16),
        displacement=maps.displacement.astype(np.float16),
        motion=motion,
        crops=crops,
        train=np.setdiff1d(np.arange(count), judged),
        validation=judged,
        person=baked.person,
        resolution=resolution,
    )


def moments_of(motion: HeadMotion, parts: Tri2Parts, settings: VolumeFitSettings) -> HeadMotion:
    """Frames of a clip that are tuned in: evenly spread, as many as is asked for and memory holds."""
    side = parts.network.shape.resolution * parts.network.shape.upscale * (1.0 + 2.0 * parts.margin)
    most = min(settings.pictures, max(FEWEST, int(MEMORY / (8 * side**2))), len(motion))
    return motion.take(np.linspace(0, len(motion) - 1, most).round().astype(np.int64))


def judged_of(count: int) -> npt.NDArray[np.int64]:
    """Places of those moments that are left out of tuning, to judge it by."""
    return validation_blocks(count, JUDGED, BLOCKS)


JUDGED, BLOCKS = 0.15, 3
"""Share of the moments that tuning is judged by, and in how many runs of the clip they lie."""
LOOKS = 4
"""How often tuning is judged; the best is kept, which may be what it began with."""
MEMORY, FEWEST = 6e8, 24
"""Bytes that pictures may take, and how many there are in any case."""
