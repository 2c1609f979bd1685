"""What lies between keyframes: closed forms, and recorded motion in few keyframes."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import PchipInterpolator

from pipelines.timeline_curves import curve_values, fewest_keyframes
from studio.domain.timeline import EASES, Curve, Ease, Keyframe, Timeline

QUICK = settings(deadline=None, max_examples=40)
FRAMES = np.arange(31)


def curve(*keys) -> Curve:
    return Curve(tuple(Keyframe(*key) for key in keys))


@st.composite
def curves(draw, eases=EASES) -> Curve:
    first = draw(st.sampled_from([0, 0, 7]))
    frames = sorted({first, *draw(st.sets(st.integers(first, 60), max_size=7))})
    values = st.integers(-1000, 1000).map(lambda tenths: tenths / 10)
    return Curve(tuple(Keyframe(f, draw(values), draw(st.sampled_from(eases))) for f in frames))


@pytest.mark.parametrize(
    ("ease", "way"),
    [
        ("hold", lambda s: (s >= 1.0) * 1.0),
        ("linear", lambda s: s),
        ("smooth", lambda s: s),
        ("ease-in", lambda s: s**2),
        ("ease-out", lambda s: 1 - (1 - s) ** 2),
        ("ease-in-out", lambda s: np.where(s < 2, 3 * s**2 - 2 * s**3, 0)),
    ],
)
def test_each_ease_has_its_closed_form(ease: Ease, way) -> None:
    values = curve_values(curve((0, -5.0, ease), (20, 15.0)), FRAMES)
    assert np.allclose(values[:21], -5 + 20 * way(FRAMES[:21] / 20))
    assert (values[20:] == 15).all(), "the last value is kept"


@QUICK
@given(curves(("smooth",)))
def test_smooth_is_what_scipy_calls_pchip(c: Curve) -> None:
    if len(c.frames) > 1 and c.frames[0] == 0:
        moments = np.linspace(0, c.frames[-1], 97)
        wanted = PchipInterpolator(c.frames, [key.value for key in c.keyframes])(moments)
        assert curve_values(c, moments) == pytest.approx(wanted, abs=1e-9)


@QUICK
@given(curves(), st.integers(0, 70), st.sampled_from([None, 40]))
def test_a_moment_alone_is_as_it_is_among_all(c: Curve, frame: int, period: int | None) -> None:
    together = curve_values(c, np.arange(0, 71), period)[frame]
    assert curve_values(c, [frame], period)[0] == pytest.approx(together, abs=1e-9)


def test_before_its_first_keyframe_a_curve_rests_and_leaves_gently() -> None:
    values = curve_values(curve((10, 2.0), (20, 8.0)), np.arange(0, 21, 0.5))
    assert (values[:21] == 2).all()
    steps = np.diff(values[20:])
    assert steps[0] < 0.1 * steps.max()


@QUICK
@given(curves())
def test_a_curve_goes_through_its_keyframes_and_never_beyond_them(c: Curve) -> None:
    assert curve_values(c, c.frames) == pytest.approx([key.value for key in c.keyframes], abs=1e-9)
    values = curve_values(c, np.arange(0, 70, 0.25))
    low, high = (side(key.value for key in c.keyframes) for side in (min, max))
    assert values.min() >= low - 1e-9
    assert values.max() <= high + 1e-9


@QUICK
@given(curves(), st.integers(1, 80))
def test_in_a_circle_every_round_is_alike(c: Curve, period: int) -> None:
    moments = np.arange(-period, 2 * period, 0.5)
    values = curve_values(c, moments, period)
    assert np.allclose(values[: 2 * period], values[2 * period : 4 * period], atol=1e-8)
    within = [key for key in c.keyframes if key.frame < period]
    assert curve_values(c, [k.frame for k in within], period) == pytest.approx([k.value for k in within])


def test_a_circle_leads_from_the_last_keyframe_to_the_first_of_the_next_round() -> None:
    values = curve_values(curve((5, 0.0, "linear"), (15, 10.0, "linear")), np.arange(30), period=30)
    assert values[15:] == pytest.approx(10 - np.arange(15) * 0.5)
    assert values[:5] == pytest.approx(2.5 - np.arange(5) * 0.5)


def test_editing_one_stretch_leaves_distant_smooth_ones_alone() -> None:
    keys: list[tuple] = [(0, 0.0), (10, 5.0), (20, 3.0, "linear"), (30, 9.0, "smooth"), (40, 1.0), (50, 2.0)]
    before = curve_values(curve(*keys), np.arange(51))
    keys[-1] = (50, 80.0)
    assert np.array_equal(curve_values(curve(*keys), np.arange(30)), before[:30])


@QUICK
@given(
    st.lists(st.integers(-50, 50), min_size=1, max_size=60),
    st.floats(0.0, 20.0),
    st.integers(0, 40),
    st.sampled_from(["smooth", "linear"]),
)
def test_few_keyframes_never_miss_by_more_than_the_tolerance(values, tolerance, start, ease) -> None:
    found = fewest_keyframes(values, tolerance, start, ease)
    error = np.abs(curve_values(found, start + np.arange(len(values))) - values)
    assert error.max() <= tolerance + 1e-9
    assert found.frames[0] == start
    assert found.frames[-1] <= start + len(values) - 1


def test_what_was_made_of_few_keyframes_is_found_again_as_few() -> None:
    corners = curve((0, 0.0, "linear"), (30, 12.0, "linear"), (70, -3.0, "linear"), (120, 5.0))
    found = fewest_keyframes(curve_values(corners, np.arange(121)), 1e-6, ease="linear")
    assert found.frames == corners.frames
    wave = 20 * np.sin(np.arange(300) / 30)
    assert len(fewest_keyframes(wave, 0.5).keyframes) <= 20
    assert len(fewest_keyframes(wave, 0.05).keyframes) > len(fewest_keyframes(wave, 0.5).keyframes)
    assert fewest_keyframes(np.full(9, 3.0), 0.0).keyframes == (Keyframe(0, 3.0),)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Keyframe(-1, 0.0),
        lambda: Keyframe(0, float("nan")),
        lambda: Keyframe(0, 0.0, "bouncy"),  # type: ignore[arg-type]
        lambda: Curve(()),
        lambda: curve((5, 0.0), (5, 1.0)),
        lambda: curve((5, 0.0), (3, 1.0)),
        lambda: Curve((Keyframe(0, 0.0),), "multiply"),  # type: ignore[arg-type]
        lambda: Timeline(length=0),
        lambda: Timeline(rate=Fraction(0)),
    ],
)
def test_what_is_no_timeline_cannot_be_made(make) -> None:
    with pytest.raises(ValueError):
        make()
