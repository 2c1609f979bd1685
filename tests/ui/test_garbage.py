"""What lies in a cycle ends in the window's thread, however much a thread of the background allocates."""

from __future__ import annotations

import gc
import threading

from ui.bridge.garbage import Garbage


class Cycle:
    """As a widget whose slot is a closure over it; says on which thread it ended."""

    def __init__(self, ended: list[threading.Thread]) -> None:
        self.me = self
        self._ended = ended

    def __del__(self) -> None:
        self._ended.append(threading.current_thread())


def test_a_cycle_ends_in_the_windows_thread(session, qtbot, monkeypatch) -> None:
    ended: list[threading.Thread] = []
    first, second, third = gc.get_threshold()

    def allocate() -> int:
        kept: list[list[int]] = [[] for _ in range(first * second * third * 2)]
        return len(kept)

    done: list[int] = []
    Cycle(ended)
    session.background.run(session, allocate, done.append)
    qtbot.waitUntil(lambda: bool(done))
    assert ended in ([], [threading.main_thread()])
    gc.collect()
    assert ended == [threading.main_thread()]


def test_python_collects_again_when_the_window_is_closed() -> None:
    was = gc.isenabled()
    gc.enable()
    garbage = Garbage()
    assert not gc.isenabled()
    garbage.close()
    assert gc.isenabled()
    (gc.enable if was else gc.disable)()
