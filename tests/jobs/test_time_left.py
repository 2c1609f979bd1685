from __future__ import annotations

import pytest

from pipelines.time_left import TimeLeft


class _Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_steady_pace_gives_the_exact_time():
    clock = _Clock()
    left = TimeLeft(clock)
    for done in range(0, 50, 5):
        seconds = left(done, 200)
        clock.now += 1.0
    assert seconds == pytest.approx((200 - 45) / 5)


def test_the_last_half_minute_counts():
    clock = _Clock()
    left = TimeLeft(clock)
    for done in range(100):  # one a second
        left(done, 1000)
        clock.now += 1.0
    for done in range(100, 600, 10):  # then ten a second
        seconds = left(done, 1000)
        clock.now += 1.0
    assert seconds == pytest.approx((1000 - 590) / 10, rel=0.05)


def test_nothing_is_claimed_without_evidence():
    clock = _Clock()
    left = TimeLeft(clock)
    assert left(0, 10) is None
    clock.now += 5.0
    assert left(0, 10) is None
    assert left(3, None) is None
    assert left(10, 10) == 0.0


def test_a_new_count_starts_afresh():
    clock = _Clock()
    left = TimeLeft(clock)
    left(0, 10)
    clock.now += 10.0
    left(9, 10)
    clock.now += 1.0
    assert left(0, 100) is None
    clock.now += 2.0
    assert left(4, 100) == pytest.approx(96 / 2)
