"""A made corpus of "people" whose every frame follows from their head's place: textured discs that wander."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from studio.corpus.clip_writer import write_clip
from studio.corpus.corpus import SHARDS, Corpus, Split, make_corpus, write_corpus
from studio.corpus.shards import ShardWriter
from studio.domain.motion import HeadMotion
from studio.head import builtin_head

SIDE = 64
PEOPLE: dict[str, Split] = {
    **dict.fromkeys(("ann", "bob", "cat", "dan", "eve"), "train"),
    **dict.fromkeys(("fay", "gus"), "held_out"),
}
FRAMES = 10
RADIUS = 0.42
"""Of a disc, in sides of the picture."""


def motion(who: int, frames: int = FRAMES) -> HeadMotion:
    """Each person walks a way of their own; the later in the alphabet, the farther."""
    random = np.random.default_rng([who, 1])
    moved = HeadMotion.neutral(frames, np.array([SIDE / 0.30, SIDE / 2, SIDE / 2], np.float32))
    moved.camera[:, 1:] += random.uniform(-1.0, 1.0, (frames, 2)) * SIDE * (0.06 + 0.01 * who)
    moved.expression[:, :3] = random.normal(0.0, 0.5, (frames, 3))
    return moved


def picture(who: int, moved: HeadMotion, t: int, side: int = SIDE) -> np.ndarray:
    """A grey wall, before it a disc with stripes and a colour that are the person's own."""
    random = np.random.default_rng([who, 2])
    colour, turn, pace = random.uniform(60, 220, 3), random.uniform(0, np.pi), random.uniform(4, 7)
    _, cx, cy = moved.camera[t] * side / SIDE
    y, x = np.mgrid[:side, :side] + 0.5
    dx, dy = (x - cx) / side, (y - cy) / side
    stripes = 0.5 + 0.5 * np.sin(2 * np.pi * pace * (np.cos(turn) * dx + np.sin(turn) * dy))
    inside = np.clip((RADIUS - np.hypot(dx, dy)) * side + 0.5, 0, 1)[..., None]
    disc = colour * (0.4 + 0.6 * stripes[..., None])
    return np.round(inside * disc + (1 - inside) * 110).astype(np.uint8)


def write_moving_corpus(folder: Path, people: dict[str, Split] | None = None, frames: int = FRAMES) -> Corpus:
    """Write a corpus, a shard for each person, and open it."""
    (folder / SHARDS).mkdir(parents=True)
    model, fields, sizes = builtin_head(), [], {}
    for who, (name, split) in enumerate((people or PEOPLE).items()):
        moved, shard = motion(who, frames), f"{who:03d}.tar"
        pictures = [picture(who, moved, t) for t in range(frames)]
        with ShardWriter(folder / SHARDS / shard) as writer:
            checksum = write_clip(
                writer,
                name,
                ((shown, np.full((SIDE, SIDE), 255, np.uint8)) for shown in pictures),
                motion=moved,
                coefficients=np.zeros(model.identities, np.float32),
                offset=np.zeros_like(model.template),
                landmarks=np.zeros((frames, 478, 3), np.float32),
                flags=np.zeros(frames, np.int32),
                frames=np.arange(frames, dtype=np.int32),
                square=np.array([0.01, 0, 0, 0], np.float32),
            )
        fields.append(
            {
                "name": name,
                "identity": name,
                "split": split,
                "rate": Fraction(25),
                "frames": frames,
                "good_frames": frames,
                "shard": shard,
                "checksum": checksum,
                "source": f"{name}.mp4",
                "source_bytes": 1000 + who,
            }
        )
        sizes[shard] = (folder / SHARDS / shard).stat().st_size
    corpus = make_corpus(
        folder,
        side=SIDE,
        head_model="builtin-1",
        tracker="test",
        measure="by hand",
        shards=sizes,
        clips=fields,
        settings={"side": SIDE},
        held_out=0.3,
    )
    write_corpus(corpus)
    return Corpus.open(folder)
