from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator

import pytest

from studio.tracking.ahead import ahead
from studio.tracking.quiet import quiet


def workers() -> int:
    return sum(thread.name == "ahead" for thread in threading.enumerate())


def test_ahead_gives_the_same_items_in_order_even_nested() -> None:
    assert list(ahead(n * n for n in ahead(iter(range(200)), 2))) == [n * n for n in range(200)]
    assert workers() == 0


def test_ahead_hands_over_an_error_in_its_place() -> None:
    def broken() -> Iterator[int]:
        yield 1
        yield 2
        raise OSError("disk")

    got = []
    items = ahead(broken())
    got += [next(items), next(items)]
    with pytest.raises(OSError, match="disk"):
        next(items)
    assert got == [1, 2]


def test_ahead_ends_its_thread_and_closes_its_source_when_left_early() -> None:
    closed = threading.Event()

    def endless() -> Iterator[int]:
        try:
            while True:
                yield 0
        finally:
            closed.set()

    items = ahead(endless(), 2)
    next(items)
    items.close()
    assert closed.wait(5)
    assert workers() == 0


def test_quiet_drops_native_noise_and_keeps_python(capfd: pytest.CaptureFixture[str]) -> None:
    os.write(2, b"before\n")
    with quiet(), quiet():
        os.write(2, b"native noise\n")
        print("a word of ours", file=sys.stderr)
    os.write(2, b"after\n")
    said = capfd.readouterr().err
    assert "native noise" not in said
    assert "before" in said
    assert "after" in said


def test_quiet_restores_after_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    stream = sys.stderr
    with pytest.raises(ValueError, match="x"), quiet():
        raise ValueError("x")
    assert sys.stderr is stream
    os.write(2, b"heard\n")
    assert "heard" in capfd.readouterr().err
