"""Pictures of a corpus, decoded ahead of the training that needs them and kept while there is room.

Decoding happens in processes of its own, which may be killed (by a machine short of memory, most often): then
new ones take over. What cannot be read is told from that: asking for it raises, and the caller leaves its
clip out.
"""

from __future__ import annotations

import signal
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, resource_tracker
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from studio.domain.problem import Problem

if TYPE_CHECKING:
    from studio.corpus.corpus import CorpusClip

Place = tuple[str, int]
"""A clip's name, and a frame of it."""
Picture = npt.NDArray[np.uint8]

MOST_DEATHS = 3
"""Loading processes that may die in a row before one has delivered."""


class PeopleLoader:
    """Gives pictures by clip and frame. Not thread-safe."""

    def __init__(
        self,
        clips: Sequence[CorpusClip],
        side: int,
        memory: float,
        workers: int,
        say: Callable[[str], None],
        decode: Callable[[CorpusClip, int, int], Picture] | None = None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        """
        Args:
            clips: whose pictures there are.
            side: of the pictures given, pixels.
            memory: bytes of decoded pictures that are kept.
            workers: processes that decode; 0: it is done when the pictures are asked for.
            say: told when a process had to be replaced.
            decode: clip, frame and side to a picture; for tests, which take one that fails. Importable.
            stopping: whether somebody has asked to stop. What ends the training often ends the processes,
                too; they are not replaced then, and the step's last pictures are decoded here.
        """
        self._clips, self._side, self._say = {clip.name: clip for clip in clips}, side, say
        self._decode, self._stopping = decode or decoded, stopping
        self._room = max(1, int(memory // (side * side * 4)))
        self._workers, self._pool = workers, None if workers == 0 else self._new_pool(workers)
        self._kept: OrderedDict[Place, Picture] = OrderedDict()
        self._coming: dict[Place, Future[Picture]] = {}
        self._deaths = 0

    def ahead(self, places: Iterable[Place]) -> None:
        """Have some pictures decoded, which will be asked for soon."""
        if self._workers == 0:
            return
        for place in places:
            if place not in self._kept and place not in self._coming:
                self._send(place)

    def get(self, places: Sequence[Place]) -> Picture:
        """Pictures ``[N, side, side, 4]`` uint8: colours and the person's outline.

        Raises:
            Unreadable: one of them cannot be read.
            Problem: loading processes keep being killed.
        """
        out = np.empty((len(places), self._side, self._side, 4), np.uint8)
        self.ahead(places)
        for row, place in enumerate(places):
            out[row] = self._one(place)
        return out

    def close(self) -> None:
        """End the processes."""
        self._coming.clear()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def __enter__(self) -> PeopleLoader:
        return self

    def __exit__(self, *ended: object) -> None:
        self.close()

    def _one(self, place: Place) -> Picture:
        if place in self._kept:
            self._kept.move_to_end(place)
            return self._kept[place]
        if self._workers == 0:
            picture = self._decode(self._clips[place[0]], place[1], self._side)
        else:
            picture = self._awaited(place)
        self._kept[place] = picture
        while len(self._kept) > self._room:
            self._kept.popitem(last=False)
        return picture

    def _awaited(self, place: Place) -> Picture:
        while True:
            if place not in self._coming:
                self._send(place)
            if self._workers == 0:
                return self._decode(self._clips[place[0]], place[1], self._side)
            try:
                picture = self._coming[place].result()
            except BrokenProcessPool:
                self._replace_pool()
                continue
            except BaseException:
                del self._coming[place]
                raise
            del self._coming[place]
            self._deaths = 0
            return picture

    def _send(self, place: Place) -> None:
        while self._workers:
            assert self._pool is not None
            try:
                with deaf_children():
                    self._coming[place] = self._pool.submit(_decoded_there, *place)
                return
            except BrokenProcessPool:
                self._replace_pool()

    def _replace_pool(self) -> None:
        """New processes for those that died; what was promised is asked for again."""
        if self._stopping():
            self._workers = 0
            self.close()
            return
        self._deaths += 1
        if self._deaths > MOST_DEATHS:
            raise Problem(
                "The processes that read pictures keep being killed, most likely because memory runs out: "
                "close other programs, lower frames.memory_gigabytes, or set frames.workers to 0."
            )
        self._say(
            "A process that reads pictures was killed; another has taken over. If that happens again, the "
            "machine may be short of memory."
        )
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = self._new_pool(self._workers)
        promised = list(self._coming)
        self._coming.clear()
        for place in promised:
            self._send(place)

    def _new_pool(self, workers: int) -> ProcessPoolExecutor:
        # Not forked: a copy of a process in which torch has threads may hang.
        return ProcessPoolExecutor(
            workers,
            mp_context=get_context("spawn"),
            initializer=_begin,
            initargs=(self._clips, self._side, self._decode),
        )


def decoded(clip: CorpusClip, frame: int, side: int) -> Picture:
    """A clip's picture with its mask, ``[side, side, 4]``. Raises Unreadable."""
    return np.concatenate([clip.picture(frame, side), clip.mask(frame, side)[..., None]], 2)


@contextmanager
def deaf_children() -> Iterator[None]:
    """Processes that begin meanwhile never hear Ctrl-C or the terminal's end, not even while they import.

    Both are for the training, which ends its helpers by itself. What is held back is not lost: the training
    hears it right afterwards.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows: the helpers turn a deaf ear once they have begun
        yield
        return
    # Whoever starts this helper's helper lets signals through again, so that has to happen before.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGHUP))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_work: tuple[Mapping[str, CorpusClip], int, Callable[[CorpusClip, int, int], Picture]]


def _begin(
    clips: Mapping[str, CorpusClip], side: int, decode: Callable[[CorpusClip, int, int], Picture]
) -> None:
    global _work
    # See deaf_children; on Windows nothing before this.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _work = clips, side, decode


def _decoded_there(clip: str, frame: int) -> Picture:
    clips, side, decode = _work
    return decode(clips[clip], frame, side)
