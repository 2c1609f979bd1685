"""Shards: uncompressed tar files in which a clip's files lie together, read at random by name.

Any tar program opens them, and a million small files become a few large ones, which disks, networks and
backups like better (the idea of WebDataset, Aizman, Maltby and Breuel 2019). Random access needs no index
beside the shard: its headers are read through once, and data by its place afterwards.
"""

from __future__ import annotations

import errno
import os
import tarfile
import threading
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from studio.domain.problem import Problem
from studio.project.atomic import disk_problem

AGAIN = "restore it from a backup, or prepare the clips again"
"""What helps when a shard is no longer what was written."""


class Unreadable(Problem):
    """Something in a corpus cannot be read any more: a training goes on without it, and says so."""


class ShardWriter:
    """Writes files one after the other into a new shard. The caller puts it in place and flushes it."""

    def __init__(self, path: Path) -> None:
        """Open ``path`` for writing, replacing it."""
        self._tar = tarfile.open(path, "w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115 - closed by close()
        self.path = path

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self._tar.close()

    def write(self, name: str, data: bytes) -> None:
        """Append a file. Equal content makes equal shards: no times, no owners."""
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        self._tar.addfile(entry, BytesIO(data))

    def take_over(self, other: Path) -> None:
        """Append all files of another shard, in their order.

        Raises:
            Unreadable: it is damaged.
        """
        shard = Shard(other)
        try:
            for name in shard.names():
                self.write(name, shard.read(name))
        finally:
            shard.close()


class Shard:
    """Reads files of one shard by name, in any order, from any thread or process.

    After a fork, and where it was sent to another process, the file is opened anew: a place in a file that
    two processes share would move under them.
    """

    def __init__(self, path: Path, size: int | None = None) -> None:
        """A shard that is opened when it is first asked for something.

        Args:
            path: the file.
            size: how many bytes it was written with, where that is known.
        """
        self.path, self._size = path, size
        self._places: dict[str, tuple[int, int]] | None = None
        self._file: IO[bytes] | None = None
        self._owner = 0
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "size": self._size, "places": self._places}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["path"], state["size"])  # type: ignore[misc]
        self._places = state["places"]

    def names(self) -> tuple[str, ...]:
        """All files in the shard's order. Raises Unreadable."""
        return tuple(self._index())

    def read(self, name: str) -> bytes:
        """The content of a file.

        Raises:
            Unreadable: the shard is missing, cut short, damaged, forbidden, or has no such file.
        """
        places = self._index()
        if name not in places:
            raise Unreadable(f"The shard {self.path} has no {name}: {AGAIN}.")
        start, length = places[name]
        with self._locked():
            file = self._opened()
            try:
                file.seek(start)
                data = file.read(length)
            except OSError as error:
                raise self._no_disk(error) from error
        if len(data) != length:
            raise Unreadable(f"The shard {self.path} is cut short: {AGAIN}.")
        return data

    def __del__(self) -> None:
        # Who is done with a corpus lets go of it, and its files with it.
        if getattr(self, "_file", None) is not None:
            self.close()

    def close(self) -> None:
        """Close the file; it is opened again when it is needed."""
        if self._file is not None and self._owner == os.getpid():
            self._file.close()
        self._file = None

    def _locked(self) -> threading.Lock:
        if self._owner != os.getpid():
            # Another thread of the parent may have held the lock at the moment of the fork.
            self._lock = threading.Lock()
        return self._lock

    def _index(self) -> dict[str, tuple[int, int]]:
        if self._places is not None:
            return self._places
        with self._locked():
            file = self._opened()
            try:
                there = file.seek(0, os.SEEK_END)
                file.seek(0)
                if self._size is not None and there < self._size:
                    raise Unreadable(
                        f"The shard {self.path} is cut short ({there} of {self._size} bytes): {AGAIN}."
                    )
                with tarfile.open(fileobj=file, mode="r:") as tar:
                    self._places = {entry.name: (entry.offset_data, entry.size) for entry in tar}
            except tarfile.TarError as error:
                how = "cut short" if "unexpected end" in str(error) else f"damaged ({error})"
                raise Unreadable(f"The shard {self.path} is {how}: {AGAIN}.") from error
            except OSError as error:
                raise self._no_disk(error) from error
        return self._places

    def _opened(self) -> IO[bytes]:
        if self._file is None or self._owner != os.getpid():
            try:
                self._file = self.path.open("rb")
            except OSError as error:
                raise self._no_disk(error) from error
            self._owner = os.getpid()
        return self._file

    def _no_disk(self, error: OSError) -> Problem:
        if error.errno == errno.ENOENT:
            return Unreadable(f"The shard {self.path} is missing: {AGAIN}.")
        said = disk_problem(error, self.path)
        return Unreadable(str(said) if said else f"The shard {self.path} cannot be read ({error}): {AGAIN}.")
