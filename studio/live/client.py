"""LiveWorker: what the window holds of live rendering. It never waits and imports nothing heavy."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from studio.domain.avatar import Avatar
from studio.domain.controls import ControlSheet
from studio.domain.rendering import Layer, RenderRequest
from studio.live.handles import LiveHandle
from studio.live.messages import Draw, Drawn, Failed, Open, Opened, Release
from studio.live.pictures import LARGEST
from studio.live.process import LiveProcess, WorkerProcess

UNANSWERED = 24
"""Requests on their way at most: more would fill the pipe of a worker that hangs, and the window wait."""
GONE = "The live view's helper ended unexpectedly. Nothing is lost: start it again."


@dataclass(frozen=True, eq=False)
class LiveFrame:
    """A picture that came back."""

    image: npt.NDArray[np.uint8]
    """``[H, W, 3]`` sRGB, RGB order; the caller's own copy."""
    alpha: npt.NDArray[np.uint8] | None
    """``[H, W]`` person coverage, 255 inside; None where the engine has no notion of it."""
    ticket: int
    """The request's number."""
    request: RenderRequest
    """What was asked."""
    avatar: Avatar
    """Who drew it."""
    milliseconds: float
    """Time spent rendering."""
    asked: float
    """When it was asked for, seconds of ``time.perf_counter``."""
    arrived: float
    """When it came back, on the same clock."""


class _Stage:
    """A worker with its avatar, and how far the two have come. Guarded by the client's lock."""

    def __init__(self, avatar: Avatar, first: RenderRequest | None) -> None:
        self.avatar, self.first = avatar, first
        self.process: WorkerProcess | None = None
        self.opened: Opened | None = None
        self.asked: dict[int, float] = {}
        self.held: Draw | None = None
        self.last, self.ticket = first, 0
        self.newest: tuple[Drawn, float, float] | None = None
        self.frame: LiveFrame | None = None
        self.gone = False


