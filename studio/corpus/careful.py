"""Reading in a long training: what cannot be read any more is told once and done without."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from studio.corpus.corpus import CorpusClip
from studio.corpus.shards import Unreadable
from studio.domain.problem import Problem

E = TypeVar("E", covariant=True)
R = TypeVar("R")


class Examples(Protocol[E]):
    """Examples with a number, as :mod:`studio.corpus.pairs` gives them."""

    def at(self, number: int, attempt: int = 0) -> E:
        """The example with a number, or another in its place."""

    def clip_at(self, number: int, attempt: int = 0) -> CorpusClip:
        """The clip that it is taken from."""

    @property
    def round(self) -> int:
        """How many clips there are to take from."""


class CarefulReading:
    """Reads examples; a clip that fails is reported, once, and another one's example is read in its place.

    Which one depends on the example's number alone, so that a run that is resumed over the same damaged
    shards sees the same data.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        """Sentences about clips that cannot be read go to ``say``, one for each clip."""
        self._say = say
        self.lost: dict[str, str] = {}
        """Name of each clip that could not be read, and why."""

    def read(self, examples: Examples[E], number: int, read: Callable[[E], R]) -> R:
        """What ``read`` makes of the example with a number.

        Args:
            examples: where it is from.
            number: which.
            read: looks at its pictures; may raise Unreadable.

        Raises:
            Problem: no clip can be read at all.
        """
        for attempt in range(examples.round + 1):
            clip = examples.clip_at(number, attempt)
            if clip.name in self.lost:
                continue
            try:
                return read(examples.at(number, attempt))
            except Unreadable as error:
                self.lose(clip, error)
        raise Problem(f"None of the {examples.round} clips can be read. {next(iter(self.lost.values()))}")

    def readable(self, clips: Iterable[CorpusClip]) -> tuple[CorpusClip, ...]:
        """Those clips whose shard is there and whose numbers can be read; the others are reported.

        Raises:
            Problem: there is none.
        """
        kept = []
        for clip in clips:
            try:
                _ = clip.numbers
            except Unreadable as error:
                self.lose(clip, error)
            else:
                kept.append(clip)
        if not kept:
            why = next(iter(self.lost.values()), "The corpus has none: prepare clips first.")
            raise Problem(f"There is no clip to learn from. {why}")
        return tuple(kept)

    def lose(self, clip: CorpusClip, error: Unreadable) -> None:
        """Do without a clip from now on."""
        if clip.name not in self.lost:
            self.lost[clip.name] = str(error)
            self._say(f"{clip.name} is left out: {error}")
