"""The player goes by the clock, whichever way and however fast."""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction

import pytest

from ui.pages.timeline_player import FASTEST, Player


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    return now


@pytest.fixture
def player(qapp, clock) -> Iterator[Player]:
    made = Player()
    made.take(Fraction(30000, 1001), 300, False)
    yield made
    made.pause()


def test_frames_follow_the_exact_rate(player: Player, clock: list[float]) -> None:
    seen: list[int] = []
    player.moved.connect(seen.append)
    player.play()
    for step in range(1, 60):
        clock[0] = 100.0 + step * 0.1
        player.look()
        assert player.frame == int(step * 0.1 * 30000 / 1001)
    assert seen == sorted(set(seen))


def test_it_ends_at_the_end_and_begins_again_from_the_start(player: Player, clock: list[float]) -> None:
    player.play()
    clock[0] += 60.0
    player.look()
    assert (player.frame, player.playing) == (299, False)
    player.play()
    assert player.frame == 0


def test_in_a_circle_it_goes_on(player: Player, clock: list[float]) -> None:
    player.take(Fraction(30), 300, True)
    player.play()
    clock[0] += 12.0
    player.look()
    assert (player.frame, player.playing) == (60, True)
    player.play(-1)
    clock[0] += 3.0
    player.look()
    assert player.frame == 270


def test_once_more_is_twice_as_fast_and_the_other_way_begins_slowly(player: Player) -> None:
    speeds = []
    for way in (1, 1, 1, 1, 1, -1, -1):
        player.faster(way)
        speeds.append(player.speed)
    assert speeds == [1, 2, 4, FASTEST, FASTEST, -1, -2]


def test_a_shorter_timeline_keeps_the_playhead_inside(player: Player, clock: list[float]) -> None:
    player.go(250)
    player.take(Fraction(30), 100, False)
    assert player.frame == 99
    player.toggle()
    assert player.playing
    player.toggle()
    assert not player.playing
