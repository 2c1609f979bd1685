"""A small picture of a subject: a good frame of their newest clip, kept in their folder."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from studio.domain.problem import Problem
from studio.domain.sequence import TrackedSequence
from studio.project.atomic import explaining_disk
from studio.project.store import ClipFolder, SubjectFolder

WIDTH, HEIGHT = 640, 480
"""Pixels: twice what a card shows, for sharp screens."""
AIR = 2.4
"""Height of the picture, in heights of the face."""
NAME = "thumbnail-"


def kept_thumbnail(subject: SubjectFolder) -> Path | None:
    """The picture that was made last, which may be of an older clip; None where none was made."""
    found = sorted(subject.path.glob(f"{NAME}*.jpg"), key=lambda path: path.stat().st_mtime_ns)
    return found[-1] if found else None


def thumbnail(subject: SubjectFolder) -> Path | None:
    """The picture of a subject as they are now, made if need be.

    Args:
        subject: who; of several clips the newest tracked one is shown, else the newest.

    Returns:
        A JPEG of :data:`WIDTH` by :data:`HEIGHT` pixels in their folder, or None while they have no clip.

    Raises:
        Problem: a clip is damaged, or the disk said no.
    """
    clips = subject.clips()
    if not clips:
        return None
    clip, tracked = _shown(clips)
    place = subject.path / f"{NAME}{clip.clip.key[:12]}-{tracked.name[:12] if tracked else 'untracked'}.jpg"
    if not place.is_file():
        _write(place, _picture(clip, tracked))
        for older in subject.path.glob(f"{NAME}*.jpg"):
            if older != place:
                older.unlink(missing_ok=True)
    return place


def best_frame(sequence: TrackedSequence) -> int:
    """The frame that shows a person best: sharp, looking this way, eyes open and mouth at rest."""
    from pipelines.frame_quality import frame_quality

    motion = sequence.motion
    turned = np.abs(motion.angles) / np.array([30.0, 25.0, 40.0], np.float32)
    shut = np.clip(motion.eyelids, 0.0, 1.0).max(1)
    away = np.abs(motion.gaze).max(1) / 40.0
    worth = frame_quality(sequence).quality - turned.sum(1) - shut - away - np.abs(motion.jaw[:, 0])
    return int(np.argmax(np.where(sequence.good, worth, worth - 100.0)))


def portrait_box(points: npt.NDArray[np.floating], width: int, height: int) -> tuple[int, int, int, int]:
    """The part of a frame that a card shows.

    Args:
        points: ``[N, 2]`` or more columns, landmarks of the face in pixels; none for the middle of the frame.
        width, height: the frame's.

    Returns:
        ``(left, top, right, bottom)`` in whole pixels, inside the frame, 4:3 to a pixel.
    """
    tall = float(height)
    middle = np.array([width / 2, height / 2])
    if len(points):
        low, high = points[:, :2].min(0), points[:, :2].max(0)
        tall = AIR * float(high[1] - low[1])
        middle = (low + high) / 2
        middle[1] -= 0.06 * tall  # hair needs more room than the chin
    tall = max(4.0, min(tall, height, width * HEIGHT / WIDTH))
    wide = tall * WIDTH / HEIGHT
    left = round(float(np.clip(middle[0] - wide / 2, 0, width - wide)))
    top = round(float(np.clip(middle[1] - tall / 2, 0, height - tall)))
    return left, top, min(width, left + round(wide)), min(height, top + round(tall))


def _shown(clips: tuple[ClipFolder, ...]) -> tuple[ClipFolder, Path | None]:
    from pipelines.import_job import tracked_sequence

    for clip in reversed(clips):
        tracked = tracked_sequence(clip)
        if tracked is not None:
            return clip, tracked
    return clips[-1], None


def _picture(clip: ClipFolder, tracked: Path | None) -> npt.NDArray[np.uint8]:
    """``[HEIGHT, WIDTH, 3]`` RGB."""
    import cv2

    from studio.media import read_selected
    from studio.project.sequence_files import load_sequence

    points: npt.NDArray[np.floating] = np.empty((0, 3))
    frame = 0
    if tracked is not None:
        sequence = load_sequence(tracked)
        frame = best_frame(sequence)
        points = sequence.landmarks[frame]
    for _, picture in read_selected(clip.source, [frame]):
        left, top, right, bottom = portrait_box(points, picture.shape[1], picture.shape[0])
        cut = picture[top:bottom, left:right]
        way = cv2.INTER_AREA if cut.shape[1] > WIDTH else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(cut, (WIDTH, HEIGHT), interpolation=way), np.uint8)
    raise Problem(f"The video {clip.source} has no picture: import the clip again.")


def _write(place: Path, picture: npt.NDArray[np.uint8]) -> None:
    import cv2

    done, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])
    if not done:
        raise ValueError("the thumbnail could not be encoded")
    aside = place.with_name(f".{place.name}.{os.getpid()}")
    with explaining_disk(place):
        try:
            aside.write_bytes(data.tobytes())
            aside.replace(place)
        finally:
            aside.unlink(missing_ok=True)
