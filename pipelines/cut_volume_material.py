"""Cut out what a volume learns from: wide pictures of good frames, and the head's maps of the same moments.

The pictures show the aligned crop of the neutral face and a margin around it, so that windows of the crop's
size may slide over them. Beside each stand its person mask, the empty background as the same view shows it,
and what :mod:`studio.head.zero_pose` draws of the moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipelines.aligned_crop import cut_mask, cut_view, inside_source
from pipelines.foreign_cover import SIDE, foreign_cover
from pipelines.material_files import (
    damage_told,
    load_numbers,
    motion_from_numbers,
    motion_numbers,
    new_arrays,
    save_numbers,
)
from pipelines.training_frames import training_frames
from pipelines.tri2plane_settings import VolumeMaterialSettings
from studio.domain.camera import Floats, Similarity, View, head_plane, rotation_from_angles
from studio.domain.controls import track_from_motion
from studio.domain.motion import HeadMotion
from studio.domain.pivots import PivotSet
from studio.domain.progress import Progress, silent
from studio.domain.sequence import TrackedSequence
from studio.engines.tri2plane.body import BodyMotion, body_maps, learn_body
from studio.engines.tri2plane.person import VolumePerson, load_person, save_person
from studio.head.neutral_crop import aligned_crops
from studio.head.zero_pose import FrontalGrid, ZeroPose, proxy_depth
from studio.media import read_selected
from studio.project.sequence_files import MaskReader
from studio.warping.mean_colours import mean_colours
from studio.warping.parts import WarpParts
from studio.warping.warper import Warper

Bytes = npt.NDArray[np.uint8]
Halves = npt.NDArray[np.float16]

DEPTHS = (-0.20, 0.12)
"""Least and greatest z of the volume's box, metres: from behind the ears to before the nose."""
BEYOND = 0.02
"""Metres that the box goes beyond what pictures show."""
OUTLIERS = 0.5
"""Per cent of the pictures' corners, at either end, for which the box is not made larger."""
PROXY = 128
"""Places along a side of the proxy's depth."""
_PICTURES = ("real", "inside", "mask", "background", "motion_map", "displacement")
_NUMBERS = ("frames", "crops", "train", "validation")


@dataclass(frozen=True, eq=False)
class VolumeMaterial:
    """What a volume learns from; T good training frames, pictures of S pixels, maps of G pixels a side."""

    frames: npt.NDArray[np.int32]
    """``[T]`` frame numbers in the clip, ascending."""
    real: Bytes
    """``[T, S, S, 3]`` what the camera saw; beyond its picture, the border continued."""
    inside: Bytes
    """``[T, S, S]`` 255 inside the camera's picture and where nothing covers the person: elsewhere nobody
    knows."""
    mask: Bytes
    """``[T, S, S]`` 255 on the person."""
    background: Bytes
    """``[T, S, S, 3]`` the empty background."""
    motion_map: Halves
    """``[T, 6, G, G]``, see :class:`studio.head.zero_pose.ZeroPoseMaps`."""
    displacement: Halves
    """``[T, 3, G, G]`` metres, see there."""
    motion: HeadMotion
    """Of the T frames."""
    crops: Floats
    """``[T, 4]`` source pixels to the unit square of the wide picture."""
    train: npt.NDArray[np.int64]
    """Places (0..T-1) to learn from."""
    validation: npt.NDArray[np.int64]
    """Places to judge by: blocks of the training part, never learnt from."""
    person: VolumePerson
    """Whose head it is."""
    resolution: int
    """Side R of the aligned crop in the middle of each picture, pixels; R and S are both even or both odd."""

    @property
    def margin(self) -> float:
        """How much wider the pictures are than the crop on each side, in sides of the crop."""
        return (self.real.shape[1] - self.resolution) / 2 / self.resolution

    @property
    def to_plane(self) -> Floats:
        """``[T, 2, 3]`` pixels of the wide pictures to metres in the head's plane, x right and y up."""
        return head_plane(_in_pixels(self.crops, self.real.shape[1]), self.motion.camera)

    @property
    def body(self) -> Floats:
        """``[T, 2, 3]`` from the head's place to the body's."""
        return self.person.body_maps(self.motion)


