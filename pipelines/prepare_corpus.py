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

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from errno import EDQUOT, ENOSPC, EROFS
from pathlib import Path
from typing import Any

import filelock
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from pipelines.cut_corpus_clips import (
    SHARD,
    VERSION,
    CutVideo,
    clip_fields,
    cut_video,
    read_cut,
    write_failure,
)
from pipelines.many_processes import each_in_a_process
from pipelines.prepare_settings import PrepareSettings
from pipelines.split_people import split_people
from pipelines.tell_people_apart import Measure, read_identities, same_people, shape_measure, vectors_of
from studio.corpus.corpus import (
    CORPUS,
    FILE,
    SHARDS,
    WORK,
    Corpus,
    LeftOut,
    clip_words,
    make_corpus,
    with_identities,
    write_corpus,
)
from studio.corpus.shards import ShardWriter
from studio.domain.camera import Floats
from studio.domain.problem import Problem
from studio.domain.progress import Progress, silent
from studio.project.atomic import explaining_disk, remove_folder, tidy, write_bytes
from studio.project.documents import DocumentKind, read_document, write_document
from studio.project.lineage import settings_that_matter

ENDINGS = (
    *(".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".3gp", ".mts", ".m2ts", ".mpg", ".mpeg", ".wmv"),
    *(".hevc", ".flv", ".ts", ".ogv", ".mxf"),
)
"""Files with these endings are videos; others are passed over."""
SHARD_BYTES = 256_000_000
"""A shard is closed when the next clip would make it larger."""
SAID = 10
"""Files that are no videos of which each is told by itself."""
FACES, PEOPLE, PLAN, LOG = "faces.safetensors", "identities.txt", "plan.json", "log"
_PLAN = DocumentKind("plan of a corpus")
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
    videos, others = _look_through(clips, out)
    with _alone(out):
        _begin(out, settings)
        before = Corpus.open(out) if (out / FILE).is_file() else None
        _tell_others(others, before, say)
        known = _known(before, videos)
        names = _names(videos, before)
        todo = [
            _Task(clips / v.source, v, names[v.source], out / WORK, settings)
            for v in videos
            if v not in known
        ]
        cuts, failures = _cut_all(todo, jobs, out, progress, say)
        shards = _pack(out, [names[cut.source] for cut in cuts if cut.clips], before, shard_bytes, progress)
        corpus = _listed(out, before, known, cuts, failures + others, names, shards, settings)
        corpus, notes = _told_apart(corpus, before, settings, measure(), identities, progress)
        corpus.forget()
        if corpus != before:
            write_corpus(corpus)
        _clean(out, corpus)
    return Prepared(corpus, len(todo), tuple(notes))


@dataclass(frozen=True)
class _Video:
    source: str
    """Path below the folder, with forward slashes."""
    size: int
    """Bytes."""


def _look_through(clips: Path, out: Path) -> tuple[list[_Video], list[LeftOut]]:
    """The videos of a folder, and its other files, by name."""
    if not clips.is_dir():
        raise Problem(f"{clips} is no folder: give the folder that holds the clips.")
    own = out.resolve()
    videos, others = [], []
    with explaining_disk(clips):
        for folder, folders, files in os.walk(clips):
            place = Path(folder)
            folders[:] = sorted(f for f in folders if f[0] != "." and (place / f).resolve() != own)
            for file in sorted(f for f in files if f[0] != "."):
                path = place / file
                source = path.relative_to(clips).as_posix()
                size = path.stat().st_size if path.exists() else 0
                if path.suffix.lower() in ENDINGS:
                    videos.append(_Video(source, size))
                else:
                    others.append(LeftOut(source, "This is no video.", size))
    if not videos:
        raise Problem(f"There is no video in {clips}: give the folder that holds the clips.")
    return sorted(videos, key=lambda video: video.source), others


def _tell_others(others: Sequence[LeftOut], before: Corpus | None, say: Callable[[str], None]) -> None:
    """A sentence about each file that is no video, unless it was there the last time."""
    told = set(before.left_out) if before else set()
    new = [one for one in others if one not in told]
    for one in new[:SAID]:
        say(f"{one.source}: {one.why}")
    if len(new) > SAID:
        say(f"… and {len(new) - SAID} more files that are no videos.")


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


def _known(before: Corpus | None, videos: Sequence[_Video]) -> set[_Video]:
    """Videos that the corpus has dealt with."""
    if before is None:
        return set()
    done = {_Video(clip.source, clip.source_bytes) for clip in before.clips}
    done |= {_Video(o.source, o.source_bytes) for o in before.left_out if o.whole and not o.again}
    return done.intersection(videos)


def _names(videos: Sequence[_Video], before: Corpus | None) -> dict[str, str]:
    """Source to clip name: letters, digits, points, hyphens and lines, unique, at most 80 of them."""
    names: dict[str, str] = {}
    for clip in before.clips if before else ():
        names.setdefault(clip.source, clip.name.partition("+")[0])
    taken = {name.lower() for name in names.values()}
    for video in videos:
        if video.source in names:
            continue
        path = Path(video.source)
        ending = "" if path.suffix.lower() == ".mp4" else f"-{path.suffix[1:].lower()}"
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", path.with_suffix("").as_posix().replace("/", "--")) + ending
        name = plain if plain[0].isalnum() else f"clip{plain}"
        if len(name) > 80 or name.lower() in taken:
            name = f"{name[:70]}-{hashlib.sha256(video.source.encode()).hexdigest()[:8]}"
        names[video.source] = name
        taken.add(name.lower())
    return names


@dataclass(frozen=True)
class _Task:
    path: Path
    video: _Video
    name: str
    work: Path
    settings: PrepareSettings

    @property
    def folder(self) -> Path:
        return self.work / self.name


def _cut_all(
    tasks: Sequence[_Task], jobs: int, out: Path, progress: Progress, say: Callable[[str], None]
) -> tuple[list[CutVideo], list[LeftOut]]:
    """What became of each video, now or in a run that was stopped; and what the machine was at fault for."""
    cuts: list[CutVideo] = []
    failures: list[LeftOut] = []
    left = []
    for task in tasks:
        cut = read_cut(task.folder)
        if cut is not None and cut.source == task.video.source and cut.source_bytes == task.video.size:
            cuts.append(cut)
        else:
            left.append(task)
    total, done = sum(task.video.size for task in left), 0

    def report(shares: Mapping[int, float]) -> None:
        under_way = sum(round(share * left[number].video.size) for number, share in shares.items())
        progress(min(done + under_way, total), total, f"preparing {len(left)} videos")

    with closing(each_in_a_process(_cut_one, left, jobs, report)) as answers:
        for answer in answers:
            video = answer.task.video
            done += video.size
            if answer.state == "done" and isinstance(answer.result, _DiskSaysNo):
                raise Problem(answer.result.sentence)
            if answer.state == "done":
                cuts.append(answer.result)
                for one in _left_out(answer.result):
                    say(f"{one.source}: {one.why}")
                continue
            if answer.state == "killed":
                why = "Its process was killed twice (too little memory?): run again with fewer --jobs."
            else:
                place = out / LOG / f"{answer.task.name}.txt"
                with explaining_disk(place):
                    place.parent.mkdir(exist_ok=True)
                    place.write_text(answer.report, encoding="utf-8")
                last = answer.report.strip().splitlines()[-1]
                why = f"Something went wrong that should not ({last}); the details are in {LOG}/{place.name}."
            failures.append(LeftOut(video.source, why, video.size, again=True))
            say(f"{video.source}: {why}")
    return sorted(cuts, key=lambda cut: cut.source), failures


@dataclass(frozen=True)
class _DiskSaysNo:
    sentence: str


def _cut_one(task: _Task, tell: Callable[[float], None]) -> CutVideo | _DiskSaysNo:
    """One video, in a process of its own."""
    import cv2

    cv2.setNumThreads(1)  # there are as many processes as cores already
    try:
        return cut_video(
            task.path,
            task.video.source,
            task.video.size,
            task.name,
            task.folder,
            task.settings,
            lambda done, total, what: tell(done / total if total else 0.0),
        )
    except Problem as problem:
        try:
            if _disk_says_no(problem):
                return _DiskSaysNo(str(problem))
            return write_failure(task.folder, task.video.source, task.video.size, str(problem))
        except Problem as worse:
            return _DiskSaysNo(str(worse))


def _disk_says_no(problem: Problem) -> bool:
    """Whether it is not the video's fault but that of the disk that is written to."""
    cause = problem.__cause__
    return isinstance(cause, OSError) and cause.errno in (ENOSPC, EDQUOT, EROFS)


def _left_out(cut: CutVideo) -> list[LeftOut]:
    if cut.problem:
        return [LeftOut(cut.source, cut.problem, cut.source_bytes)]
    notes = "; ".join(cut.notes)
    return [LeftOut(cut.source, f"{notes}.", cut.source_bytes, whole=False)] if notes else []


def _pack(
    out: Path, names: Sequence[str], before: Corpus | None, most: int, progress: Progress
) -> dict[str, list[str]]:
    """Put the clips of videos that are done into shards of their own; returns what lies in which.

    What is planned is written down before anything is packed: a run that is killed meanwhile leaves whole
    shards and whole clips, and the plan says which is which.
    """
    file = out / WORK / PLAN
    plan: dict[str, list[str]] = read_document(file, _PLAN)["shards"] if file.is_file() else {}
    planned = {name for members in plan.values() for name in members}
    room = 0
    newest = ""
    for name in names:
        if name in planned:
            continue
        size = (out / WORK / name / SHARD).stat().st_size
        if not newest or size > room:
            newest, room = _next_shard(out, plan, before), most
            plan[newest] = []
        plan[newest].append(name)
        room -= size
    write_document(file, _PLAN, {"shards": plan})
    for number, (shard, members) in enumerate(plan.items()):
        progress(number, len(plan), "packing")
        if not (out / SHARDS / shard).is_file():
            _write_shard(out, shard, members)
        for name in members:
            (out / WORK / name / SHARD).unlink(missing_ok=True)
    return plan


def _next_shard(out: Path, plan: Mapping[str, object], before: Corpus | None) -> str:
    taken = [*plan, *(before.shards if before else ()), *(path.name for path in (out / SHARDS).glob("*.tar"))]
    numbers = [int(name[:-4]) for name in taken if name[:-4].isdigit()]
    return f"{max(numbers, default=-1) + 1:03d}.tar"


def _write_shard(out: Path, shard: str, members: Sequence[str]) -> None:
    target, part = out / SHARDS / shard, out / SHARDS / f".{shard}.part"
    with explaining_disk(target):
        try:
            with ShardWriter(part) as writer:
                for name in members:
                    writer.take_over(out / WORK / name / SHARD)
            with part.open("rb+") as written:
                os.fsync(written.fileno())
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)


