"""Writing aside, then renaming: a reader sees the old artefact or the new one, never half of one."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from studio.domain.problem import Problem

_ASIDE = re.compile(r"^\.(?P<name>.+)\.(?P<pid>\d+)-(?P<host>[0-9a-f]{4})[0-9a-f]{8}\.(?P<kind>new|old)$")
HOST = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:4]
"""This machine: process numbers of others, on a shared disk, say nothing here."""

_DISK_SENTENCES = {
    errno.ENOSPC: "The disk that holds {path} is full: free some space and run the same command again.",
    errno.EDQUOT: "Your disk quota for {path} is used up: free some space and run the same command again.",
    errno.EROFS: "{path} cannot be written because its disk is read-only: choose another place with --home.",
    errno.EACCES: "{path} cannot be written or read by this user: change its permissions or choose another "
    "place with --home.",
    errno.EPERM: "{path} may not be changed by this user: change its permissions or choose another place "
    "with --home.",
    errno.ENOTDIR: "{path} cannot be used because a file stands where a folder is needed: choose another "
    "place with --home.",
    errno.EEXIST: "{path} cannot be made because a file of that name is in the way: move it aside or choose "
    "another place with --home.",
    errno.ENAMETOOLONG: "{path} is too long a path for this disk: choose a shorter --home.",
    errno.EIO: "The disk that holds {path} reports an input/output error: check the disk.",
}


def disk_problem(error: OSError, path: Path) -> Problem | None:
    """The sentence for a disk that says no (full, read-only, forbidden…), or None for other errors."""
    number = error.errno
    if number is None and getattr(error, "winerror", None) == 112:  # ERROR_DISK_FULL
        number = errno.ENOSPC
    sentence = _DISK_SENTENCES.get(number) if number is not None else None
    # What stands aside is named by the place it was meant for.
    shown = Path(*(m["name"] if (m := _ASIDE.match(part)) else part for part in path.parts))
    return Problem(sentence.format(path=shown)) if sentence else None


@contextmanager
def explaining_disk(path: Path) -> Iterator[None]:
    """Turn the errors of a disk that says no into a :class:`Problem`; other errors pass."""
    try:
        yield
    except OSError as error:
        problem = disk_problem(error, path)
        if problem is None:
            raise
        raise problem from error


def write_json(path: Path, content: Any, durable: bool = True) -> None:
    """Write ``content`` as readable JSON, atomically.

    Args:
        path: the file; its folder exists.
        content: anything :mod:`json` takes; NaN is refused, because other readers would refuse it.
        durable: wait until the disk has it. Off for a status written several times a second.

    Raises:
        Problem: the disk said no. The previous file is untouched.
    """
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_bytes(path, text.encode("utf-8"), durable)


def write_bytes(path: Path, data: bytes, durable: bool = True) -> None:
    """Write a file, atomically.

    Args:
        path: the file; its folder exists.
        data: what it will hold.
        durable: wait until the disk has it.

    Raises:
        Problem: the disk said no. The previous file is untouched.
    """
    with explaining_disk(path):
        aside = _aside(path, "new")
        try:
            with aside.open("wb") as file:
                file.write(data)
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            _patiently(lambda: aside.replace(path))
        finally:
            with suppress(OSError):
                aside.unlink(missing_ok=True)
            _mine.discard(aside.name)
        if durable:
            _sync_folder(path.parent)


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Build a folder aside and put it in place at once.

    Yields an empty sibling of ``target``. On a clean exit everything in it is flushed to disk and it is
    renamed to ``target``; a previous ``target`` is moved away first and removed last, so that at every
    moment one complete version exists. On any exception the sibling is removed and ``target`` is as before.

    Raises:
        Problem: the disk said no.
    """
    with explaining_disk(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        tidy(target.parent)
        aside = _aside(target, "new")
        aside.mkdir()
        try:
            yield aside
            sync_tree(aside)
            put_in_place(aside, target)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
            _mine.discard(aside.name)


def put_in_place(ready: Path, target: Path) -> None:
    """Rename a finished folder to ``target``, a previous one being removed last."""
    old = None
    if target.exists():
        old = _aside(target, "old")
        rename(target, old)
    try:
        rename(ready, target)
    except OSError:
        if old is not None and not target.exists():
            rename(old, target)
        raise
    _sync_folder(target.parent)
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)
        _mine.discard(old.name)


def rename(path: Path, target: Path) -> None:
    """Rename a file or folder on the same disk; ``target`` does not exist."""
    _patiently(lambda: path.rename(target))


def remove_folder(folder: Path) -> None:
    """Make a folder disappear at once; its files are deleted after it has left its place."""
    if not folder.exists():
        return
    with explaining_disk(folder):
        # Named "new", not "old": a leftover of it is rubbish, never a version to bring back.
        old = _aside(folder, "new")
        rename(folder, old)
        _sync_folder(folder.parent)
        shutil.rmtree(old, ignore_errors=True)
        _mine.discard(old.name)


def tidy(parent: Path) -> None:
    """Clear what killed processes left in ``parent``: unfinished folders go, a displaced previous version
    comes back if nothing took its place. Leftovers of processes that still live, or that ran on another
    machine, are not touched."""
    try:
        found = [(path, m) for path in parent.iterdir() if (m := _ASIDE.match(path.name))]
    except OSError:
        return
    for path, match in found:
        if match["host"] != HOST:
            continue
        if _lives(int(match["pid"])) and int(match["pid"]) != os.getpid():
            continue
        if int(match["pid"]) == os.getpid() and path.name in _mine:
            continue
        target = parent / match["name"]
        with suppress(OSError):
            if match["kind"] == "old" and not target.exists():
                path.rename(target)
            elif path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    """Whether a process can still write. One that was killed and not yet reaped by its parent cannot."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def is_aside(name: str) -> bool:
    """Whether a file name is that of something unfinished or displaced, which listings skip."""
    return _ASIDE.match(name) is not None


def sync_tree(folder: Path) -> None:
    """Wait until every file under ``folder`` is on the disk."""
    mode = "r+b" if os.name == "nt" else "rb"  # Windows flushes only what is open for writing
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            with path.open(mode) as file:
                os.fsync(file.fileno())
        elif path.is_dir():
            _sync_folder(path)
    _sync_folder(folder)


_mine: set[str] = set()
"""Names that this process is working on, so that its own threads do not tidy them away."""


def _aside(path: Path, kind: str) -> Path:
    name = f".{path.name}.{os.getpid()}-{HOST}{uuid.uuid4().hex[:8]}.{kind}"
    _mine.add(name)
    return path.with_name(name)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows cannot open a folder for syncing
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network disks refuse; the rename is still atomic
            os.fsync(number)
    finally:
        os.close(number)


def _patiently(action: Callable[[], object]) -> None:
    """Windows refuses to rename what another program has open for a moment: try again for a second."""
    for _ in range(50 if os.name == "nt" else 0):
        try:
            action()
        except PermissionError:
            time.sleep(0.02)
        else:
            return
    action()
