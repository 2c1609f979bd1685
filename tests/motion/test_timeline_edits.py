"""Edits of a timeline: closed forms, and that each can be taken back."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.timeline_curves import curve_values
from pipelines.timeline_edits import (
    close_circle,
    copy_keyframes,
    delete_keyframes,
    keyframes_within,
    move_keyframes,
    offset_values,
    paste_keyframes,
    reverse_keyframes,
    scale_values,
    set_ease,
    set_keyframe,
    smooth_values,
    stretch_keyframes,
)
from pipelines.timeline_rate import at_rate
from studio.domain.timeline import EASES, BaseMotion, Curve, Keyframe, Timeline


def timeline(length: int = 100, **curves: list) -> Timeline:
    made = {name: Curve(tuple(Keyframe(*key) for key in keys)) for name, keys in curves.items()}
    return Timeline(length=length, curves=made)


def keys(line: Timeline, name: str) -> list[tuple[int, float]]:
    return [(key.frame, key.value) for key in line.curves[name].keyframes]


def everything(line: Timeline) -> dict:
    return keyframes_within(line, line.curves, 0, 10**9)


@st.composite
def timelines(draw, eases=EASES) -> Timeline:
    curves = {}
    for name in draw(st.sets(st.sampled_from(["yaw", "pitch", "smile"]), min_size=1)):
        frames = sorted(draw(st.sets(st.integers(0, 90), min_size=1, max_size=6)))
        value, ease = st.integers(-50, 50).map(float), st.sampled_from(eases)
        curves[name] = Curve(tuple(Keyframe(f, draw(value), draw(ease)) for f in frames))
    return Timeline(length=100, curves=curves)


QUICK = settings(deadline=None, max_examples=40)


def test_a_keyframe_is_put_moved_and_deleted() -> None:
    line = set_keyframe(Timeline(), "yaw", 10, 5.0, "linear")
    line = set_keyframe(line, "yaw", 30, 7.0)
    assert line.curves["yaw"].keyframes[1].ease == "linear", "the ease goes on"
    line = set_keyframe(line, "yaw", 30, 9.0)
    assert keys(line, "yaw") == [(10, 5.0), (30, 9.0)]
    moved = move_keyframes(line, {"yaw": {10}}, 5, 1.5)
    assert keys(moved, "yaw") == [(15, 6.5), (30, 9.0)]
    assert keys(move_keyframes(line, everything(line), -25), "yaw") == [(0, 5.0), (20, 9.0)], (
        "start is an end"
    )
    assert keys(move_keyframes(line, {"yaw": {10}}, 20), "yaw") == [(30, 5.0)], "it takes the other's place"
    assert keys(delete_keyframes(line, {"yaw": {10}, "none": {3}}), "yaw") == [(30, 9.0)]
    assert delete_keyframes(line, everything(line)).empty
    assert keys(line, "yaw") == [(10, 5.0), (30, 9.0)], "and the one it came from is as it was"


def test_a_box_finds_what_lies_in_it() -> None:
    line = timeline(yaw=[(0, 0.0), (10, 5.0), (20, 9.0)], smile=[(10, 0.4)])
    assert keyframes_within(line, ["yaw", "smile", "none"], 10, 20) == {"yaw": {10, 20}, "smile": {10}}
    assert keyframes_within(line, ["yaw", "smile"], 0, 20, (4.0, 6.0)) == {"yaw": {10}}


def test_values_are_offset_scaled_and_smoothed() -> None:
    line = timeline(zoom=[(0, 1.0), (10, 1.5), (20, 0.5)], yaw=[(0, 4.0)])
    some = {"zoom": {10, 20}}
    assert keys(offset_values(line, some, 0.25), "zoom") == [(0, 1.0), (10, 1.75), (20, 0.75)]
    assert keys(scale_values(line, some, 2.0, {"zoom": 1.0}), "zoom") == [(0, 1.0), (10, 2.0), (20, 0.0)]
    assert keys(scale_values(line, everything(line), 0.0), "yaw") == [(0, 0.0)]
    bumpy = timeline(yaw=[(0, 0.0), (10, 10.0), (40, 4.0), (50, 9.0)])
    flat = smooth_values(bumpy, {"yaw": {0, 10, 50}}, 1.0)
    assert keys(flat, "yaw") == [(0, 0.0), (10, 1.0), (40, 4.0), (50, 9.0)]
    straight = timeline(yaw=[(0, 0.0), (10, 1.0), (40, 4.0), (50, 5.0)])
    values = [value for _, value in keys(smooth_values(straight, everything(straight)), "yaw")]
    assert values == pytest.approx([0, 1, 4, 5])


def test_another_ease_is_for_the_chosen_alone() -> None:
    line = set_ease(timeline(yaw=[(0, 0.0), (10, 5.0), (20, 9.0)]), {"yaw": {10}}, "hold")
    assert [key.ease for key in line.curves["yaw"].keyframes] == ["smooth", "hold", "smooth"]


@QUICK
@given(timelines())
def test_backwards_twice_is_as_before(line: Timeline) -> None:
    back = reverse_keyframes(line, everything(line))
    assert reverse_keyframes(back, everything(back)) == line


@QUICK
@given(timelines([ease for ease in EASES if ease != "hold"]))
def test_backwards_every_curve_runs_the_other_way(line: Timeline) -> None:
    line = set_keyframe(line, "yaw", 0, 1.0)
    line = set_keyframe(line, "yaw", 90, -2.0)
    back = reverse_keyframes(line, everything(line))
    at = np.arange(91)
    assert np.allclose(
        curve_values(back.curves["yaw"], 90 - at), curve_values(line.curves["yaw"], at), atol=1e-7
    )


def test_only_the_chosen_run_backwards() -> None:
    line = timeline(yaw=[(0, 0.0), (10, 1.0, "ease-in"), (30, 2.0, "hold"), (50, 3.0, "linear")])
    back = reverse_keyframes(line, {"yaw": {10, 30}})
    assert back.curves["yaw"].keyframes == (
        *(Keyframe(0, 0.0), Keyframe(10, 2.0, "ease-out"), Keyframe(30, 1.0, "hold")),
        Keyframe(50, 3.0, "linear"),
    )


@QUICK
@given(timelines(), st.integers(2, 4))
def test_a_stretch_by_a_whole_number_is_taken_back_by_its_inverse(line: Timeline, factor: int) -> None:
    slow = stretch_keyframes(line, everything(line), factor)
    assert stretch_keyframes(slow, everything(slow), 1 / factor).curves == line.curves


def test_a_stretch_moves_what_follows_on_its_own_curves() -> None:
    line = timeline(60, yaw=[(10, 0.0), (20, 1.0), (50, 2.0)], pitch=[(50, 9.0)])
    slow = stretch_keyframes(line, {"yaw": {10, 20}}, 3.0)
    assert keys(slow, "yaw") == [(10, 0.0), (40, 1.0), (70, 2.0)]
    assert keys(slow, "pitch") == [(50, 9.0)]
    assert slow.length == 71, "nothing is pushed off the end"


def test_copies_replace_what_lies_where_they_are_put() -> None:
    line = timeline(yaw=[(10, 1.0, "linear"), (20, 2.0), (60, 5.0), (65, 6.0)], smile=[(15, 0.5)])
    copied = copy_keyframes(line, {"yaw": {10, 20}, "smile": {15}})
    assert copied is not None
    assert copied.span == 10
    put = paste_keyframes(line, copied, 58)
    assert keys(put, "yaw") == [(10, 1.0), (20, 2.0), (58, 1.0), (68, 2.0)]
    assert put.curves["yaw"].keyframes[2].ease == "linear"
    assert keys(put, "smile") == [(15, 0.5), (63, 0.5)]
    one = copy_keyframes(line, {"yaw": {10, 20}})
    assert one is not None
    assert keys(paste_keyframes(line, one, 0, onto="pitch"), "pitch") == [(0, 1.0), (10, 2.0)]
    with pytest.raises(KeyError):
        paste_keyframes(line, copied, 0, onto="pitch")
    assert copy_keyframes(line, {"yaw": {11}}) is None


@QUICK
@given(timelines(), st.integers(2, 60))
def test_a_circle_has_no_seam(line: Timeline, blend: int) -> None:
    """The step from the last frame to the first is no larger than the way back takes in a frame at most."""
    circle = close_circle(line, blend)
    assert circle.loop
    for name, before in line.curves.items():
        begin = 100 - blend
        values = curve_values(circle.curves[name], np.arange(100), 100)
        if before.frames[0] < begin:
            way = abs(values[begin] - values[0])
            assert values[begin] == pytest.approx(float(curve_values(before, [begin])[0]), abs=1e-6)
            steps = np.diff(np.append(values[begin:], values[0]))
            first = circle.curves[name].keyframes[0]
            if first.frame == 0:
                assert abs(steps).max() <= 3.01 * way / blend + 1e-6
                assert abs(steps.sum()) == pytest.approx(way)


def test_imported_motion_closes_at_its_own_speed() -> None:
    ramp = np.linspace(0, 99, 100, dtype=np.float32)[:, None]
    line = Timeline(length=100, base=BaseMotion("walk", 0, ("yaw",), ramp))
    base = close_circle(line, 40).base
    assert base is not None
    assert np.array_equal(base.values[:60], ramp[:60])
    assert base.values[99, 0] == pytest.approx(-1.0), "one step before the first frame"
    assert np.abs(np.diff(base.values[:, 0])).max() < 5, "and no jump on the way"


@pytest.mark.parametrize("blend", [0, 100, -3])
def test_a_blend_lies_within_the_timeline(blend: int) -> None:
    with pytest.raises(ValueError):
        close_circle(timeline(yaw=[(0, 1.0)]), blend)


def test_at_another_rate_everything_keeps_its_moment() -> None:
    ramp = np.arange(60, dtype=np.float32)[:, None]
    line = timeline(60, yaw=[(0, 0.0), (15, 3.0), (16, 4.0), (58, 1.0)])
    line = replace(line, base=BaseMotion("walk", 30, ("pitch",), ramp))
    fast = at_rate(line, Fraction(60))
    assert fast.seconds == line.seconds
    assert keys(fast, "yaw") == [(0, 0.0), (30, 3.0), (32, 4.0), (116, 1.0)]
    assert fast.base is not None
    assert fast.base.start == 60
    assert np.allclose(fast.base.values[:-1, 0], np.arange(119) / 2)
    assert at_rate(fast, Fraction(30)).curves == line.curves
    slow = at_rate(line, Fraction(10))
    assert keys(slow, "yaw") == [(0, 0.0), (5, 4.0), (19, 1.0)]
    assert slow.base is not None
    assert np.array_equal(slow.base.values[:, 0], np.arange(0, 60, 3))
