"""The live picture: Qt's side of :class:`studio.live.LiveWorker`."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, Signal

from studio.domain.avatar import Avatar
from studio.domain.camera import View
from studio.domain.controls import ControlSheet
from studio.domain.edits import Edit, EditStack
from studio.domain.rendering import Layer, RenderRequest
from studio.live import LiveFrame, LiveHandle, LiveMeter, LiveWorker

if TYPE_CHECKING:
    from ui.session import Session

PATIENCE = 20.0
"""Seconds: a worker that dies again so soon after a restart is not started by itself."""


def stage_at(avatar: Avatar, side: int) -> View:
    """The avatar's stage with ``side`` pixels along its longer edge."""
    stage = avatar.stage
    factor = side / max(stage.width, stage.height)
    return View(stage.placement.scaled(factor), round(stage.width * factor), round(stage.height * factor))


def same_work(one: Avatar, other: Avatar) -> bool:
    """Whether a worker that has opened the one can draw the other: strengths are asked for with every
    picture, so that only what edits do, and in which order, must be the same."""
    if replace(one, edits=EditStack()) != replace(other, edits=EditStack()):
        return False
    edits, others = one.edits.edits, other.edits.edits
    return len(edits) == len(others) and all(map(_same_work, edits, others))


def rested(sheet: ControlSheet, edits: EditStack) -> ControlSheet:
    """A worker's sheet with edits called and at rest as they are by now."""
    now = {edit.control_name: edit.control for edit in edits.edits}
    return ControlSheet(tuple(now.get(control.name, control) for control in sheet.controls))


class Live(QObject):
    """Shows the session's avatar with its edits. Everything here returns at once.

    Attributes:
        arrived: there is a newer :attr:`frame`.
        took_over: another avatar is shown, with its own sheet and handles; or the same one after a restart.
        rests_changed: the same avatar is shown, but its edits have other names or strengths: the sheet has
            other labels and defaults.
        stopped: the worker is gone and was not started again; the banner has been told.
    """

    arrived = Signal()
    took_over = Signal()
    rests_changed = Signal()
    stopped = Signal()
    _news = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self.meter = LiveMeter()
        self.frame: LiveFrame | None = None
        self._shown: Avatar | None = None
        self._sheet: tuple[ControlSheet, ControlSheet] | None = None
        self._takeovers = 0
        self._last: RenderRequest | None = None
        self._told = ""
        self._restarted = -math.inf
        self._news.connect(self._hear, Qt.ConnectionType.QueuedConnection)
        self.worker = LiveWorker(self._news.emit)
        session.avatar_changed.connect(self._follow)
        session.edits.changed.connect(self._follow)
        self._follow()

    @property
    def avatar(self) -> Avatar | None:
        """Who is shown; None before the first frame."""
        return self._shown

    @property
    def coming(self) -> Avatar | None:
        """Who is being opened and will take over."""
        return self.worker.coming

    @property
    def sheet(self) -> ControlSheet | None:
        """What can be asked of the avatar shown."""
        drawn = self.worker.sheet
        if drawn is None or self._shown is None or not len(self._shown.edits):
            return drawn
        now = rested(drawn, self._shown.edits)
        if self._sheet != (drawn, now):
            self._sheet = (drawn, now)
        return self._sheet[1]

    @property
    def handles(self) -> tuple[LiveHandle, ...]:
        """What people ask of the avatar shown."""
        return self.worker.handles

    @property
    def layers(self) -> tuple[Layer, ...]:
        """What can be seen of the avatar shown."""
        return self.worker.layers

    def ask(self, request: RenderRequest) -> int:
        """Ask for a frame; the newest request wins. Returns its number."""
        self._last = request
        ticket = self.worker.ask(request)
        self.meter.asked(ticket, time.perf_counter())
        return ticket

    def ask_again(self) -> int:
        """The number of what was asked last; it is no new work."""
        return 0 if self._last is None else self.worker.ask(self._last)

    def painted(self, ticket: int) -> None:
        """The frame of this ticket is on the screen for the first time."""
        self.meter.shown(ticket, time.perf_counter())

    def restart(self) -> None:
        """Start the worker again, where it was."""
        self._restarted, self._told = time.monotonic(), ""
        self.worker.restart()

    def close(self) -> None:
        """End the worker and wait for it."""
        self.worker.close()

    def _follow(self) -> None:
        """The session's avatar, if it is another one than is shown or coming."""
        avatar = self._session.avatar
        if avatar is None or not self._session.edits.known:
            return
        there = self.worker.coming or self.worker.avatar
        if there is not None and same_work(avatar, there):
            self._wear(avatar)
            return
        same = self._shown is not None and _clip(avatar) == _clip(self._shown)
        self._told = ""
        self.worker.open(avatar, self._last if same else None)

    def _wear(self, avatar: Avatar) -> None:
        """The avatar shown, if this is it, has other strengths."""
        shown = self._shown
        if shown is not None and shown != avatar and same_work(avatar, shown):
            self._shown = avatar
            self.rests_changed.emit()

    def _hear(self) -> None:
        worker = self.worker
        frame = worker.newest()
        takeovers, shown = worker.takeovers, worker.avatar
        if takeovers != self._takeovers:
            wanted = self._session.avatar
            if shown is not None and wanted is not None and same_work(wanted, shown):
                shown = wanted
            self._takeovers, self._shown = takeovers, shown
            self.meter.clear()
            self.took_over.emit()
        if frame is not None and frame is not self.frame:
            self.frame = frame
            self.arrived.emit()
        problem = worker.problem
        if problem and problem != self._told:
            self._told = problem
            self._trouble(problem)

    def _trouble(self, problem: str) -> None:
        from ui.session import Failure

        if not self.worker.alive and time.monotonic() - self._restarted > PATIENCE and self._shown:
            self._session.said.emit(self.tr("The live picture ended unexpectedly and was started again."))
            self.restart()
            return
        what = self.tr("The live picture could not go on")
        if self.worker.alive:
            what = self.tr("The avatar could not be shown")
        safe = self.tr("Your avatars, poses and timelines are safe.")
        self._session.failed.emit(Failure(what, problem, safe, self.worker.report))
        if not self.worker.alive:
            self.stopped.emit()


def _same_work(one: Edit, other: Edit) -> bool:
    """Whether a worker draws two edits alike; what they are called and where they rest it need not know."""
    if (one.name, one.limits, one.suggested) != (other.name, other.limits, other.suggested):
        return False
    # Effects may be large, and mostly are the very same object.
    return one.effect is other.effect or _bare(one) == _bare(other)


def _bare(edit: Edit) -> Edit:
    return replace(edit, title="", method="", strength=0.0, on=True, found={})


def _clip(avatar: Avatar) -> object:
    """What an avatar was built from: its stage is a place in that clip's pictures."""
    return avatar.subject, avatar.lineage.get("inputs", {}).get("clip")
