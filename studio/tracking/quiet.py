"""Keeps native libraries' banners and warnings off the user's terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO


@contextmanager
def quiet() -> Iterator[None]:
    """Drop what native code writes to the standard error stream meanwhile; Python's own messages pass.

    MediaPipe, absl and TensorFlow Lite write past their own settings, whenever a network is built anew,
    so only the file descriptor stops them. ``sys.stderr`` is moved to a copy of the terminal for as long,
    which keeps tracebacks, warnings and progress bars. May be nested.
    """
    for name in ("GLOG_minloglevel", "TF_CPP_MIN_LOG_LEVEL"):
        os.environ.setdefault(name, "3")
    python_side = sys.stderr
    try:
        python_side.flush()
        kept = os.dup(2)
    except (OSError, ValueError, AttributeError):
        yield  # no standard error at all, as in a windowed program
        return
    spoken: TextIO | None = None
    try:
        if _writes_to(python_side, 2):
            spoken = open(  # noqa: SIM115 - lives until the end of this function
                os.dup(kept), "w", buffering=1, encoding=python_side.encoding, errors="backslashreplace"
            )
            sys.stderr = spoken
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        if spoken is not None:
            if sys.stderr is spoken:
                sys.stderr = python_side
            spoken.close()


def _writes_to(stream: TextIO, descriptor: int) -> bool:
    try:
        return stream.fileno() == descriptor
    except (OSError, ValueError, AttributeError):
        return False