def _listed(
    out: Path,
    before: Corpus | None,
    known: set[_Video],
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
        clip for clip in (before.clips if before else ()) if _Video(clip.source, clip.source_bytes) in known
    ]
    fields = [clip_words(clip) for clip in kept]
    place = {name: shard for shard, members in shards.items() for name in members}
    for cut in cuts:
        here = {"shard": place[names[cut.source]], "split": "train"} if cut.clips else {}
        fields += [{**clip, **here, "identity": clip["name"]} for clip in clip_fields(cut)]
    left_out = [o for o in (before.left_out if before else ()) if _Video(o.source, o.source_bytes) in known]
    left_out += [one for cut in cuts for one in _left_out(cut)]
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


def _told_apart(
    corpus: Corpus,
    before: Corpus | None,
    settings: PrepareSettings,
    measure: Measure,
    identities: Path | None,
    progress: Progress,
) -> tuple[Corpus, list[str]]:
    """The corpus with everybody's name and side, and what is to be said about that."""
    file = corpus.folder / FACES
    known = _known_faces(file, measure.name)
    keys = {clip.name: f"{clip.name} {clip.checksum:08x}" for clip in corpus.clips}
    there = {clip.name: known[keys[clip.name]] for clip in corpus.clips if keys[clip.name] in known}
    vectors = vectors_of(corpus.clips, measure, there, progress)
    if len(there) < len(vectors) or len(known) > len(vectors):
        data = save({keys[name]: vector for name, vector in vectors.items()}, {"measure": measure.name})
        write_bytes(file, data)
    # A list by hand stays with the corpus, so that a later run need not be told again.
    kept = corpus.folder / PEOPLE
    named = {}
    if identities is not None or kept.is_file():
        named = read_identities(identities or kept, corpus.clips)
        if identities is not None:
            write_bytes(kept, identities.read_bytes())
    people = same_people(corpus.clips, vectors, measure.alike, named)
    stays = before is not None and before.held_out == settings.held_out
    sides, both = split_people(
        people,
        settings.held_out,
        {clip.name: clip.split for clip in before.clips} if before and stays else {},
    )
    said = measure.said
    if named:
        said = f"{said}; {len(set(named.values()))} people by a list"
    notes = [f"{who} was on both sides of the split and is now learnt from." for who in both]
    crowd = max((sum(1 for who in people.values() if who == one) for one in set(people.values())), default=0)
    if crowd > max(3, len(people) // 2):
        notes.append(
            f"{crowd} of {len(people)} clips count as one person by this measure: check that, and name them "
            "with --identities if they are several."
        )
    chosen = {name: (person, sides[person]) for name, person in people.items()}
    return with_identities(corpus, chosen, said), notes


def _known_faces(file: Path, measure: str) -> dict[str, Floats]:
    """What people were compared by before, by clip and content; nothing where that cannot be read."""
    try:
        with safe_open(file, "np") as stored:
            if (stored.metadata() or {}).get("measure") != measure:
                return {}
            return {key: stored.get_tensor(key) for key in stored.keys()}  # noqa: SIM118 - no mapping
    except (OSError, SafetensorError):
        return {}


def _clean(out: Path, corpus: Corpus) -> None:
    """Remove what was only on the way, and shards of which nothing is listed any more."""
    remove_folder(out / WORK)
    for shard in (out / SHARDS).glob("*.tar"):
        if shard.name not in corpus.shards:
            shard.unlink(missing_ok=True)
