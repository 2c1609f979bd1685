"""A corpus on disk: many people's clips, cut to squares, tracked, split by identity, ready to be learnt from.

::

    CORPUS/corpus.json          what there is: clips with identity and split, and what was left out and why
    CORPUS/shards/000.tar …     NAME/00000.jpg, NAME/00000.mask.png …, NAME/landmarks.safetensors,
                                NAME/motion.safetensors

Reading needs numpy, pillow and safetensors only, and works from forked and from spawned processes alike.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import numpy as np
import numpy.typing as npt

from studio.corpus.clip_numbers import ClipNumbers, from_bytes, landmarks_from_bytes
from studio.corpus.remembered import Remembered
from studio.corpus.shards import AGAIN, Shard, Unreadable
from studio.domain.camera import Floats
from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem
from studio.project.command_words import command_line, typed
from studio.project.documents import DocumentKind, read_document, write_document

Split = Literal["train", "held_out"]
"""On which side of the training a person is: never on both."""
T = TypeVar("T")
Picture = npt.NDArray[np.uint8]

FILE, SHARDS = "corpus.json", "shards"
CORPUS = DocumentKind("corpus")
"""The document ``corpus.json``."""
MEMORY = 64_000_000
"""Bytes of decoded pictures and numbers that a corpus remembers, in each process."""


def picture_name(clip: str, frame: int) -> str:
    """Where a clip's picture lies in its shard."""
    return f"{clip}/{frame:05d}.jpg"


def mask_name(clip: str, frame: int) -> str:
    """Where a picture's mask lies in the shard."""
    return f"{clip}/{frame:05d}.mask.png"


def numbers_name(clip: str) -> str:
    """Where a clip's numbers lie in its shard."""
    return f"{clip}/motion.safetensors"


def landmarks_name(clip: str) -> str:
    """Where a clip's landmarks lie in its shard."""
    return f"{clip}/landmarks.safetensors"


@dataclass(frozen=True)
class LeftOut:
    """A file or a part of it that is not in the corpus, or not all of it."""

    source: str
    """The file's path below the folder that was prepared."""
    why: str
    """One sentence."""
    source_bytes: int
    """The file's size, by which a changed one is known."""
    whole: bool = True
    """Whether nothing of the file is in the corpus; False where ``why`` is only to be known."""
    again: bool = False
    """Whether preparing the folder again tries it again: not the file, but this machine was at fault."""


@dataclass(frozen=True)
class CorpusClip:
    """A stretch of one person in front of one fixed square. Pictures and numbers are read when asked for."""

    name: str
    """Unique in the corpus; the source's name, numbered where it was cut into several."""
    identity: str
    """Whose face it is: the same word for the same person."""
    split: Split
    """On which side that person is."""
    rate: Fraction
    """Frames per second, exact."""
    frames: int
    """T."""
    good_frames: int
    """How many of them are fit to learn from."""
    shard: str
    """File name of the shard that holds it."""
    checksum: int
    """CRC-32 of its numbers' file."""
    source: str
    """The video's path below the folder that was prepared."""
    source_bytes: int
    """The video's size, by which a changed file is known."""
    _store: _Store = field(repr=False, compare=False, kw_only=True)

    def __len__(self) -> int:
        return self.frames

    @property
    def side(self) -> int:
        """Pixels of the stored pictures, of which all lengths in the numbers are."""
        return self._store.side

    def picture(self, t: int, side: int | None = None) -> Picture:
        """Frame ``t``, ``[side, side, 3]`` RGB; do not write into it.

        Args:
            t: 0 to T - 1.
            side: at most that of the corpus, which is the default; smaller ones average areas.

        Raises:
            Unreadable: the shard is missing, cut short or damaged.
            Problem: the corpus holds no pictures that large.
        """
        return self._store.image(self, t, picture_name(self.name, t), 0, side)

    def mask(self, t: int, side: int | None = None) -> Picture:
        """The person in frame ``t``, ``[side, side]``, 255 inside; otherwise as :meth:`picture`."""
        return self._store.image(self, t, mask_name(self.name, t), 1, side)

    @property
    def numbers(self) -> ClipNumbers:
        """Everything that is not a picture or a landmark. Raises Unreadable."""
        return self._store.numbers(self)

    @property
    def motion(self) -> HeadMotion:
        """What the head does, the camera in crop pixels at the corpus' side. Raises Unreadable."""
        return self.numbers.motion

    @property
    def coefficients(self) -> Floats:
        """``[I]`` identity coefficients. Raises Unreadable."""
        return self.numbers.coefficients

    @property
    def offset(self) -> Floats:
        """``[V, 3]`` in metres, beside the coefficients. Raises Unreadable."""
        return self.numbers.offset

    @property
    def landmarks(self) -> Floats:
        """``[T, 478, 3]`` in crop pixels at the corpus' side. Raises Unreadable."""
        return self._store.landmarks(self)

    @property
    def good(self) -> npt.NDArray[np.bool_]:
        """``[T]`` frames fit to learn from. Raises Unreadable."""
        return self.numbers.good

    def check(self) -> None:
        """Read every byte of the clip and compare it with what was written. Raises Unreadable."""
        self._store.landmarks(self)
        for t in range(self.frames):
            self._store.file(self, picture_name(self.name, t), int(self.numbers.sums[t, 0]))
            self._store.file(self, mask_name(self.name, t), int(self.numbers.sums[t, 1]))


