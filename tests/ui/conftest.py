"""Every window in a test: an empty or a filled home, and no thread, timer or process left behind."""

from __future__ import annotations

import gc
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import psutil
import pytest
from filelock import FileLock

QtCore = pytest.importorskip("PySide6.QtCore")

from PySide6.QtWidgets import QApplication  # noqa: E402
from pytestqt.qtbot import QtBot  # noqa: E402

from pipelines import runner  # noqa: E402
from pipelines.make_sample import SampleSettings, make_sample  # noqa: E402
from studio.project.store import Store, SubjectFolder  # noqa: E402
from ui import theme  # noqa: E402
from ui.main_window import MainWindow  # noqa: E402
from ui.session import Session  # noqa: E402

WHOSE = "Eileen"
# Dozens of workers start here: where nothing compiled is kept, each compiles thousands of modules anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of this folder needs Qt."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.qt)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is no failure: what is waited for may take a minute, and mostly takes none."""
    for wait in (QtBot.waitUntil, QtBot.waitSignal, QtBot.waitExposed):
        assert wait.__kwdefaults__ is not None
        monkeypatch.setitem(wait.__kwdefaults__, "timeout", 60_000)
    # Somebody waits for the jobs here: beside other tests, those that give way take ten times as long.
    monkeypatch.setattr(runner, "_giving_way", list)


@pytest.fixture(autouse=True, scope="module")
def kept() -> None:
    """What a file's tests find in memory outlives them all: there is no garbage to be looked for in it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Threads and child processes that a test started must be gone after it."""
    threads = set(threading.enumerate())
    children = {child.pid for child in psutil.Process().children()}
    yield
    gc.collect()
    QApplication.sendPostedEvents(None, QtCore.QEvent.Type.DeferredDelete)
    left = _settled(lambda: [t for t in threading.enumerate() if t not in threads and t.is_alive()])
    assert not left, f"threads left behind: {left}"
    processes = _settled(lambda: [c for c in psutil.Process().children() if c.pid not in children])
    assert not processes, f"processes left behind: {processes}"


def _settled(look: Callable[[], list]) -> list:
    """What is still there after a moment: the end of a thread is not its last line of Python."""
    end = time.monotonic() + 30.0
    while (found := look()) and time.monotonic() < end:
        QApplication.processEvents(QtCore.QEventLoop.ProcessEventsFlag.AllEvents, 50)
    return found


@pytest.fixture
def store(home: Path) -> Store:
    """The test's own home, empty."""
    home.mkdir(parents=True, exist_ok=True)
    return Store(home)


@pytest.fixture
def session(qapp, store: Store) -> Iterator[Session]:
    """A session without a window."""
    theme.apply(qapp, "dark")
    made = Session(store)
    yield made
    made.close()
    made.deleteLater()


@pytest.fixture
def window(qtbot, qapp, store: Store) -> Iterator[MainWindow]:
    """The real window on the test's home, shown."""
    from ui.app import open_window

    made = open_window(qapp, store)
    qtbot.addWidget(made)
    made.show()
    qtbot.waitExposed(made)
    yield made
    timers = [t for t in made.findChildren(QtCore.QTimer) if t.isActive()]
    made.close()
    running = [t for t in timers if t.isActive()]
    assert not running, f"timers that outlive the window: {running}"


@pytest.fixture(scope="session")
def filled_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one subject: a short sample clip, tracked, and its instant avatar.

    Made once for all workers of a run; copied, never used itself.
    """
    base = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        base = base.parent
    made = base / "filled"
    with FileLock(base / "filled.lock"):
        if not made.is_dir():
            _fill(base / "filling")
            (base / "filling").rename(made)
    return made / "home"


def _fill(base: Path) -> None:
    from pipelines.build_job import plan_build
    from pipelines.import_job import import_clip
    from pipelines.run import FINISHED, run_job

    base.mkdir()
    clip = base / "sample.mp4"
    make_sample(clip, SampleSettings(size=256, seconds=4.0))
    done = import_clip(Store(base / "home"), WHOSE, clip, consent="Public domain portrait")
    assert done.job is not None
    for job in (done.job, None):
        folder = job or plan_build(done.subject, done.clip, "instant").job()
        assert run_job(folder) == FINISHED, (folder / "log.txt").read_text(encoding="utf-8")[-3000:]


@pytest.fixture
def filled_store(filled_home: Path, store: Store) -> Store:
    """The test's own home with that subject in it."""
    shutil.copytree(filled_home, store.home, dirs_exist_ok=True, copy_function=_linked)
    return store


@pytest.fixture
def subject(filled_store: Store) -> SubjectFolder:
    """The subject of :func:`filled_store`."""
    return filled_store.find(WHOSE)


def _linked(source: str, target: str) -> str:
    """A link, which is as good as a copy because files are replaced and never changed; but for logs."""
    if source.endswith((".jsonl", ".txt", ".ini")):
        return str(shutil.copy2(source, target))
    os.link(source, target)
    return target


@pytest.fixture
def faceless(tmp_path: Path) -> Path:
    """A short film without anybody in it."""
    from studio.media import VideoWriter

    file = tmp_path / "second clip.mp4"
    with VideoWriter(file, 64, 64, Fraction(25)) as writer:
        for level in range(30):
            writer.write(np.full((64, 64, 3), 8 * level, np.uint8))
    return file
