"""What the window and its live worker say to each other, one pickle after the other through two pipes.

The window says Open once, then Draw as often as it likes and Release for every picture it is done with. The
worker says Opened once, then Drawn or Failed. Both processes are ours, so pickles are fine here.
"""

from __future__ import annotations

import faulthandler
import os
import pickle
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from studio.domain.avatar import Avatar
from studio.domain.controls import ControlSheet
from studio.domain.rendering import Layer, RenderRequest
from studio.live.handles import LiveHandle


@dataclass(frozen=True)
class Open:
    """Open an avatar; the first thing said."""

    avatar: Avatar
    """Which."""


@dataclass(frozen=True)
class Draw:
    """Draw this, unless something newer is asked before you begin."""

    ticket: int
    """Number of the request, greater than all before."""
    request: RenderRequest | None
    """What to draw; None for the neutral face as the avatar's stage shows it."""


@dataclass(frozen=True)
class Release:
    """The window reads this picture no more."""

    slot: int
    """Where it lies."""


@dataclass(frozen=True)
class Opened:
    """The avatar is there."""

    sheet: ControlSheet
    """What can be asked of it."""
    handles: tuple[LiveHandle, ...]
    """What people ask of it."""
    layers: tuple[Layer, ...] = ("picture",)
    """What it can show."""


@dataclass(frozen=True)
class Drawn:
    """A picture lies in the shared memory, and the worker leaves it alone until it is released."""

    ticket: int
    """Whose."""
    request: RenderRequest
    """What was drawn."""
    slot: int
    """Where it lies."""
    alpha: bool
    """Whether the person's coverage lies behind it."""
    milliseconds: float
    """Time spent rendering."""


@dataclass(frozen=True)
class Failed:
    """Something did not work."""

    ticket: int | None
    """The request that could not be drawn; None when the avatar could not be opened."""
    sentence: str
    """For a person."""
    report: str
    """For whoever looks into it: a traceback, empty for what a person can put right."""


def channels() -> tuple[IO[bytes], IO[bytes]]:
    """In a live process: what the window says, and where to answer. What libraries print goes elsewhere."""
    with suppress(AttributeError, ValueError):  # Ctrl-C in a terminal is the window's business
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    faulthandler.enable()
    return sys.stdin.buffer, answers


def send(stream: IO[bytes], message: object) -> None:
    """Say something. Raises OSError when nobody is left to hear it."""
    stream.write(pickle.dumps(message, pickle.HIGHEST_PROTOCOL))
    stream.flush()


def receive(stream: IO[bytes]) -> object | None:
    """Wait for what is said next; None when the other side is gone."""
    try:
        return pickle.load(stream)
    except (EOFError, OSError, ValueError, pickle.UnpicklingError):  # also cut off in the middle of a word
        return None
