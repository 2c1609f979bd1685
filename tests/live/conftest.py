"""Two small avatars for all tests of this folder, and live workers that are always closed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from studio.domain.avatar import Avatar
from studio.live import LiveFrame, LiveWorker
from tests.live.small_avatars import write_avatar


@pytest.fixture(scope="session")
def avatars(tmp_path_factory: pytest.TempPathFactory) -> tuple[Avatar, Avatar]:
    folder = tmp_path_factory.mktemp("live")
    return write_avatar(folder / "one", 1), write_avatar(folder / "two", 2)


class Watched(LiveWorker):
    """A live worker whose news can be waited for."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        super().__init__(self._tell)

    def _tell(self) -> None:
        with self.changed:
            self.changed.notify_all()

    def wait(self, for_: Callable[[], bool], limit: float = 180.0) -> None:
        """Until something is the case."""
        end = time.monotonic() + limit
        with self.changed:
            while not for_():
                assert time.monotonic() < end, "waited in vain"
                self.changed.wait(0.5)

    def frame(self, ticket: int) -> LiveFrame:
        """The frame of this ticket, or of a newer one."""
        frames: list[LiveFrame] = []

        def there() -> bool:
            newest = self.newest()
            if newest is not None and newest.ticket >= ticket:
                frames.append(newest)
            return bool(frames)

        self.wait(there)
        return frames[0]


@contextmanager
def closing_worker() -> Iterator[Watched]:
    """A live worker that leaves no thread behind."""
    before = set(threading.enumerate())
    worker = Watched()
    try:
        yield worker
    finally:
        worker.close()
    assert set(threading.enumerate()) <= before


@pytest.fixture
def live() -> Iterator[Watched]:
    """A worker of the test's own."""
    with closing_worker() as worker:
        yield worker


@pytest.fixture(scope="module")
def running(avatars: tuple[Avatar, Avatar]) -> Iterator[Watched]:
    """A worker that shows the first avatar, for tests that leave it so."""
    with closing_worker() as worker:
        worker.open(avatars[0])
        worker.wait(lambda: worker.newest() is not None or bool(worker.problem))
        assert worker.problem == ""
        yield worker