def cut_volume_material(
    video: Path,
    tracked: Path,
    sequence: TrackedSequence,
    pivots: PivotSet,
    parts: WarpParts,
    settings: VolumeMaterialSettings,
    folder: Path,
    progress: Progress = silent,
) -> None:
    """Write the material into an existing folder; nothing outside ``pivots.learnt_from`` is looked at.

    Args:
        parts: the instant avatar of the same clip: its background, and its pivots' colours.

    Raises:
        Problem: too few good frames, or the clip cannot be read.
    """
    chosen = training_frames(sequence, pivots, settings.validation, settings.validation_blocks)
    motion, count = sequence.motion.take(chosen.frames), len(chosen.frames)
    room = round(settings.resolution * settings.margin)
    size, maps = settings.resolution + 2 * room, settings.map_size
    crops = wider(aligned_crops(parts.mesh.neutral_face, motion), settings.resolution, room)
    person = volume_person(parts, motion, crops, size, maps)
    drawing = person.zero_pose()
    arrays = new_arrays(
        folder,
        {
            "real": (np.uint8, (count, size, size, 3)),
            "inside": (np.uint8, (count, size, size)),
            "mask": (np.uint8, (count, size, size)),
            "background": (np.uint8, (count, size, size, 3)),
            "motion_map": (np.float16, (count, 6, maps, maps)),
            "displacement": (np.float16, (count, 3, maps, maps)),
        },
    )
    plate, to_source = np.ascontiguousarray(parts.plate.image[..., :3]), parts.stage.placement.inverse()
    warper = Warper(parts)
    asked = track_from_motion(motion, parts.mesh.rest_camera, sequence.rate)

    def warped(place: int, view: View) -> Bytes:
        side = min(SIDE, size)
        small = View(view.placement.scaled(side / size), side, side)
        return warper.draw(warper.posed(asked.state(place)), small)[0]

    with MaskReader(tracked) as masks:
        for place, (frame, picture) in enumerate(read_selected(video, chosen.frames.tolist())):
            view = View(Similarity.from_array(crops[place]).scaled(size), size, size)
            arrays["real"][place] = cut_view(picture, view)
            inside = inside_source(view, sequence.width, sequence.height)
            # Nothing is learnt from what covers the person for a while.
            covered = foreign_cover(arrays["real"][place], warped(place, view), inside)
            arrays["inside"][place] = 255 * (inside & ~covered)
            box = Similarity.from_array(sequence.mask_boxes[frame])
            arrays["mask"][place] = cut_mask(masks.read(frame), box, view)
            arrays["background"][place] = cut_view(plate, View(to_source.then(view.placement), size, size))
            drawn = drawing.maps(motion.take(slice(place, place + 1)))
            arrays["motion_map"][place] = drawn.motion_map[0]
            arrays["displacement"][place] = drawn.displacement[0]
            progress(place + 1, count, "Cutting out what to learn from")
    for array in arrays.values():
        array.flush()
    save_person(folder / "person.npz", person)
    save_numbers(
        folder / "material.npz",
        {
            "frames": chosen.frames.astype(np.int32),
            "crops": crops,
            "train": chosen.train,
            "validation": chosen.validation,
            "resolution": settings.resolution,
            **motion_numbers("motion", motion),
        },
    )


def load_volume_material(folder: Path) -> VolumeMaterial:
    """Open what :func:`cut_volume_material` wrote; pictures stay on disk until looked at. Raises Problem."""
    person = load_person(folder / "person.npz")
    with damage_told(folder):
        numbers = load_numbers(folder / "material.npz")
        return VolumeMaterial(
            **{name: numbers[name] for name in _NUMBERS},
            **{name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in _PICTURES},
            motion=motion_from_numbers("motion", numbers),
            person=person,
            resolution=int(numbers["resolution"]),
        )


def wider(crops: Floats, resolution: int, room: int) -> Floats:
    """Crops ``[T, 4]`` of a resolution, grown by ``room`` of their pixels on every side."""
    size = resolution + 2 * room
    grown = [
        Similarity.from_array(crop).then(Similarity(resolution / size, 0.0, room / size, room / size))
        for crop in crops
    ]
    return np.stack([crop.to_array() for crop in grown])


def volume_person(parts: WarpParts, motion: HeadMotion, crops: Floats, size: int, maps: int) -> VolumePerson:
    """The person's geometry, for maps of ``maps`` pixels a side.

    The box holds what pictures of ``size`` pixels with these crops ``[T, 4]`` show.
    """
    mesh = parts.mesh
    colours = mean_colours(parts)
    drawing = ZeroPose(mesh.model, mesh.neutral_face, colours, maps)
    body = learn_body(mesh)
    low, high = _box(_in_pixels(crops, size), size, motion, mesh.rest_camera, mesh.rest_angles, body)
    # The shell hangs on the neutral face's rim; the ring around the picture is left out.
    head = np.concatenate([drawing.canonical, mesh.shell_at_rest])
    proxy = proxy_depth(head, mesh.triangles, FrontalGrid(low[:2], high[:2], PROXY))
    return VolumePerson(
        neutral=mesh.neutral_face,
        canonical=drawing.canonical,
        colours=colours,
        grid=drawing.grid,
        proxy=proxy,
        low=low,
        high=high,
        rest_camera=mesh.rest_camera,
        rest_angles=mesh.rest_angles,
        chin=float(mesh.neutral_face[:, 1].min()),
        head_model=mesh.model.id,
        body=body,
    )


def _box(
    placement: Floats,
    size: int,
    motion: HeadMotion,
    rest_camera: Floats,
    rest_angles: Floats,
    body: BodyMotion,
) -> tuple[Floats, Floats]:
    """Corners ``[3]`` of the box in head space that pictures fill.

    Their upper corners turn with the head; at the lower ones shoulders are seen, which stay with the body.
    """
    line = np.array([0.0, size])
    to_plane = head_plane(placement, motion.camera)
    turn = rotation_from_angles(motion.angles)
    held = np.broadcast_to(rotation_from_angles(rest_angles), turn.shape)
    still = np.broadcast_to(np.eye(2, 3), (len(motion), 2, 3))
    seen = []
    for y, rotation, to_part in (
        (0.0, turn, still),
        (size, held, body_maps(motion, rest_camera, rest_angles, body)),
    ):
        corners = np.stack([line, np.full(2, y), np.ones(2)])
        plane = to_part[:, :, :2] @ (to_plane @ corners) + to_part[:, :, 2:]
        seen.append(np.einsum("tij,tik->tkj", rotation[:, :2, :2], plane).reshape(-1, 2))
    points = np.concatenate(seen)
    low = np.percentile(points, OUTLIERS, axis=0) - BEYOND
    high = np.percentile(points, 100.0 - OUTLIERS, axis=0) + BEYOND
    return np.array([*low, DEPTHS[0]], np.float32), np.array([*high, DEPTHS[1]], np.float32)


def _in_pixels(crops: Floats, size: int) -> Floats:
    """Crops ``[T, 4]``, from the unit square to a picture of ``size`` pixels."""
    return np.asarray(crops * np.array([size, 1, size, size]), np.float32)
