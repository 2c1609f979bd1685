"""One picture to an avatar: choose it, cut its square out, and keep what a network is driven by.

The network itself is neither loaded nor run here: encoding a picture to its volume takes less than reading
the volume from the disk would, so that whoever shows the avatar does it.
"""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipelines.aligned_crop import cut_mask, cut_view
from pipelines.build_instant import warp_parts
from pipelines.corpus_squares import stretches
from pipelines.one_picture_settings import BEST, OnePictureSettings
from pipelines.prepare_settings import PrepareSettings
from pipelines.thumbnail import best_frame
from studio.domain.camera import Similarity, View
from studio.domain.motion import HeadMotion
from studio.domain.pivots import PivotSet
from studio.domain.problem import Problem
from studio.domain.progress import Progress, silent
from studio.domain.sequence import FLAG_SENTENCES, TrackedSequence
from studio.media import read_selected
from studio.one_picture.base_models import BaseReference
from studio.one_picture.person_files import PicturePerson
from studio.project.sequence_files import MaskReader
from studio.warping.settings import WarpSettings

EVEN = 32
"""Pixels of which the square's side is a multiple: halvings continue what is around a person."""
SHUT = 0.6
"""How far lids cover eyes, 0..1, from which these are called closed."""
TURNED = 25.0
"""Yaw or pitch, degrees, from which much of a face is hidden."""
ENLARGED = 1.5
"""Pixels of the square for one of the picture from which it is worth telling that the picture is coarse."""


def choose_source(sequence: TrackedSequence, settings: OnePictureSettings, allowed: slice) -> int:
    """The frame that is the picture.

    Args:
        sequence: the tracked clip or photo.
        settings: may name a frame.
        allowed: frames that may be looked at.

    Raises:
        Problem: there is no good one, or the one that is named cannot be used.
    """
    frames = np.arange(len(sequence))[allowed]
    if settings.frame == BEST:
        frames = frames[sequence.good[frames]]
        if not len(frames):
            raise Problem("No frame shows the face well enough to make an avatar of: use another picture.")
        return int(frames[best_frame(only(sequence, frames))])
    frame = settings.frame
    why = None
    if frame >= len(sequence):
        why = f"the clip ends with frame {len(sequence) - 1}"
    elif frame not in frames:
        why = "it lies in the part of the clip that is kept for judging or was cut away"
    elif not sequence.good[frame]:
        why = next(words for flag, words in FLAG_SENTENCES.items() if int(sequence.flags[frame]) & flag)
    if why:
        raise Problem(f"Frame {frame} cannot be the picture, because {why}: name another one.")
    return frame


def encode_identity(
    video: Path,
    tracked: Path,
    sequence: TrackedSequence,
    frame: int,
    side: int,
    reference: BaseReference,
    settings: OnePictureSettings,
    progress: Progress = silent,
) -> PicturePerson:
    """Make an avatar of one frame. Nothing else of the clip is looked at but what tracking knows of the
    person.

    Args:
        video: the clip or photo that was tracked.
        tracked: its sequence folder, with masks.
        sequence: what that holds.
        frame: a good one.
        side: of the pictures that the base model draws, pixels.
        reference: which base model that is.
        settings: see :class:`OnePictureSettings`.
        progress: told now and then.

    Raises:
        Problem: the video or the sequence cannot be read.
    """
    one = PivotSet(
        frames=np.array([frame], np.int32),
        members=np.ones(1, np.int32),
        distance=np.zeros(1, np.float32),
        reasons=("the picture",),
        features=(),
        mean=np.zeros(0, np.float32),
        deviation=np.zeros(0, np.float32),
        learnt_from=(frame, frame + 1),
    )
    texture = WarpSettings(texture_size=settings.texture_size)
    parts = warp_parts(video, tracked, sequence, one, texture, progress)
    window = face_square(sequence, frame, settings.margin)
    native = round(1.0 / window.scale)
    kept = max(side, min(settings.detail, native) // EVEN * EVEN)
    view = View(window.scaled(kept), kept, kept)
    (_, picture), *_ = read_selected(video, [frame])
    notes = what_it_hides(sequence.motion.take(np.array([frame])))
    if native * ENLARGED < side:
        notes.append(
            f"The face is small in the picture: its square has {native} pixels and the base model draws "
            f"{side}."
        )
    return PicturePerson(
        base=parts,
        picture=np.dstack([cut_view(picture, view), _outline(tracked, sequence, frame, view)]),
        window=window,
        reference=reference,
        notes=tuple(notes),
        figures={"frame": frame, "square_pixels": native, "kept_pixels": kept, "network_pixels": side},
    )


def what_it_hides(motion: HeadMotion) -> list[str]:
    """Sentences about what one picture ``motion`` does not show of a face, and an avatar has to make up."""
    notes = []
    if float(motion.eyelids.mean()) > SHUT:
        notes.append(
            "The eyes are closed in this picture, and open ones are made up: use one with open eyes."
        )
    turned = float(np.abs(motion.angles[0, :2]).max())
    if turned > TURNED:
        notes.append(
            f"The head is turned by {turned:.0f}° in this picture, and what it hides of the face is made up: "
            "use a picture that looks at the camera."
        )
    return notes


def _outline(tracked: Path, sequence: TrackedSequence, frame: int, view: View) -> npt.NDArray[np.uint8]:
    """``[H, W]`` person coverage in a view of one frame."""
    with MaskReader(tracked) as masks:
        return cut_mask(masks.read(frame), Similarity.from_array(sequence.mask_boxes[frame]), view)


def face_square(sequence: TrackedSequence, frame: int, margin: float) -> Similarity:
    """The square around one frame's face as the corpora of training have it; source pixels to the unit
    square."""
    (stretch,) = stretches(only(sequence, np.array([frame])), PrepareSettings(margin=margin))
    return stretch.square


def only(sequence: TrackedSequence, frames: npt.NDArray[np.integer]) -> TrackedSequence:
    """The sequence of some frames alone."""
    per_frame = ("landmarks", "crops", "mask_boxes", "flags", "sharpness", "fit_error")
    motion = HeadMotion(**{f.name: getattr(sequence.motion, f.name)[frames] for f in fields(HeadMotion)})
    return replace(sequence, motion=motion, **{name: getattr(sequence, name)[frames] for name in per_frame})
