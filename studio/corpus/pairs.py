"""Which frames a training or an evaluation looks at, as functions of a seed and a number.

Nothing here keeps a state: the example with a number is the same whoever asks for it, so a resumed run and
one that is shared by many processes go through the same data in the same order. Frames are always good ones,
and nothing joins two people except :class:`CrossIdentityPairs`, which is for evaluation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from studio.corpus.corpus import CorpusClip
from studio.domain.problem import Problem

E = TypeVar("E")
Indices = npt.NDArray[np.int64]
NEGATIVES = 32
"""Negatives to a positive: Ki et al., Export3D (2024), supplement."""
_CLIPS, _FRAMES, _INSTEAD = 1, 2, 3


@dataclass(frozen=True)
class Pair:
    """Two frames of one clip."""

    clip: CorpusClip
    """Whose."""
    source: int
    """The frame that shows the person."""
    driving: int
    """Another, whose pose and expression the person is to take on."""


@dataclass(frozen=True)
class Contrast:
    """A frame and others of the same clip that it is told apart from."""

    clip: CorpusClip
    """Whose."""
    positive: int
    """The frame whose picture and coefficients belong together."""
    negatives: tuple[int, ...]
    """Frames whose coefficients do not belong to that picture; all different."""


@dataclass(frozen=True)
class CrossPair:
    """A person and somebody else's clip."""

    source: CorpusClip
    """Who is shown."""
    source_frame: int
    """In which frame of theirs."""
    driving: CorpusClip
    """Whose motion they take on."""


def share(step: int, batch: int, rank: int = 0, world: int = 1) -> Indices:
    """Numbers of the examples that one of ``world`` processes takes in a step.

    Args:
        step: from 0 on.
        batch: examples of a step over all processes.
        rank: which of them.
        world: how many there are.

    Raises:
        ValueError: the processes would not take equally many.
    """
    if batch < 1 or batch % world:
        raise ValueError(f"{batch} examples a step cannot be shared by {world} processes")
    if not 0 <= rank < world:
        raise ValueError(f"process {rank} of {world}")
    return step * batch + np.arange(rank, batch, world, dtype=np.int64)


@dataclass(frozen=True)
class _SameClip(Generic[E]):
    """Examples from within one clip each. Every clip has its turn once in each round, in a new order."""

    clips: Sequence[CorpusClip]
    """To take from; those with too few good frames are passed over, see ``too_short``."""
    seed: int = 0
    """Another seed, another order."""
    _long: tuple[CorpusClip, ...] = field(init=False, repr=False, compare=False)
    _rounds: dict[int, Indices] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        usable = sorted((c for c in self.clips if c.good_frames >= self.needed), key=lambda clip: clip.name)
        if not usable:
            raise Problem(
                f"None of {len(self.clips)} clips has {self.needed} good frames: prepare longer ones."
            )
        object.__setattr__(self, "_long", tuple(usable))

    @property
    def needed(self) -> int:
        """Good frames that an example takes."""
        raise NotImplementedError

    @property
    def round(self) -> int:
        """Examples in which every clip has its turn once."""
        return len(self._long)

    @property
    def too_short(self) -> tuple[CorpusClip, ...]:
        """Clips with too few good frames to take an example from."""
        return tuple(clip for clip in self.clips if clip.good_frames < self.needed)

    def at(self, number: int, attempt: int = 0) -> E:
        """The example with a number.

        Args:
            number: from 0 on, without an end.
            attempt: 0, or how many before were tried and could not be read: then another clip's.

        Raises:
            Unreadable: the numbers of the clip whose turn it is cannot be read. ``clip_at`` names it.
        """
        clip = self.clip_at(number, attempt)
        good = np.flatnonzero(clip.good)
        random = np.random.default_rng([self.seed, _FRAMES, number, attempt])
        return self._example(clip, random.choice(good, self.needed, replace=False).tolist())

    def clip_at(self, number: int, attempt: int = 0) -> CorpusClip:
        """The clip that the example with a number is taken from."""
        if attempt:
            random = np.random.default_rng([self.seed, _INSTEAD, number])
            return self._long[int(random.permutation(len(self._long))[(attempt - 1) % len(self._long)])]
        turn, place = divmod(number, len(self._long))
        if turn not in self._rounds:
            for old in [known for known in self._rounds if known < turn - 1]:
                del self._rounds[old]
            self._rounds[turn] = np.random.default_rng([self.seed, _CLIPS, turn]).permutation(len(self._long))
        return self._long[self._rounds[turn][place]]

    def step(self, step: int, batch: int, rank: int = 0, world: int = 1) -> list[E]:
        """What one process looks at in a step; see :func:`share`. Raises ValueError, Unreadable."""
        return [self.at(number) for number in share(step, batch, rank, world).tolist()]

    def _example(self, clip: CorpusClip, frames: list[int]) -> E:
        raise NotImplementedError


