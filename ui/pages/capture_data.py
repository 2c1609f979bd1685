"""Everything that the capture page shows of a clip, read on a thread."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipelines.coverage import Coverage, coverage
from pipelines.frame_quality import FrameQuality, frame_quality
from pipelines.import_job import newest_sequence, track_settings, tracked_sequence, tracking_job
from studio.domain.sequence import TrackedSequence
from studio.project.people_files import PeopleInClip, load_people
from studio.project.sequence_files import load_sequence
from studio.project.store import ClipFolder, SubjectFolder, open_clip
from studio.tracking.settings import TrackSettings


@dataclass(frozen=True)
class Seen:
    """What tracking found."""

    folder: Path
    """The sequence's folder."""
    sequence: TrackedSequence
    """The sequence."""
    coverage: Coverage
    """Poses and expressions."""
    quality: FrameQuality
    """Each frame."""
    people: PeopleInClip | None
    """Whom one can choose from; None when the clip shows one person."""


@dataclass(frozen=True)
class CaptureData:
    """A clip at one moment."""

    clip: ClipFolder
    """The clip as it is on disk now."""
    settings: TrackSettings
    """How it is to be tracked."""
    current: bool
    """Whether it is tracked like that."""
    seen: Seen | None
    """What that found; else what the newest other tracking found; None when it was never tracked."""
    job: Path | None
    """The newest job that tracks it."""


def read_capture(subject: SubjectFolder, clip: ClipFolder, known: Seen | None = None) -> CaptureData:
    """Look at a clip's folder; what is ``known`` is not read again. Raises Problem when it is damaged."""
    clip = open_clip(clip.path)
    current = tracked_sequence(clip)
    folder = current or newest_sequence(clip)
    seen = known
    if folder is None:
        seen = None
    elif known is None or known.folder != folder:
        sequence = load_sequence(folder)
        seen = Seen(folder, sequence, coverage(sequence), frame_quality(sequence), load_people(folder))
    return CaptureData(clip, track_settings(clip), current is not None, seen, tracking_job(subject, clip))
