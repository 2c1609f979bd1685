"""The ffmpeg program as a child process: quiet, out of Ctrl-C's way, its last words turned into sentences."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from studio.domain.problem import Problem

_FULL = ("no space left", "disk quota exceeded", "file too large", "not enough space")
ROOM = 1 << 20
"""Free bytes below which a failed write is blamed on the disk."""


def program() -> str:
    """Path of the ffmpeg program.

    Raises:
        Problem: it is not there.
    """
    import imageio_ffmpeg

    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise Problem("The video encoder is missing; reinstall the app's Python environment.") from error


class NoRoom(Problem):
    """The disk is full."""


class Encoder:
    """A running ffmpeg. Errors go to a temporary file, so that a talkative run can never block."""

    def __init__(self, arguments: Sequence[str], target: Path, takes_input: bool = False) -> None:
        """Start ffmpeg with ``arguments``; ``target`` is where it writes, for the words of a Problem."""
        self._target = target
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (lives as long as the process)
        # A session of its own: Ctrl-C in the terminal must reach this program alone, which then ends the
        # child in good order.
        try:
            self._process = subprocess.Popen(
                [program(), "-hide_banner", "-nostdin", "-loglevel", "error", "-y", *arguments],
                stdin=subprocess.PIPE if takes_input else subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                start_new_session=os.name == "posix",
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            self._errors.close()
            raise Problem(f"The video encoder cannot be started ({error.strerror}).") from error

    def feed(self, data: memoryview) -> None:
        """Hand over raw pictures; waits while the encoder is busy.

        Raises:
            Problem: the encoder has ended.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(data)
        except OSError as error:
            raise self.failure() from error

    def finish(self) -> None:
        """End the input and wait for the file.

        Raises:
            Problem: the encoder failed.
        """
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):  # the status below says why
                self._process.stdin.close()
        if self._process.wait() != 0:
            raise self.failure()
        self._errors.close()

    def stop(self) -> None:
        """End the process now, whatever it was doing."""
        if self._process.poll() is None:
            self._process.kill()
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        self._process.wait()
        self._errors.close()

    def failure(self) -> Problem:
        """The sentence for an encoder that has ended early."""
        self._process.wait()
        if self._errors.closed:
            words = ""
        else:
            self._errors.seek(0)
            words = self._errors.read()[-4000:].decode("utf-8", "replace")
        return write_failure(self._target, words)


def write_failure(target: Path, words: str) -> Problem:
    """What stopped ``target`` from being written, from what ffmpeg or the system said."""
    lower = words.lower()
    if any(phrase in lower for phrase in _FULL) or _free(target) < ROOM:
        return NoRoom(f"“{target.name}” could not be written: the disk is full; make room or choose another.")
    said = next((line.strip() for line in reversed(words.splitlines()) if line.strip()), "no reason given")
    return Problem(f"“{target.name}” could not be written: the video encoder stopped ({said}).")


def _free(target: Path) -> int:
    try:
        return shutil.disk_usage(target.parent).free
    except OSError:
        return ROOM


ASIDE = ("partial", "sound")
"""What a file beside the target may be for: the picture, and picture and sound together."""


def aside_of(target: Path, suffix: str) -> Path:
    """The hidden file beside ``target`` that is written before renaming, always of the same name."""
    # Shortened: a name near the file system's limit has no room for more.
    mark = hashlib.sha256(target.name.encode()).hexdigest()[:8]
    return target.with_name(f".{target.stem[:16]}-{mark}.{suffix}{target.suffix}")


def claim(target: Path, suffix: str) -> Path:
    """An empty hidden file beside ``target``, to write into before renaming.

    The name is fixed, so that what a killed run left behind is replaced by the next.

    Raises:
        Problem: the folder is missing, not writable or full.
    """
    if target.is_dir():
        raise Problem(f"“{target.name}” is a folder; choose a file name for the video.")
    aside = aside_of(target, suffix)
    try:
        # Another file, not the same one emptied: the encoder of a killed run may still be writing to that.
        aside.unlink(missing_ok=True)
        aside.write_bytes(b"")
    except OSError as error:
        raise _unwritable(target, error) from error
    return aside


def clear_aside(target: Path) -> None:
    """Remove what a killed run left beside ``target``, for when nobody will write there again."""
    for suffix in ASIDE:
        with contextlib.suppress(OSError):
            aside_of(target, suffix).unlink(missing_ok=True)


def _unwritable(target: Path, error: OSError) -> Problem:
    folder = target.parent
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return Problem(f"There is no folder “{folder}” to write “{target.name}” into; create it first.")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return write_failure(target, "no space left")
    return Problem(
        f"“{target.name}” may not be written into “{folder}” ({(error.strerror or str(error)).lower()}); "
        "choose another folder."
    )