class LiveWorker:
    """Live rendering of one avatar at a time, in a process that may die without harm.

    All methods are for one thread (the window's) and return at once, except ``close``, which waits until the
    worker has ended. Opening another avatar starts a second worker; the first goes on until the second has
    drawn its first frame.

    Args:
        notify: called without arguments from a thread of this object whenever something changed: a new
            frame, an avatar that took over, a problem. It must return quickly.
        pixels: of the largest picture that can be asked for.
    """

    def __init__(self, notify: Callable[[], None] = lambda: None, pixels: int = LARGEST) -> None:
        self._notify, self._pixels = notify, pixels
        self._lock = threading.RLock()
        self._tickets = self._takeovers = 0
        self._shown: _Stage | None = None
        self._coming: _Stage | None = None
        self._wanted: _Stage | None = None
        self._leaving: list[WorkerProcess] = []
        self._problem, self._report = "", ""

    def open(self, avatar: Avatar, first: RenderRequest | None = None) -> None:
        """Show this avatar as soon as it has drawn its first frame; until then the present one goes on.

        What goes wrong is told by ``problem``, and the present avatar stays.

        Args:
            avatar: who.
            first: what it draws first; None for the neutral face in its stage.
        """
        stage = _Stage(avatar, first)
        with self._lock:
            self._wanted = stage
            self._leaving = [process for process in self._leaving if process.running]
            self._dismiss(self._coming)
            self._coming, self._problem, self._report = stage, "", ""
            try:
                stage.process = WorkerProcess(self._heard, self._pixels, Open(avatar))
            except OSError as error:
                self._coming = None
                self._problem = (
                    f"The live view could not be started ({error.strerror}): close other programs."
                )
                return

    def ask(self, request: RenderRequest) -> int:
        """Ask for a frame and return its number; an equal request is no new work and keeps its number.

        Raises ValueError for a picture larger than this object was made for.
        """
        if request.view.width * request.view.height > self._pixels:
            raise ValueError(
                f"{request.view.width} x {request.view.height} is more than {self._pixels} pixels"
            )
        with self._lock:
            stage = self._shown
            if stage is None or (stage.gone and self._coming is not None):
                stage = self._coming  # it shows this first
            if stage is None:
                return self._tickets
            if request != stage.last:
                stage.last = request
                self._draw(stage, request)
            return stage.ticket

    def newest(self) -> LiveFrame | None:
        """The newest frame there is; the same object until a newer one is there. None before the first."""
        with self._lock:
            stage = self._shown
            if stage is None:
                return None
            if stage.newest is not None and stage.process is not None:
                drawn, asked, arrived = stage.newest
                view = drawn.request.view
                picture = stage.process.pictures.read(drawn.slot, view.height, view.width, drawn.alpha)
                stage.frame = LiveFrame(
                    *picture, drawn.ticket, drawn.request, stage.avatar, drawn.milliseconds, asked, arrived
                )
                stage.newest = None
                stage.process.say(Release(drawn.slot))
            return stage.frame

    @property
    def avatar(self) -> Avatar | None:
        """Who is shown; None before the first frame."""
        with self._lock:
            return self._shown.avatar if self._shown else None

    @property
    def coming(self) -> Avatar | None:
        """Who is being opened and will take over; None when nobody is."""
        with self._lock:
            return self._coming.avatar if self._coming else None

    @property
    def takeovers(self) -> int:
        """How often an avatar took over so far, be it the same one after a restart."""
        with self._lock:
            return self._takeovers

    @property
    def sheet(self) -> ControlSheet | None:
        """What can be asked of the avatar shown."""
        with self._lock:
            return self._shown.opened.sheet if self._shown and self._shown.opened else None

    @property
    def handles(self) -> tuple[LiveHandle, ...]:
        """What people ask of the avatar shown."""
        with self._lock:
            return self._shown.opened.handles if self._shown and self._shown.opened else ()

    @property
    def layers(self) -> tuple[Layer, ...]:
        """What can be seen of the avatar shown."""
        with self._lock:
            return self._shown.opened.layers if self._shown and self._shown.opened else ("picture",)

    @property
    def problem(self) -> str:
        """What went wrong since the last ``open``, one sentence; empty when nothing did."""
        with self._lock:
            return self._problem

    @property
    def report(self) -> str:
        """What somebody who looks into the problem wants to know; may be empty."""
        with self._lock:
            return self._report

    @property
    def alive(self) -> bool:
        """Whether a worker is there that draws, or will."""
        with self._lock:
            return any(stage is not None and not stage.gone for stage in (self._shown, self._coming))

    @property
    def pid(self) -> int | None:
        """Process of the avatar shown, or where that is gone, of the one that is coming."""
        with self._lock:
            stages = [s for s in (self._shown, self._coming) if s is not None and not s.gone]
            return stages[0].process.pid if stages and stages[0].process else None

    def restart(self) -> None:
        """Open the present avatar again in a fresh process, where it was."""
        with self._lock:
            stage = self._coming or self._shown or self._wanted
        if stage is not None:
            self.open(stage.avatar, stage.last or stage.first)

    def rest(self) -> None:
        """Show nobody, until somebody is opened; workers end by themselves, and close() waits for them."""
        with self._lock:
            self._leaving = [process for process in self._leaving if process.running]
            for stage in (self._shown, self._coming):
                self._dismiss(stage)
            self._shown = self._coming = self._wanted = None
            self._problem, self._report = "", ""

    def close(self) -> None:
        """End every worker and wait for it."""
        with self._lock:
            for stage in (self._shown, self._coming):
                self._dismiss(stage)
            self._shown = self._coming = self._wanted = None
            leaving, self._leaving = self._leaving, []
        for process in leaving:
            process.end()

    def _draw(self, stage: _Stage, request: RenderRequest | None) -> None:
        """Send a request, or hold the newest where that would be too many."""
        self._tickets += 1
        if stage.held is not None:
            del stage.asked[stage.held.ticket]
        stage.ticket, stage.held = self._tickets, Draw(self._tickets, request)
        stage.asked[stage.ticket] = time.perf_counter()
        self._send(stage)

    def _send(self, stage: _Stage) -> None:
        if stage.opened is None or stage.gone or len(stage.asked) > UNANSWERED:
            return
        if stage.held is not None and stage.process is not None:
            stage.process.say(stage.held)
            stage.held = None

    def _dismiss(self, stage: _Stage | None) -> None:
        """Let a worker go; it ends by itself, and close() waits for it."""
        if stage is not None and stage.process is not None:
            stage.process.dismiss()
            self._leaving.append(stage.process)
            if stage.gone:
                stage.process.pictures.close()

    def _heard(self, process: LiveProcess, message: object | None) -> None:
        """In the worker's listening thread: take in what it says."""
        with self._lock:
            stage = next((s for s in (self._shown, self._coming) if s and s.process is process), None)
            if stage is None:
                if message is None and isinstance(process, WorkerProcess):
                    process.pictures.close()
                return
            if isinstance(message, Opened):
                stage.opened = message
                if stage.held is None:
                    self._draw(stage, stage.first)
                self._send(stage)
            elif isinstance(message, Drawn):
                self._take(stage, message)
            elif isinstance(message, Failed):
                self._problem, self._report = message.sentence, message.report
                if message.ticket is None or stage is self._coming:
                    self._give_up(stage)
                else:
                    self._answered(stage, message.ticket)
            elif message is None:
                stage.gone = True
                self._problem, self._report = GONE, process.last_words()
                self._give_up(stage)
        self._notify()

    def _take(self, stage: _Stage, drawn: Drawn) -> None:
        if stage.newest is not None and stage.process is not None:
            stage.process.say(Release(stage.newest[0].slot))  # nobody looked at it in time
        asked = stage.asked.get(drawn.ticket, time.perf_counter())
        stage.newest = (drawn, asked, time.perf_counter())
        if stage is self._coming:
            self._dismiss(self._shown)
            self._shown, self._coming = stage, None
            self._takeovers += 1
        self._answered(stage, drawn.ticket)

    def _answered(self, stage: _Stage, ticket: int) -> None:
        """Everything up to this number is done with; what was held back may go."""
        stage.asked = {number: when for number, when in stage.asked.items() if number > ticket}
        self._send(stage)

    def _give_up(self, stage: _Stage) -> None:
        if stage is self._coming:
            self._dismiss(stage)
            self._coming = None
