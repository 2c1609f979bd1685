"""Pictures in memory that two processes share.

A slot belongs to one side at a time: the worker draws into a free one, says so, and leaves it alone until the
window gives it back. What passes between both sides passes through pipes, so that no picture is ever torn.

Nothing can be left behind, whoever is killed: the memory never has a name that outlives its processes.
"""

from __future__ import annotations

import mmap
import os
import sys
import tempfile
import uuid
from contextlib import suppress

import numpy as np
import numpy.typing as npt

SLOTS = 4
"""One shown, one being drawn, one on its way, and one in reserve."""
LARGEST = 1024 * 1024
"""Pixels of the largest picture."""
_DEPTH = 4
"""Bytes a pixel: colour, and coverage behind the colours."""


class Pictures:
    """SLOTS places for pictures of at most ``pixels`` pixels."""

    def __init__(self, memory: mmap.mmap, pixels: int, word: str, descriptor: int | None = None) -> None:
        self._memory, self.pixels, self.word, self._descriptor = memory, pixels, word, descriptor
        self._bytes = np.frombuffer(memory, np.uint8).reshape(SLOTS, pixels * _DEPTH)

    @staticmethod
    def create(pixels: int = LARGEST) -> Pictures:
        """New memory; only what is written to is really taken."""
        size = SLOTS * pixels * _DEPTH
        if os.name == "nt":
            name = f"avatar-studio-{uuid.uuid4().hex}"
            return Pictures(mmap.mmap(-1, size, tagname=name), pixels, f"tag:{name}:{pixels}")  # type: ignore[call-arg]
        descriptor = _nameless_file()
        os.ftruncate(descriptor, size)
        return Pictures(mmap.mmap(descriptor, size), pixels, f"fd:{descriptor}:{pixels}", descriptor)

    @staticmethod
    def attach(word: str) -> Pictures:
        """The memory that ``word``, handed over on the command line, speaks of."""
        kind, name, pixels = word.split(":")
        size = SLOTS * int(pixels) * _DEPTH
        if kind == "tag":
            return Pictures(mmap.mmap(-1, size, tagname=name), int(pixels), word)  # type: ignore[call-arg]
        descriptor = int(name)
        memory = mmap.mmap(descriptor, size)
        os.close(descriptor)
        return Pictures(memory, int(pixels), word)

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What a worker must inherit."""
        return () if self._descriptor is None else (self._descriptor,)

    def handed_over(self) -> None:
        """The worker has its own hold of the memory: let go of the descriptor."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def write(self, slot: int, image: npt.NDArray[np.uint8], alpha: npt.NDArray[np.uint8] | None) -> None:
        """Put a picture ``[H, W, 3]`` and its coverage ``[H, W]`` into a slot."""
        self._bytes[slot, : image.size] = image.reshape(-1)
        if alpha is not None:
            self._bytes[slot, image.size : image.size + alpha.size] = alpha.reshape(-1)

    def read(
        self, slot: int, height: int, width: int, alpha: bool
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8] | None]:
        """Copy a picture out of a slot."""
        colours = height * width * 3
        whole = self._bytes[slot, : colours + (height * width if alpha else 0)].copy()
        cover = whole[colours:].reshape(height, width) if alpha else None
        return whole[:colours].reshape(height, width, 3), cover

    def close(self) -> None:
        """Let go of the memory."""
        self.handed_over()
        self._bytes = np.empty((0, 0), np.uint8)
        with suppress(BufferError):  # somebody still looks at it: it goes with them
            self._memory.close()


def _nameless_file() -> int:
    """A descriptor of a file in memory that no folder lists."""
    if sys.platform == "linux":
        return os.memfd_create("avatar-studio-live", os.MFD_CLOEXEC)
    descriptor, path = tempfile.mkstemp(prefix="avatar-studio-live-")
    os.unlink(path)  # noqa: PTH108 - the name goes at once
    return descriptor
