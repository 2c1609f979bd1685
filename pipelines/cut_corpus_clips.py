"""One video in, its clips of a corpus out: tracked, cut to squares that do not move, filtered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.aligned_crop import cut_mask, cut_view
from pipelines.corpus_squares import Stretch, stretches
from pipelines.prepare_settings import PrepareSettings
from studio.corpus.clip_writer import Picture, write_clip
from studio.corpus.shards import ShardWriter
from studio.domain.camera import Similarity, View
from studio.domain.problem import Problem
from studio.domain.progress import Progress, silent
from studio.domain.sequence import FLAG_SENTENCES, TrackedSequence
from studio.project.atomic import new_folder
from studio.project.documents import DocumentKind, read_document, write_document
from studio.project.people_files import load_people
from studio.project.sequence_files import MaskReader
from studio.tracking.settings import TrackSettings

CUT, SHARD = DocumentKind("clips of a video"), "clips.tar"
PASSES = 4
"""Finding the face, fitting the head, cutting the person out, cutting the clips."""
VERSION = 2
"""Raised whenever equal videos give other clips."""


@dataclass(frozen=True)
class CutVideo:
    """What became of one video."""

    source: str
    """Its path below the folder that is prepared."""
    source_bytes: int
    """Its size."""
    clips: tuple[dict[str, Any], ...]
    """Of each clip: name, frames, good_frames, rate as two whole numbers, checksum."""
    notes: tuple[str, ...]
    """What is to be known: clauses about parts that were left out, other people, cuts."""
    problem: str
    """Why nothing came of it; empty where something did."""
    shard_bytes: int
    """Size of its clips on disk."""
    head_model: str = ""
    """Which head model the numbers belong to."""
    tracker: str = ""
    """Which tracker made them."""


def cut_video(
    video: Path,
    source: str,
    size: int,
    name: str,
    folder: Path,
    settings: PrepareSettings | None = None,
    progress: Progress = silent,
) -> CutVideo:
    """Track the person of a video and write its clips; ``folder`` appears complete or not at all.

    Args:
        video: any readable video file.
        source: what it is called in the corpus.
        size: bytes of the file, as they were when the folder was looked through.
        name: of its first clip; further ones are numbered.
        folder: where ``clips.tar`` and ``cut.json`` go.
        settings: see :class:`PrepareSettings`.
        progress: told after every frame of each pass, in thousandths of the whole.

    Returns:
        What was written.

    Raises:
        Problem: not a video, nobody in it, too few frames, nothing of it good enough, or a full disk.
    """
    from pipelines.track_video import track_video

    settings = settings or PrepareSettings()
    with new_folder(folder) as aside:
        tracking = aside / "track"
        told = _AsOne(progress)
        smallest = round(settings.smallest_face * settings.side)
        sequence = track_video(video, tracking, TrackSettings(small_face=smallest), told)
        kept, notes = _kept(sequence, settings)
        notes = [*_people(tracking), *notes]
        if not kept:
            raise Problem(_capital("; ".join(notes)) + ".")
        clips = []
        with ShardWriter(aside / SHARD) as shard, MaskReader(tracking) as masks:
            total = sum(part.stop - part.first for part in kept)
            done = 0
            for number, part in enumerate(kept):
                named = name if number == 0 else f"{name}+{number + 1}"
                clips.append(
                    _write(shard, named, video, sequence, masks, part, settings.side, told, done, total)
                )
                done += part.stop - part.first
        _remove(tracking)
        cut = CutVideo(
            source=source,
            source_bytes=size,
            clips=tuple(clips),
            notes=tuple(notes),
            problem="",
            shard_bytes=(aside / SHARD).stat().st_size,
            head_model=sequence.head_model,
            tracker=sequence.tracker,
        )
        write_document(aside / "cut.json", CUT, asdict(cut))
    return cut


def write_failure(folder: Path, source: str, size: int, problem: str) -> CutVideo:
    """Remember that nothing comes of a video, so that it is not tried again. Raises Problem (full disk)."""
    cut = CutVideo(source, size, (), (), problem, 0)
    with new_folder(folder) as aside:
        write_document(aside / "cut.json", CUT, asdict(cut))
    return cut


def read_cut(folder: Path) -> CutVideo | None:
    """What became of a video; None while it is not done. Raises Problem when that is damaged."""
    if not (folder / "cut.json").is_file():
        return None
    content = read_document(folder / "cut.json", CUT)
    try:
        return CutVideo(**{**content, "clips": tuple(content["clips"]), "notes": tuple(content["notes"])})
    except (KeyError, TypeError) as error:
        raise Problem(f"{folder} is damaged: remove that folder and run the same command again.") from error


def _kept(sequence: TrackedSequence, settings: PrepareSettings) -> tuple[list[Stretch], list[str]]:
    """The stretches that are worth keeping, and clauses about the rest."""
    found = stretches(sequence, settings)
    kept, notes = [], []
    for part in found:
        flags = sequence.flags[part.first : part.stop]
        good = int((flags == 0).sum())
        where = f"frames {part.first} to {part.stop - 1}"
        if good < settings.fewest_frames:
            notes.append(f"{where} are too few ({good} good ones, {settings.fewest_frames} are needed)")
        elif good < settings.fewest_good * len(flags):
            notes.append(f"only {good} of {where} are good: {_reasons(sequence, part)}")
        else:
            kept.append(part)
    if not found:
        small = settings.smallest_face * settings.side
        height = float(np.median(np.ptp(sequence.landmarks[..., 1], axis=1)))
        sizes = f" ({height:.0f} pixels high, {small:.0f} are needed)" if height < small else ""
        notes.append(f"no frame is good: {_reasons(sequence, None)}{sizes}")
    cuts = sum(part.new_scene for part in found[1:])
    moves = len(found) - 1 - cuts
    if cuts > 0:
        notes.append(f"cut where the picture jumps ({cuts} times)")
    if moves > 0:
        notes.append(f"cut where the face moves far ({moves} times)")
    return kept, notes


def _reasons(sequence: TrackedSequence, part: Stretch | None) -> str:
    flags = sequence.flags if part is None else sequence.flags[part.first : part.stop]
    counts = {flag: int(((flags & int(flag)) != 0).sum()) for flag in FLAG_SENTENCES}
    worst = sorted((flag for flag, count in counts.items() if count), key=lambda flag: -counts[flag])
    return ", ".join(f"in {counts[flag]} {FLAG_SENTENCES[flag]}" for flag in worst[:2])


def _people(tracking: Path) -> list[str]:
    found = load_people(tracking)
    if found is None:
        return []
    taken = next(person for person in found.people if person.number == found.chosen)
    count, share = len(found.people), 100 * taken.share
    return [f"{count} people are seen: the largest and longest seen was taken ({share:.0f} % of the frames)"]


def _write(
    shard: ShardWriter,
    name: str,
    video: Path,
    sequence: TrackedSequence,
    masks: MaskReader,
    part: Stretch,
    side: int,
    progress: Progress,
    before: int,
    total: int,
) -> dict[str, Any]:
    frames = np.arange(part.first, part.stop, dtype=np.int32)
    placed = part.square.scaled(side)
    view = View(placed, side, side)
    motion = sequence.motion.take(frames)
    camera = np.concatenate([motion.camera[:, :1] * placed.scale, placed.apply(motion.camera[:, 1:])], 1)
    good = int(sequence.good[frames].sum())

    def images() -> Iterator[tuple[Picture, Picture]]:
        from studio.media import read_frames
        from studio.tracking.ahead import ahead

        with closing(ahead(read_frames(video, part.first, part.stop))) as pictures:
            for frame, picture in zip(frames.tolist(), pictures, strict=True):
                box = Similarity.from_array(sequence.mask_boxes[frame])
                yield cut_view(picture, view), cut_mask(masks.read(frame), box, view)
                progress(before + frame + 1 - part.first, total, "cutting the clips")

    checksum = write_clip(
        shard,
        name,
        images(),
        motion=replace(motion, camera=camera.astype(np.float32)),
        coefficients=sequence.identity,
        offset=sequence.offset,
        landmarks=placed.apply(sequence.landmarks[frames]),
        flags=sequence.flags[frames],
        frames=frames,
        square=part.square.to_array(),
    )
    rate = [sequence.rate.numerator, sequence.rate.denominator]
    return {"name": name, "frames": len(frames), "good_frames": good, "rate": rate, "checksum": checksum}


def clip_fields(cut: CutVideo) -> list[dict[str, Any]]:
    """Fields of :class:`studio.corpus.corpus.CorpusClip` that a video decides."""
    return [
        {**clip, "rate": Fraction(*clip["rate"]), "source": cut.source, "source_bytes": cut.source_bytes}
        for clip in cut.clips
    ]


class _AsOne:
    """The passes of tracking and that of cutting as one piece of work, in thousandths."""

    def __init__(self, progress: Progress) -> None:
        self._progress, self._what, self._pass = progress, "", -1

    def __call__(self, done: int, total: int | None, what: str) -> None:
        if what != self._what:
            self._what, self._pass = what, min(self._pass + 1, PASSES - 1)
        share = done / total if total else 0.0
        self._progress(round(1000 * (self._pass + min(1.0, share)) / PASSES), 1000, what)


def _remove(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
