"""Timestamps to one constant rate, and which frame is shown when."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from studio.media.rates import STANDARD_RATES, choose_rate, shown_frames

MILLISECOND = Fraction(1, 1000)


@pytest.mark.parametrize("base", [Fraction(1, 600), MILLISECOND, Fraction(1, 90000)])
@pytest.mark.parametrize("rate", [rate for rate in STANDARD_RATES if rate >= 20])
def test_a_standard_rate_is_recognised_through_rounded_times(rate, base):
    stamps = [round(n / rate / base) for n in range(int(rate) * 20)]
    assert choose_rate(stamps, base) == rate


@pytest.mark.parametrize("rate", [Fraction(30000, 1001), Fraction(24000, 1001), Fraction(60000, 1001)])
def test_ten_minutes_of_ntsc_time_neither_gain_nor_lose_a_frame(rate):
    count = int(600 * rate)
    stamps = [round(n / rate / MILLISECOND) for n in range(count)]
    chosen = choose_rate(stamps, MILLISECOND)
    assert chosen == rate
    assert np.array_equal(shown_frames(stamps, MILLISECOND, chosen), np.arange(count))


def test_the_container_decides_only_where_a_short_clip_cannot():
    stamps = [0, 33, 67, 100]
    assert choose_rate(stamps, MILLISECOND, Fraction(30000, 1001)) == Fraction(30000, 1001)
    assert choose_rate(stamps, MILLISECOND, Fraction(30)) == 30
    assert choose_rate(stamps, MILLISECOND, Fraction(90000)) == 30


def test_dropped_frames_do_not_change_the_rate():
    kept = [n for n in range(600) if n % 7 and n % 11]
    stamps = [round(n * 1000 / 30) for n in kept]
    assert choose_rate(stamps, MILLISECOND, Fraction(519168, 19667)) == 30
    shown = shown_frames(stamps, MILLISECOND, Fraction(30))
    offset = kept[0]
    expected = [
        max(i for i, n in enumerate(kept) if n <= slot + offset) for slot in range(kept[-1] - offset + 1)
    ]
    assert shown.tolist() == expected


def test_times_without_rhythm_give_their_average_as_a_small_fraction():
    rng = np.random.default_rng(3)
    stamps = np.cumsum(rng.integers(20, 120, 400)).tolist()
    rate = choose_rate(stamps, MILLISECOND)
    average = Fraction(399 * 1000, stamps[-1] - stamps[0])
    assert abs(rate / average - 1) < Fraction(1, 300)
    assert rate.denominator <= 1001


def test_an_exact_odd_rate_stays_exact():
    stamps = [n * 10 for n in range(100)]
    assert choose_rate(stamps, Fraction(1, 220)) == 22


@pytest.mark.parametrize("stamps", [[], [0], [5, 5]])
def test_without_two_times_the_container_is_believed_if_sane(stamps):
    assert choose_rate(stamps, MILLISECOND, Fraction(25)) == 25
    assert choose_rate(stamps, MILLISECOND, Fraction(90000)) == 30
    assert choose_rate(stamps, MILLISECOND, None) == 30


def test_each_source_frame_goes_to_the_nearest_output_time():
    # At 10 frames/s: 0 -> 0, 140 -> 1, 160 -> 2, 190 -> 2 (replaces), 450 -> 5 (half-way goes up), 600 -> 6.
    stamps = [0, 140, 160, 190, 450, 600]
    shown = shown_frames(stamps, MILLISECOND, Fraction(10))
    assert shown.tolist() == [0, 1, 3, 3, 3, 4, 5]
    later = [stamp + 12345 for stamp in stamps]
    assert np.array_equal(shown_frames(later, MILLISECOND, Fraction(10)), shown)
