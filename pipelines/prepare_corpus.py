"""A folder of clips of many people in, a corpus out: parallel, resumable at any moment, added to later.

::

    CORPUS/work/<clip>/     clips.tar and cut.json of a video that is done
    CORPUS/work/plan.json   which of them go into which new shard, once all are done
    CORPUS/shards/007.tar   appears complete; what went into it is then removed from work
    CORPUS/faces.safetensors, identities.txt   what people were compared by, and a list by hand
    CORPUS/corpus.json      written last

Every file appears by being renamed, so that a killed run leaves nothing half-made and the next one goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock

from pipelines.clip_folder import Video, clip_names, look_through, tell_others
from pipelines.corpus_people import told_apart
from pipelines.cut_corpus_clips import VERSION, CutVideo, clip_fields
from pipelines.cut_many_clips import Task, cut_all, told_about
from pipelines.pack_corpus import SHARD_BYTES, pack
from pipelines.prepare_settings import PrepareSettings
from pipelines.tell_people_apart import Measure, shape_measure
from studio.corpus.corpus import (
    CORPUS,
    FILE,
    SHARDS,
    WORK,
    Corpus,
    LeftOut,
    clip_words,
    make_corpus,
    write_corpus,
)
from studio.domain.problem import Problem
from studio.domain.progress import Progress, silent
from studio.project.atomic import explaining_disk, remove_folder, tidy
from studio.project.documents import DocumentKind, read_document, write_document
from studio.project.lineage import settings_that_matter

_BEGUN = DocumentKind("begun corpus")


@dataclass(frozen=True)
class Prepared:
    """What a run did."""

    corpus: Corpus
    """What there is now."""
    new: int
    """Videos that were worked on."""
    notes: tuple[str, ...]
    """Sentences about the whole folder."""


def prepare_corpus(
    clips: Path,
    out: Path,
    settings: PrepareSettings | None = None,
    *,
    jobs: int = 1,
    measure: Callable[[], Measure] = shape_measure,
    identities: Path | None = None,
    progress: Progress = silent,
    say: Callable[[str], None] = lambda sentence: None,
    shard_bytes: int = SHARD_BYTES,
) -> Prepared:
    """Make a corpus of all videos in a folder and the folders below it, or go on with one.

    A corpus lists what the folder holds: videos that came later are added in shards of their own, those that
    are gone or have changed are no longer listed. People stay on the side of the split that they are on.

    Args:
        clips: the folder of videos.
        out: the corpus' folder; made, or begun before with the same settings.
        settings: see :class:`PrepareSettings`.
        jobs: processes that track at the same time.
        measure: gives what faces are compared by; asked when everything is cut.
        identities: a list by hand, see :func:`pipelines.tell_people_apart.read_identities`.
        progress: told several times a second, in bytes of videos.
        say: hears one sentence about each video that is left out, in part or as a whole, or unusual.
        shard_bytes: see :data:`SHARD_BYTES`.

    Raises:
        Problem: no folder, no video in it, nothing usable, another run is at it, other settings, a full disk.
    """
    settings = settings or PrepareSettings()
    videos, others = look_through(clips, out)
    with _alone(out):
        _begin(out, settings)
        before = Corpus.open(out) if (out / FILE).is_file() else None
        tell_others(others, before, say)
        known = _known(before, videos)
        names = clip_names(videos, before)
        todo = [
            Task(clips / v.source, v, names[v.source], out / WORK, settings) for v in videos if v not in known
        ]
        cuts, failures = cut_all(todo, jobs, out, progress, say)
        shards = pack(out, [names[cut.source] for cut in cuts if cut.clips], before, shard_bytes, progress)
        corpus = _listed(out, before, known, cuts, failures + others, names, shards, settings)
        corpus, notes = told_apart(corpus, before, settings, measure(), identities, progress)
        corpus.forget()
        if corpus != before:
            write_corpus(corpus)
        _clean(out, corpus)
    return Prepared(corpus, len(todo), tuple(notes))


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Nobody else prepares this corpus meanwhile."""
    foreign = out.is_dir() and any(out.iterdir()) and not (out / FILE).exists() and not (out / WORK).exists()
    if foreign:
        raise Problem(f"{out} holds other things: give a folder that is empty or not there yet.")
    with explaining_disk(out):
        (out / WORK).mkdir(parents=True, exist_ok=True)
        (out / SHARDS).mkdir(exist_ok=True)
    lock = filelock.FileLock(out / "prepare.lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise Problem(
            f"Another run is preparing {out}: wait until it has ended, or choose another folder."
        ) from error
    try:
        yield
    finally:
        lock.release()


