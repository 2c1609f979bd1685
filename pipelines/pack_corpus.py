"""Clips that are done, each in a folder of its own, put together into shards."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipelines.cut_corpus_clips import SHARD
from studio.corpus.corpus import SHARDS, WORK, Corpus
from studio.corpus.shards import Shard, ShardWriter, Unreadable
from studio.domain.problem import Problem
from studio.domain.progress import Progress
from studio.project.atomic import explaining_disk, remove_folder
from studio.project.documents import DocumentKind, read_document, write_document

SHARD_BYTES = 256_000_000
"""A shard is closed when the next clip would make it larger."""
PLAN = "plan.json"
"""What goes into which shard, among the work."""
_PLAN = DocumentKind("plan of a corpus")


def pack(
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
            _refuse_damaged(out, plan, members)
            _write_shard(out, shard, members)
        for name in members:
            (out / WORK / name / SHARD).unlink(missing_ok=True)
    return plan


def _refuse_damaged(out: Path, plan: dict[str, list[str]], members: Sequence[str]) -> None:
    """Take what a failing disk has spoilt out of the plan, so that the next run makes it again.

    Raises:
        Problem: something was spoilt.
    """
    spoilt = []
    for name in members:
        shard = Shard(out / WORK / name / SHARD)
        try:
            shard.names()
        except Unreadable:
            spoilt.append(name)
        finally:
            shard.close()
    if spoilt:
        for others in plan.values():
            others[:] = [name for name in others if name not in spoilt]
        write_document(out / WORK / PLAN, _PLAN, {"shards": {k: names for k, names in plan.items() if names}})
        for name in spoilt:
            remove_folder(out / WORK / name)
        raise Problem(
            f"What was made of {', '.join(spoilt)} is damaged and has been removed: check the disk of {out} "
            "and run the same command again."
        )


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
