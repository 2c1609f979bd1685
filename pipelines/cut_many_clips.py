"""All videos of a folder cut into clips, several at a time, each once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from errno import EDQUOT, ENOSPC, EROFS
from pathlib import Path

from pipelines.clip_folder import Video
from pipelines.cut_corpus_clips import CutVideo, cut_video, read_cut, write_failure
from pipelines.many_processes import each_in_a_process
from pipelines.prepare_settings import PrepareSettings
from studio.corpus.corpus import LeftOut
from studio.domain.problem import Problem
from studio.domain.progress import Progress
from studio.project.atomic import explaining_disk

LOG = "log"
"""Folder in a corpus for reports of defects."""


@dataclass(frozen=True)
class Task:
    """A video to be cut."""

    path: Path
    """The file."""
    video: Video
    """What the corpus knows it by."""
    name: str
    """Of its first clip."""
    work: Path
    """Where the folders of videos that are done lie."""
    settings: PrepareSettings
    """How."""

    @property
    def folder(self) -> Path:
        """Where what comes of it goes."""
        return self.work / self.name


def cut_all(
    tasks: Sequence[Task], jobs: int, out: Path, progress: Progress, say: Callable[[str], None]
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
                for one in told_about(answer.result):
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


def _cut_one(task: Task, tell: Callable[[float], None]) -> CutVideo | _DiskSaysNo:
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


def told_about(cut: CutVideo) -> list[LeftOut]:
    """What is to be known about a video: why there is nothing of it, or what was left out of it."""
    if cut.problem:
        return [LeftOut(cut.source, cut.problem, cut.source_bytes)]
    notes = "; ".join(cut.notes)
    return [LeftOut(cut.source, f"{notes}.", cut.source_bytes, whole=False)] if notes else []