def _begin(out: Path, settings: PrepareSettings) -> None:
    """Refuse settings other than those that were begun with; clear what a killed run left."""
    wanted = _matters(settings)
    for file, kind in ((out / FILE, CORPUS), (out / WORK / "begun.json", _BEGUN)):
        if file.is_file():
            there = read_document(file, kind).get("settings")
            if there != wanted:
                differing = [name for name in wanted if (there or {}).get(name) != wanted[name]]
                raise Problem(
                    f"{out} was begun with another {' and another '.join(differing)}: choose the same, or "
                    "another folder with --out."
                )
    write_document(out / WORK / "begun.json", _BEGUN, {"settings": wanted})
    tidy(out / WORK)
    for part in (out / SHARDS).glob(".*.part"):
        part.unlink(missing_ok=True)


def _matters(settings: PrepareSettings) -> dict[str, Any]:
    return {**settings_that_matter(settings), "version": VERSION}


def _known(before: Corpus | None, videos: Sequence[Video]) -> set[Video]:
    """Videos that the corpus has dealt with."""
    if before is None:
        return set()
    done = {Video(clip.source, clip.source_bytes) for clip in before.clips}
    done |= {Video(o.source, o.source_bytes) for o in before.left_out if o.whole and not o.again}
    return done.intersection(videos)


def _listed(
    out: Path,
    before: Corpus | None,
    known: set[Video],
    cuts: Sequence[CutVideo],
    others: Sequence[LeftOut],
    names: Mapping[str, str],
    shards: Mapping[str, Sequence[str]],
    settings: PrepareSettings,
) -> Corpus:
    """The corpus of everything that is there; who is who comes later.

    Raises:
        Problem: nothing is there.
    """
    kept = [
        clip for clip in (before.clips if before else ()) if Video(clip.source, clip.source_bytes) in known
    ]
    fields = [clip_words(clip) for clip in kept]
    place = {name: shard for shard, members in shards.items() for name in members}
    for cut in cuts:
        here = {"shard": place[names[cut.source]], "split": "train"} if cut.clips else {}
        fields += [{**clip, **here, "identity": clip["name"]} for clip in clip_fields(cut)]
    left_out = [o for o in (before.left_out if before else ()) if Video(o.source, o.source_bytes) in known]
    left_out += [one for cut in cuts for one in told_about(cut)]
    left_out = sorted([*left_out, *others], key=lambda one: one.source)
    if not fields:
        why = next((f" {one.source}: {one.why}" for one in left_out if one.why != "This is no video."), "")
        raise Problem(f"Nothing can be learnt from any of the {len(cuts) + len(known)} videos.{why}")
    made = [cut for cut in cuts if cut.clips]
    sizes = {name: before.shards[name] for name in sorted({clip.shard for clip in kept}) if before}
    sizes |= {name: (out / SHARDS / name).stat().st_size for name in shards}
    return make_corpus(
        out,
        side=settings.side,
        head_model=before.head_model if before else made[0].head_model,
        tracker=before.tracker if before else made[0].tracker,
        measure=before.measure if before else "",
        shards=dict(sizes),
        clips=fields,
        settings=_matters(settings),
        held_out=settings.held_out,
        left_out=left_out,
    )


def _clean(out: Path, corpus: Corpus) -> None:
    """Remove what was only on the way, and shards of which nothing is listed any more."""
    remove_folder(out / WORK)
    for shard in (out / SHARDS).glob("*.tar"):
        if shard.name not in corpus.shards:
            shard.unlink(missing_ok=True)
