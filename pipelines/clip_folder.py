"""The videos of a folder of clips, and what their clips are called."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.corpus.corpus import Corpus, LeftOut
from studio.domain.problem import Problem
from studio.project.atomic import explaining_disk

ENDINGS = (
    *(".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".3gp", ".mts", ".m2ts", ".mpg", ".mpeg", ".wmv"),
    *(".hevc", ".flv", ".ts", ".ogv", ".mxf"),
)
"""Files with these endings are videos; others are passed over."""
SAID = 10
"""Files that are no videos of which each is told by itself."""


@dataclass(frozen=True)
class Video:
    """A video as it is known again."""

    source: str
    """Path below the folder, with forward slashes."""
    size: int
    """Bytes."""


def look_through(clips: Path, out: Path) -> tuple[list[Video], list[LeftOut]]:
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
                    videos.append(Video(source, size))
                else:
                    others.append(LeftOut(source, "This is no video.", size))
    if not videos:
        raise Problem(f"There is no video in {clips}: give the folder that holds the clips.")
    return sorted(videos, key=lambda video: video.source), others


def tell_others(others: Sequence[LeftOut], before: Corpus | None, say: Callable[[str], None]) -> None:
    """A sentence about each file that is no video, unless it was there the last time."""
    told = set(before.left_out) if before else set()
    new = [one for one in others if one not in told]
    for one in new[:SAID]:
        say(f"{one.source}: {one.why}")
    if len(new) > SAID:
        say(f"… and {len(new) - SAID} more files that are no videos.")


def clip_names(videos: Sequence[Video], before: Corpus | None) -> dict[str, str]:
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