class _Store:
    """The shards of a corpus and what was read of them lately."""

    def __init__(self, folder: Path, side: int, sizes: dict[str, int], memory: int) -> None:
        self.side, self._memory = side, memory
        self._shards = {name: Shard(folder / SHARDS / name, size) for name, size in sizes.items()}
        self._lately = Remembered(memory)

    def __getstate__(self) -> dict[str, Any]:
        return {"side": self.side, "memory": self._memory, "shards": self._shards}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.side, self._memory, self._shards = state["side"], state["memory"], state["shards"]
        self._lately = Remembered(self._memory)

    def file(self, clip: CorpusClip, name: str, checksum: int) -> bytes:
        data = self._shards[clip.shard].read(name)
        if zlib.crc32(data) != checksum:
            raise self._damaged(clip, name)
        return data

    def numbers(self, clip: CorpusClip) -> ClipNumbers:
        def made(data: bytes) -> ClipNumbers:
            numbers = from_bytes(data)
            if len(numbers) != clip.frames:
                raise ValueError(f"{len(numbers)} frames where {clip.frames} are listed")
            return numbers

        return self._read(clip, numbers_name(clip.name), clip.checksum, made)

    def landmarks(self, clip: CorpusClip) -> Floats:
        checksum = int(self.numbers(clip).landmarks_sum[0])
        return self._read(
            clip, landmarks_name(clip.name), checksum, lambda data: landmarks_from_bytes(data, clip.frames)
        )

    def _read(self, clip: CorpusClip, name: str, checksum: int, made: Callable[[bytes], T]) -> T:
        def make() -> tuple[T, int]:
            data = self.file(clip, name, checksum)
            try:
                return made(data), len(data)
            except ValueError as error:
                raise self._damaged(clip, f"{name} ({error})") from error

        return self._lately.get(name, make)

    def _damaged(self, clip: CorpusClip, what: str) -> Unreadable:
        return Unreadable(f"The shard {self._shards[clip.shard].path} is damaged at {what}: {AGAIN}.")

    def image(self, clip: CorpusClip, t: int, name: str, kind: int, side: int | None) -> Picture:
        from PIL import Image

        if not 0 <= t < clip.frames:
            raise IndexError(f"frame {t} of {clip.frames} in {clip.name}")
        side = side or self.side
        if side > self.side:
            raise Problem(
                f"The corpus holds pictures of {self.side} pixels a side and {side} were asked for: prepare "
                f"the clips again with --side {side}, or choose a smaller size."
            )

        def make() -> tuple[Picture, int]:
            data = self.file(clip, name, int(self.numbers(clip).sums[t, kind]))
            with Image.open(BytesIO(data)) as image:
                whole = image.size == (side, side)
                pixels = np.array(image if whole else image.resize((side, side), Image.Resampling.BOX))
            pixels.flags.writeable = False
            return pixels, pixels.nbytes

        return self._lately.get((name, side), make)

    def forget(self) -> None:
        self._lately.forget()
        for shard in self._shards.values():
            shard.close()


@dataclass(frozen=True)
class Corpus:
    """A prepared folder of clips."""

    folder: Path
    """Where it lies."""
    side: int
    """Pixels of its pictures."""
    head_model: str
    """Which head model its numbers belong to."""
    tracker: str
    """Which tracker made them."""
    measure: str
    """How people were told apart, in a clause."""
    clips: tuple[CorpusClip, ...]
    """All of them, by name."""
    left_out: tuple[LeftOut, ...]
    """What is not in it and what else is to be known."""
    shards: dict[str, int]
    """File name and bytes of each shard."""
    settings: dict[str, Any]
    """What its pictures were made with, as plain values."""
    held_out: float
    """Share of the people that was asked to be held out."""
    _store: _Store = field(repr=False, compare=False, kw_only=True)

    @staticmethod
    def open(folder: Path, memory: int = MEMORY) -> Corpus:
        """Open a corpus; no shard is read yet.

        Args:
            folder: where it lies.
            memory: bytes of decoded pictures and numbers to remember.

        Raises:
            Problem: there is no corpus, its document is damaged, or a newer version of the program wrote it.
        """
        file = folder / FILE
        if not file.is_file():
            begun = "is not finished" if (folder / WORK).is_dir() else "is no corpus"
            command = command_line("prepare", "FOLDER_OF_CLIPS", f"--out {typed(str(folder))}")
            raise Problem(f"{folder} {begun} (it has no {FILE}): make it with {command}.")
        content = read_document(file, CORPUS)
        try:
            return _from_plain(folder, content, memory)
        except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
            raise Problem(
                f"The corpus file {file} is damaged ({type(error).__name__}: {error}): {AGAIN}."
            ) from error

    def split(self, name: Split) -> tuple[CorpusClip, ...]:
        """The clips of the people on one side, by name."""
        if name not in get_args(Split):
            raise ValueError(f"there is no split {name!r}")
        return tuple(clip for clip in self.clips if clip.split == name)

    def identities(self, name: Split | None = None) -> tuple[str, ...]:
        """Who is there, on one side or in all, in alphabetical order."""
        return tuple(sorted({clip.identity for clip in self.clips if name in (None, clip.split)}))

    def clip(self, name: str) -> CorpusClip:
        """One clip by name. Raises Problem when there is none."""
        for clip in self.clips:
            if clip.name == name:
                return clip
        raise Problem(f"The corpus {self.folder} has no clip {name!r}.")

    def forget(self) -> None:
        """Close the shards and let go of what is remembered; everything is opened again when asked for."""
        self._store.forget()


