"""Video or photo in, TrackedSequence out: whose face it is, where, and what its head does, frame by frame.

Two passes over the file. The first finds every face; then the whole clip is known, and so who the person
is, where smoothing may look and where the head will be. The second looks at the pictures again for
the person's outline and for sharpness, in boxes that are already steady. Memory grows with the
landmarks only, some 15 kB a frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats, Similarity
from studio.domain.problem import Problem
from studio.domain.progress import Progress, silent
from studio.domain.sequence import Flag, TrackedSequence, held_out_split
from studio.head import HeadModel, builtin_head, fit_landmarks, load_flame
from studio.head.ffhq_crop import crop_frames, crop_similarities, mask_squares, upright_similarities
from studio.head.flame import EMBEDDING as FLAME_EMBEDDING
from studio.head.topology import topology
from studio.media import probe, read_frames
from studio.project.people_files import save_people
from studio.project.sequence_files import (
    MASK_SIZE,
    MaskWriter,
    new_sequence_folder,
    save_scores,
    save_sequence,
)
from studio.tracking.ahead import ahead
from studio.tracking.following import Followed, follow
from studio.tracking.hands import EVERY, HandFinder, under_hands
from studio.tracking.people import portraits
from studio.tracking.person_mask import MaskFinisher, PersonSegmenter
from studio.tracking.quality import face_detail, flag_frames, sharpness
from studio.tracking.quiet import quiet
from studio.tracking.regions import OVAL
from studio.tracking.settings import TrackSettings
from studio.tracking.sighting import Sightings, each_sighting
from studio.tracking.smoothing import fill_gaps, gaussian, segments, smooth_landmarks
from studio.tracking.tracker import Picture, Settled, Tracker
from studio.tracking.trimming import chosen_frames, in_whole_clip, with_edges

# PVP's smoothing in frames at 30 frames per second (facts of its preprocessing: centre 1, axes 3).
_CENTRE, _AXES, _BOX = 1.0, 3.0, 6.0


@dataclass(frozen=True)
class _Outline:
    """Where things are in each of the T frames."""

    landmarks: Floats
    crops: Floats
    mask_boxes: Floats
    breaks: npt.NDArray[np.bool_]


def track_video(
    video: Path,
    folder: Path,
    settings: TrackSettings | None = None,
    progress: Progress = silent,
    tracker: Tracker | None = None,
    head: HeadModel | None = None,
) -> TrackedSequence:
    """Track one person through a clip and write the sequence and its masks into a folder.

    Args:
        video: any readable video file, or a photo, which becomes a sequence of one frame.
        folder: where the artefact goes; it appears complete (``sequence.npz``, ``sequence.json``,
            ``masks.zip``, perhaps ``scores.npz``, and ``people.json`` with pictures where there are several
            people) or, on any error or interruption, not at all.
        settings: see :class:`studio.tracking.settings.TrackSettings`.
        progress: told after every frame of both passes.
        tracker: instead of the one that the settings ask for; closed by the caller.
        head: instead of the built-in head model.

    Returns:
        The sequence that was written.

    Raises:
        Problem: neither video nor photo, nobody in it, too few frames of them, a photo's face too small,
            covered or cut off, no such person, a full disk.
    """
    settings = settings or TrackSettings()
    head = head or choose_head(settings)
    info = probe(video)
    part = chosen_frames(settings, info.rate, info.frames)
    with quiet(), new_sequence_folder(folder) as aside:
        own = make_tracker(settings, float(info.rate)) if tracker is None else None
        used = tracker or own
        assert used is not None
        used = Settled(used)
        try:
            name, score_names = used.name, used.score_names
            seen = _see(video, part, used, progress)
        finally:
            if own is not None:
                own.close()
        rate = float(info.rate)
        if info.photo and not seen.frames[0]:
            raise Problem(NO_FACE)
        followed = follow(seen, info.width, info.height, rate, topology().positions, settings.person)
        if not info.photo:
            _refuse_too_few(followed, settings, part.stop - part.start < info.frames)
        around = part.start, info.frames - part.stop
        outline = _outline(followed, rate, settings)
        # Identity is learned from frames that show this person's face at rest between jumps.
        valid = followed.seen & ~followed.jumped & ~followed.covered
        valid = valid if valid.any() else followed.seen
        # … and never from the end of the clip, which evaluation holds out: shape is a statistic too.
        early = np.zeros(len(valid), bool)
        early[held_out_split(len(valid))[0]] = True
        fit = fit_landmarks(head, outline.landmarks, valid, progress=progress, shape_from=early)
        if info.photo:  # there is no other frame to take instead, and a hand at a chin does no harm
            settings = replace(settings, look_for_hands=False)
        detail, hands = _look_again(video, aside, followed, outline, rate, around, settings, progress)
        followed = replace(followed, covered=followed.covered | (hands & followed.seen))
        sequence = TrackedSequence(
            width=info.width,
            height=info.height,
            rate=info.rate,
            landmarks=outline.landmarks,
            crops=outline.crops,
            mask_boxes=outline.mask_boxes,
            flags=flag_frames(
                followed, outline.landmarks, detail, fit.error, info.width, info.height, settings
            ),
            sharpness=sharpness(detail, followed.seen),
            head_model=head.id,
            identity=fit.identity.astype(np.float32),
            offset=fit.offset.astype(np.float32),
            motion=fit.motion,
            fit_error=fit.error.astype(np.float32),
            tracker=name,
        )
        if info.photo:
            _refuse_photo(sequence, settings)
        sequence = in_whole_clip(sequence, *around)
        if score_names:
            save_scores(aside, score_names, with_edges(_scores(followed, len(score_names)), *around))
        if len(followed.cast) > 1:
            save_people(aside, portraits(video, followed.cast, part.start, len(seen)), followed.chosen)
        save_sequence(aside, sequence)
    return sequence


def choose_head(settings: TrackSettings) -> HeadModel:
    """The head model that the settings ask for. Raises Problem when a file is missing or damaged."""
    if not settings.flame:
        return builtin_head()
    model = Path(settings.flame).expanduser()
    return load_flame(model, model.parent / FLAME_EMBEDDING)


def make_tracker(settings: TrackSettings, rate: float) -> Tracker:
    """The tracker that the settings ask for, for a clip of ``rate`` frames per second.

    Raises:
        Problem: its file is missing or damaged.
    """
    if settings.landmarker:
        from studio.tracking.landmarker_tracker import LandmarkerTracker

        return LandmarkerTracker(Path(settings.landmarker), settings.max_faces, rate)
    from studio.tracking.mediapipe_tracker import MediapipeTracker

    return MediapipeTracker(settings.max_faces)


def _see(video: Path, part: slice, tracker: Tracker, progress: Progress) -> Sightings:
    seen = Sightings()
    # Reading in one thread, the mesh in another.
    with (
        closing(ahead(read_frames(video, part.start, part.stop))) as pictures,
        closing(each_sighting(pictures, tracker, seen)) as counts,
    ):
        for done in counts:
            progress(done, part.stop - part.start, "finding the face")
    if not len(seen):
        raise Problem(f"“{video.name}” has no picture that can be read: choose another file.")
    return seen


def _refuse_too_few(followed: Followed, settings: TrackSettings, trimmed: bool) -> None:
    count, total = int(followed.seen.sum()), len(followed.faces)
    if count >= settings.fewest_frames:
        return
    what = "frame" if count == 1 else "frames"
    if count == total:
        whole = "chosen part" if trimmed else "clip"
        raise Problem(
            f"The {whole} has only {count} {what}; at least {settings.fewest_frames} that show the face are "
            "needed, and some ten seconds make a good avatar."
        )
    raise Problem(
        f"A face was found in only {count} of {total} frames; at least {settings.fewest_frames} are needed: "
        "use a clip that shows the face, lit and from the front, for some ten seconds."
    )


NO_FACE = (
    "No face was found in this photo: use one that shows a face, lit, from the front, a tenth of the "
    "picture high."
)
_UNFIT = {
    Flag.SMALL: "The face in this photo is only {height} pixels high: use one where it has at least {least}.",
    Flag.EDGE: "The face in this photo goes beyond its edge: use one that shows the whole face.",
    Flag.OCCLUDED: "The face in this photo is covered or turned too far away: use one that shows all of it.",
}


def _refuse_photo(sequence: TrackedSequence, settings: TrackSettings) -> None:
    """Raise Problem where the one picture there is cannot be learnt from."""
    height = round(float(np.ptp(sequence.landmarks[0, :, 1])))
    for flag, sentence in _UNFIT.items():
        if int(sequence.flags[0]) & int(flag):
            raise Problem(sentence.format(height=height, least=settings.small_face))


def _outline(followed: Followed, rate: float, settings: TrackSettings) -> _Outline:
    seen = followed.seen
    shape = np.zeros((478, 3), np.float32)
    raw = np.stack([shape if face is None else face.landmarks for face in followed.faces])
    runs = segments(seen, followed.broken)
    per_second = rate / 30.0  # widths are given in frames at 30 frames per second
    landmarks = fill_gaps(smooth_landmarks(raw, settings.smoothing * per_second, runs), seen)
    centres, axes = crop_frames(fill_gaps(raw, seen))
    # Gaps join the runs around them here: the crop glides through a lost face and only a cut breaks it.
    glide = segments(np.ones(len(seen), bool), followed.broken)
    crops = crop_similarities(
        gaussian(centres, _CENTRE * per_second, glide), gaussian(axes, _AXES * per_second, glide)
    )
    middle, side = mask_squares(*_squares(crops))
    box_middle = gaussian(middle, _BOX * per_second, glide)
    box_side = gaussian(side[:, None], _BOX * per_second, glide)[:, 0]
    # Smoothing made some boxes too tight for their crop: widen those by what is missing.
    box_side = np.maximum(box_side, _needed_side(crops, box_middle))
    return _Outline(landmarks, crops, upright_similarities(box_middle, box_side), _breaks(followed))


def _breaks(followed: Followed) -> npt.NDArray[np.bool_]:
    """Frames whose mask does not continue the mask before."""
    seen = followed.seen
    appears = np.array([True] + [bool(b and not a) for a, b in pairwise(seen.tolist())])
    return followed.broken | appears


def _squares(crops: Floats) -> tuple[Floats, Floats]:
    """Centres and half-axes ``[T, 2]`` of crops ``[T, 4]``."""
    square = [Similarity.from_array(crop).inverse() for crop in crops]
    ends = np.array([(0.5, 0.5), (1.0, 0.5)], np.float32)
    points = np.stack([back.apply(ends) for back in square])
    return points[:, 0], points[:, 1] - points[:, 0]


def _needed_side(crops: Floats, middle: Floats) -> Floats:
    """Side ``[T]`` of the smallest upright squares around ``middle`` that hold the crops."""
    corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float32)
    points = np.stack([Similarity.from_array(crop).inverse().apply(corners) for crop in crops])
    return np.asarray(2.04 * np.abs(points - middle[:, None]).max((1, 2)), np.float32)


def _scores(followed: Followed, count: int) -> Floats:
    nothing = np.zeros(count, np.float32)
    values = [nothing if f is None or f.scores is None else f.scores for f in followed.faces]
    return fill_gaps(np.stack(values), followed.seen)


OUTLINES = 12.0
"""Times a second that the network is asked for the outline, at least; in between it is carried along."""


def _look_again(
    video: Path,
    folder: Path,
    followed: Followed,
    outline: _Outline,
    rate: float,
    around: tuple[int, int],
    settings: TrackSettings,
    progress: Progress,
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Write the masks, empty ones before and after; return the detail of each face ``[T]`` and whether a hand
    covers it ``[T]``."""
    count = len(followed.faces)
    detail = np.zeros(count, np.float32)
    looked: list[int] = []
    shares: list[float] = []
    step = max(1, round(EVERY * rate))
    look = max(1, int(rate / OUTLINES))
    segmenter, finisher = PersonSegmenter(), MaskFinisher()
    hands = HandFinder() if settings.look_for_hands else None

    def segmented() -> Iterator[tuple[int, Picture, Any, Any, Similarity]]:
        with closing(ahead(read_frames(video, around[0], around[0] + count))) as pictures:
            for frame, picture in enumerate(pictures):
                box = Similarity.from_array(outline.mask_boxes[frame])
                fresh = frame % look == 0 or outline.breaks[frame] or outline.breaks[frame - 1]
                raw, boxed = segmenter.raw(picture, box, fresh)
                yield frame, picture, raw, boxed, box

    try:
        with MaskWriter(folder) as masks, closing(ahead(segmented())) as results:
            nothing = np.zeros((MASK_SIZE, MASK_SIZE), np.uint8)
            for _ in range(around[0]):
                masks.write(nothing)
            for frame, picture, raw, boxed, box in results:
                landmarks = outline.landmarks[frame]
                if outline.breaks[frame]:
                    finisher.forget()
                masks.write(finisher.finish(raw, boxed, box, landmarks[list(OVAL), :2]))
                crop = Similarity.from_array(outline.crops[frame])
                detail[frame] = face_detail(picture, landmarks, crop)
                if hands is not None and frame % step == 0 and followed.faces[frame] is not None:
                    looked.append(frame)
                    shares.append(hands.covered(boxed, box, landmarks))
                progress(frame + 1, count, "cutting the person out")
            if len(masks) != around[0] + count:
                raise Problem(f"“{video.name}” could not be read a second time to its end: is it changing?")
            for _ in range(around[1]):
                masks.write(nothing)
    finally:
        segmenter.close()
        if hands is not None:
            hands.close()
    return detail, under_hands(np.array(looked, int), np.array(shares), count)
