"""A made corpus whose every pixel and number is known: no tracker, no video, a few kilobytes."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from studio.corpus.clip_writer import write_clip
from studio.corpus.corpus import SHARDS, Corpus, Split, make_corpus, write_corpus
from studio.corpus.shards import ShardWriter
from studio.domain.motion import HeadMotion

SIDE = 32
PEOPLE: dict[str, tuple[Split, int]] = {
    "ann": ("train", 2),
    "bob": ("train", 1),
    "cat": ("train", 1),
    "dan": ("held_out", 2),
    "eve": ("held_out", 1),
}
"""Side and number of clips of each person."""


def shade(clip: int, t: int) -> tuple[int, int, int]:
    """The colour of a picture's upper half, by the number of its clip in alphabetical order."""
    return 20 + 30 * clip, 60 + 3 * t, 128


def picture(clip: int, t: int, side: int = SIDE) -> np.ndarray:
    """One colour above, half as bright below."""
    out = np.empty((side, side, 3), np.uint8)
    out[: side // 2] = shade(clip, t)
    out[side // 2 :] = np.array(shade(clip, t)) // 2
    return out


def mask(t: int, side: int = SIDE) -> np.ndarray:
    """White in the first t + 1 columns."""
    out = np.zeros((side, side), np.uint8)
    out[:, : t + 1] = 255
    return out


def flags(frames: int) -> np.ndarray:
    """Every seventh frame is no good, the first among them."""
    return np.where(np.arange(frames) % 7 == 0, 2, 0).astype(np.int32)


def motion(clip: int, frames: int) -> HeadMotion:
    """Yaw is the frame's number, the jaw the clip's."""
    moved = HeadMotion.neutral(frames, np.array([100.0, SIDE / 2, SIDE / 2], np.float32))
    moved.angles[:, 0] = np.arange(frames)
    moved.jaw[:, 0] = clip / 100
    return moved


def write_small_corpus(
    folder: Path,
    people: dict[str, tuple[Split, int]] | None = None,
    frames: int = 24,
    vertices: int = 5,
    side: int = SIDE,
    clips_a_shard: int = 3,
) -> Corpus:
    """Write a corpus and open it."""
    (folder / SHARDS).mkdir(parents=True)
    listed = [(f"{who}{k}", who, where) for who, (where, n) in (people or PEOPLE).items() for k in range(n)]
    listed.sort()
    fields, sizes = [], {}
    for first in range(0, len(listed), clips_a_shard):
        shard = f"{first // clips_a_shard:03d}.tar"
        with ShardWriter(folder / SHARDS / shard) as writer:
            for number, (name, who, where) in enumerate(listed[first : first + clips_a_shard], first):
                checksum = write_clip(
                    writer,
                    name,
                    ((picture(number, t, side), mask(t, side)) for t in range(frames)),
                    motion=motion(number, frames),
                    coefficients=np.full(4, number, np.float32),
                    offset=np.full((vertices, 3), number / 1000, np.float32),
                    landmarks=np.full((frames, 478, 3), number, np.float32)
                    + np.arange(frames, dtype=np.float32)[:, None, None],
                    flags=flags(frames),
                    frames=np.arange(100, 100 + frames, dtype=np.int32),
                    square=np.array([0.01, 0, 0, 0], np.float32),
                )
                fields.append(
                    {
                        "name": name,
                        "identity": who,
                        "split": where,
                        "rate": Fraction(25),
                        "frames": frames,
                        "good_frames": int((flags(frames) == 0).sum()),
                        "shard": shard,
                        "checksum": checksum,
                        "source": f"{name}.mp4",
                        "source_bytes": 1000 + number,
                    }
                )
        sizes[shard] = (folder / SHARDS / shard).stat().st_size
    corpus = make_corpus(
        folder,
        side=side,
        head_model="builtin-1",
        tracker="test",
        measure="by hand",
        shards=sizes,
        clips=fields,
        settings={"side": side},
        held_out=0.4,
    )
    write_corpus(corpus)
    return Corpus.open(folder)