WORK = "work"
"""Folder in a corpus that is being prepared."""
_WORDS = ("name", "identity", "split", "frames", "good_frames", "shard", "checksum", "source", "source_bytes")


def write_corpus(corpus: Corpus) -> None:
    """Write ``corpus.json``, atomically. Raises Problem when the disk says no."""
    clips = [
        clip_words(clip) | {"rate": [clip.rate.numerator, clip.rate.denominator]} for clip in corpus.clips
    ]
    left_out = [asdict(one) for one in corpus.left_out]
    content = {
        "side": corpus.side,
        "head_model": corpus.head_model,
        "tracker": corpus.tracker,
        "measure": corpus.measure,
        "settings": corpus.settings,
        "held_out": corpus.held_out,
        "shards": corpus.shards,
        "clips": clips,
        "left_out": left_out,
    }
    write_document(corpus.folder / FILE, CORPUS, content)


def clip_words(clip: CorpusClip) -> dict[str, Any]:
    """A clip as :func:`make_corpus` takes it."""
    return {word: getattr(clip, word) for word in (*_WORDS, "rate")}


def make_corpus(
    folder: Path,
    *,
    side: int,
    head_model: str,
    tracker: str,
    measure: str,
    shards: dict[str, int],
    clips: Sequence[dict[str, Any]],
    settings: dict[str, Any],
    held_out: float,
    left_out: Sequence[LeftOut] = (),
    memory: int = MEMORY,
) -> Corpus:
    """A corpus of clips given by the fields of :class:`CorpusClip`; shards are not read.

    Raises:
        ValueError: names repeat, a split or shard is unknown, or one person is on both sides.
    """
    store = _Store(folder, side, shards, memory)
    made = tuple(sorted((CorpusClip(**clip, _store=store) for clip in clips), key=lambda clip: clip.name))
    if len({clip.name for clip in made}) != len(made):
        raise ValueError("two clips have one name")
    sides: dict[str, str] = {}
    for clip in made:
        if clip.split not in get_args(Split):
            raise ValueError(f"{clip.name} is in {clip.split!r}")
        if clip.shard not in shards:
            raise ValueError(f"{clip.name} is in a shard {clip.shard!r} that is not listed")
        if sides.setdefault(clip.identity, clip.split) != clip.split:
            raise ValueError(f"{clip.identity} is both learnt from and held out")
    return Corpus(
        folder=folder,
        side=side,
        head_model=head_model,
        tracker=tracker,
        measure=measure,
        clips=made,
        left_out=tuple(left_out),
        shards=dict(shards),
        settings=dict(settings),
        held_out=held_out,
        _store=store,
    )


def with_identities(corpus: Corpus, identities: dict[str, tuple[str, Split]], measure: str) -> Corpus:
    """The corpus with other identities and splits.

    Args:
        corpus: what there is.
        identities: clip name to identity and split.
        measure: how people were told apart.
    """
    clips = tuple(
        replace(clip, identity=identities[clip.name][0], split=identities[clip.name][1])
        for clip in corpus.clips
    )
    return replace(corpus, clips=clips, measure=measure)


def _from_plain(folder: Path, content: dict[str, Any], memory: int) -> Corpus:
    clips = [
        {word: clip[word] for word in _WORDS} | {"rate": Fraction(*(int(part) for part in clip["rate"]))}
        for clip in content["clips"]
    ]
    return make_corpus(
        folder,
        side=int(content["side"]),
        head_model=str(content["head_model"]),
        tracker=str(content["tracker"]),
        measure=str(content["measure"]),
        shards={str(name): int(size) for name, size in content["shards"].items()},
        clips=clips,
        settings=dict(content["settings"]),
        held_out=float(content["held_out"]),
        left_out=[LeftOut(**one) for one in content["left_out"]],
        memory=memory,
    )
