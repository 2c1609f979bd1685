"""Work that must not hold up the window: run on a thread, its result handed back in the window's own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from PySide6.QtCore import QObject, Qt, Signal
from shiboken6 import isValid

from studio.domain.problem import Problem
from studio.domain.progress import Interrupted

T = TypeVar("T")
EVERY = 0.05
"""Seconds between two reports that reach the window: work may report a million times."""
log = logging.getLogger(__name__)


class Ticket(QObject):
    """One piece of work under way. Lives in the window's thread, and so do its signals.

    Attributes:
        progressed: (done, total or -1, what).
        ended: always the last, whatever became of it.
    """

    progressed = Signal(int, int, str)
    ended = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._given_up = threading.Event()

    def cancel(self) -> None:
        """Its result is not wanted any more; work that reports progress ends at its next report."""
        self._given_up.set()

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for it."""
        return self._given_up.is_set()


@dataclass(frozen=True)
class _Order:
    """What the window keeps of a piece of work."""

    ticket: Ticket
    owner: QObject
    done: Callable[[Any], object]
    failed: Callable[[Exception], object] | None


class Background(QObject):
    """A few threads for reading files and short calculations; long ones are jobs.

    Threads know orders by number and emit signals of this object alone, which outlives them: nothing of Qt
    is made or deleted outside of the window's thread.

    Attributes:
        defect: an error from work that named nobody to tell.
    """

    defect = Signal(object)
    _settled = Signal(int, object, object)
    _reported = Signal(int, int, int, str)

    def __init__(self, parent: QObject | None = None, threads: int = 2) -> None:
        super().__init__(parent)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="background")
        self._orders: dict[int, _Order] = {}
        self._count = 0
        self._settled.connect(self._settle, Qt.ConnectionType.QueuedConnection)
        self._reported.connect(self._report, Qt.ConnectionType.QueuedConnection)

    def run(
        self,
        owner: QObject,
        work: Callable[..., T],
        done: Callable[[T], object],
        failed: Callable[[Exception], object] | None = None,
        progress: bool = False,
    ) -> Ticket:
        """Start ``work`` on a thread.

        Args:
            owner: when it is gone, the result is dropped.
            work: takes nothing, or with ``progress`` a Progress; touches no widget.
            done: given the result, in the window's thread.
            failed: given a Problem, or the defect; without it they go to :attr:`defect`.
            progress: whether work takes a Progress.
        """
        self._count += 1
        number, ticket = self._count, Ticket(self)
        self._orders[number] = _Order(ticket, owner, done, failed)
        self._pool.submit(self._do, number, ticket._given_up, work, progress)
        return ticket

    @property
    def busy(self) -> int:
        """Pieces of work that have not handed back their result."""
        return len(self._orders)

    def close(self) -> None:
        """Give up what runs and wait for it."""
        for order in self._orders.values():
            order.ticket.cancel()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._orders.clear()

    def _do(self, number: int, given_up: threading.Event, work: Callable[..., Any], progress: bool) -> None:
        """On a thread."""
        result: Any = None
        error: Exception | None = None
        told = 0.0

        def report(done: int, total: int | None, what: str) -> None:
            nonlocal told
            if given_up.is_set():
                raise Interrupted
            now = time.monotonic()
            if now - told > EVERY or done == total:
                told = now
                self._reported.emit(number, done, -1 if total is None else total, what)

        try:
            if given_up.is_set():
                raise Interrupted
            result = work(report) if progress else work()
        except Exception as caught:
            error = caught
            if not isinstance(caught, Problem | Interrupted):
                log.exception("Work in the background failed")
        self._settled.emit(number, result, error)

    def _report(self, number: int, done: int, total: int, what: str) -> None:
        order = self._orders.get(number)
        if order is not None:
            order.ticket.progressed.emit(done, total, what)

    def _settle(self, number: int, result: Any, error: Any) -> None:
        order = self._orders.pop(number, None)
        if order is None:
            return
        wanted = not order.ticket.cancelled and isValid(order.owner)
        try:
            if wanted and error is None:
                order.done(result)
            elif wanted and not isinstance(error, Interrupted):
                (order.failed or self.defect.emit)(error)
        finally:
            order.ticket.ended.emit()
            order.ticket.deleteLater()