@dataclass(frozen=True)
class SameClipPairs(_SameClip[Pair]):
    """A source and a driving frame of one clip, both at random (Siarohin et al., FOMM 2019)."""

    @property
    def needed(self) -> int:
        """Two good frames."""
        return 2

    def _example(self, clip: CorpusClip, frames: list[int]) -> Pair:
        return Pair(clip, frames[0], frames[1])


@dataclass(frozen=True)
class OwnFrames(SameClipPairs):
    """The sources of those pairs, each as its own driving frame."""

    def _example(self, clip: CorpusClip, frames: list[int]) -> Pair:
        return Pair(clip, frames[0], frames[0])


@dataclass(frozen=True)
class PositiveWithNegatives(_SameClip[Contrast]):
    """One positive and, from the same clip, negatives: all show one face, so only what it does differs.

    Ki et al., Export3D (2024), section 3.2.
    """

    negatives: int = NEGATIVES
    """How many."""

    @property
    def needed(self) -> int:
        """The positive and its negatives, all of them different frames."""
        return 1 + self.negatives

    def _example(self, clip: CorpusClip, frames: list[int]) -> Contrast:
        return Contrast(clip, frames[0], tuple(frames[1:]))


@dataclass(frozen=True)
class CrossIdentityPairs(Sequence[CrossPair]):
    """Every clip drives ``each`` other people: a fixed list for evaluation in which people take turns."""

    clips: Sequence[CorpusClip]
    """Of one side of the split."""
    each: int = 1
    """How many other people each clip drives; at most as many as there are."""
    seed: int = 0
    """Another seed, other people."""
    _pairs: tuple[tuple[CorpusClip, CorpusClip], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        clips: dict[str, list[CorpusClip]] = {}
        for clip in sorted(self.clips, key=lambda clip: clip.name):
            clips.setdefault(clip.identity, []).append(clip)
        count = len(clips)
        if count < 2:
            raise Problem(
                "Driving one person with another needs clips of at least two people on this side of the "
                "split: prepare more people."
            )
        order = np.random.default_rng(self.seed).permutation(sorted(clips)).tolist()
        pairs = []
        for further in range(1, min(self.each, count - 1) + 1):
            for place, identity in enumerate(order):
                shown = clips[order[(place + further) % count]]
                for turn, driving in enumerate(clips[identity]):
                    pairs.append((shown[(turn + further - 1) % len(shown)], driving))
        object.__setattr__(self, "_pairs", tuple(pairs))

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, number):  # type: ignore[no-untyped-def]
        """A pair, or a list of them for a slice. Raises Unreadable."""
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(len(self)))]
        source, driving = self._pairs[number]
        return CrossPair(source, first_good(source), driving)

    def mine(self, rank: int = 0, world: int = 1) -> list[CrossPair]:
        """What one of several processes looks at: each pair belongs to exactly one. Raises Unreadable."""
        return [self[number] for number in range(rank, len(self), world)]


def first_good(clip: CorpusClip) -> int:
    """The first frame fit to show a person by: the papers' protocol takes a clip's first.

    Raises:
        Unreadable: its numbers cannot be read.
    """
    return int(np.argmax(clip.good))
