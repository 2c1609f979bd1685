"""Timelines become tracks and control files that play alike, and take motion in."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.control_file import read_control_file
from pipelines.control_list import plain_sheet
from pipelines.timeline_control_file import timeline_from_control_file, write_control_file
from pipelines.timeline_curves import ROUGHEST
from pipelines.timeline_edits import set_keyframe
from pipelines.timeline_evaluation import evaluate_timeline
from pipelines.timeline_import import ImportSettings, base_to_keyframes, import_track
from studio.domain.controls import ControlTrack
from studio.domain.problem import Problem
from studio.domain.timeline import EASES, BaseMotion, Curve, Keyframe, Timeline
from studio.head import builtin_head
from studio.live.handles import live_handles

SHEET = plain_sheet()
HEAD = builtin_head().handles
HANDLES = live_handles(HEAD.values(), SHEET)
NAMES = ("yaw", "zoom", "jaw_open", "expression_03", "smile", "blink", "mouth_open")
DEMO = Path(__file__).resolve().parents[2] / "assets" / "demo_controls.json"


def played(line: Timeline) -> np.ndarray:
    return evaluate_timeline(line, SHEET, HANDLES).values


def column(values: np.ndarray, name: str) -> np.ndarray:
    return values[:, SHEET.names.index(name)]


def recorded(frames: int = 120, rate: Fraction = Fraction(30)) -> ControlTrack:
    values = np.tile(SHEET.neutral().values, (frames, 1))
    time = np.arange(frames) / float(rate)
    for i, control in enumerate(SHEET.controls[:30]):
        reach = 0.3 * min(control.high - control.default, control.default - control.low)
        values[:, i] += reach * np.sin(time * (1 + i / 7) + i)
    return ControlTrack(SHEET.names, values.astype(np.float32), rate)


@st.composite
def timelines(draw, eases=EASES, circles=True, base=True) -> Timeline:
    curves = {}
    length = draw(st.integers(2, 60))
    for name in draw(st.sets(st.sampled_from(NAMES))):
        frames = sorted(draw(st.sets(st.integers(0, 80), min_size=1, max_size=5)))
        keys = (Keyframe(f, draw(st.integers(-999, 999)) / 9, draw(st.sampled_from(eases))) for f in frames)
        curves[name] = Curve(tuple(keys), draw(st.sampled_from(["replace", "add"])))
    motion = None
    if base and draw(st.booleans()):
        values = np.random.default_rng(draw(st.integers(0, 99))).normal(0, 20, (20, 3)).astype(np.float32)
        motion = BaseMotion("clip", draw(st.integers(0, 30)), ("yaw", "zoom", "eyelid_left"), values)
    rate = draw(st.sampled_from([Fraction(30), Fraction(24000, 1001), Fraction(60)]))
    return Timeline(rate, length, curves, circles and draw(st.booleans()), motion)


def test_curves_move_their_controls_and_handles_add_up() -> None:
    line = set_keyframe(set_keyframe(Timeline(length=11), "yaw", 0, 0.0, "linear"), "yaw", 10, 20.0)
    line = set_keyframe(line, "smile", 0, 0.5)
    track = evaluate_timeline(line, SHEET, HANDLES)
    assert len(track) == 11
    assert track.rate == 30
    assert column(track.values, "yaw") == pytest.approx(np.arange(11) * 2.0)
    first = SHEET.names.index("expression_00")
    assert np.allclose(track.values[:, first : first + 50], 0.5 * HEAD["smile"].expression, atol=1e-6)
    some = evaluate_timeline(line, SHEET, HANDLES, frames=[7, 2])
    assert np.array_equal(some.values, track.values[[7, 2]])
    other = played(set_keyframe(line, "expression_05", 0, 1.0))
    assert np.allclose(other - track.values, np.eye(63)[first + 5], atol=1e-5)


def test_curves_replace_imported_motion_or_add_to_it() -> None:
    values = np.stack([np.arange(20), np.full(20, 1.3)], 1).astype(np.float32)
    line = Timeline(length=30, base=BaseMotion("walk", 5, ("yaw", "zoom"), values))
    yaw = column(played(line), "yaw")
    assert np.array_equal(yaw, np.clip(np.arange(30) - 5, 0, 19))
    over = played(set_keyframe(set_keyframe(line, "yaw", 0, 3.0), "zoom", 0, 1.2, mode="add"))
    assert (column(over, "yaw") == 3).all()
    assert column(over, "zoom") == pytest.approx(1.5), "neutral adds nothing: 1.3 and 0.2 over 1"


def test_what_cannot_be_followed_is_told_in_a_sentence_each() -> None:
    line = set_keyframe(Timeline(), "yaw", 0, 90.0)
    line = set_keyframe(set_keyframe(line, "jaw_open", 0, 34.0), "mouth_open", 0, 1.0)
    line = set_keyframe(line, "tail_wag", 0, 1.0)
    said: list[str] = []
    track = evaluate_timeline(line, SHEET, HANDLES, said.append)
    assert (column(track.values, "yaw") == 75).all()
    held, foreign = said[0], said[1]
    assert "yaw at 75 degrees (a keyframe asks for 90)" in held
    assert "jaw_open at 35 degrees (several curves add up to more)" in held
    assert "no control “tail_wag”" in foreign
    said.clear()
    evaluate_timeline(set_keyframe(Timeline(), "smile", 0, 0.5), SHEET, HANDLES, said.append)
    assert not said


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(timelines())
def test_the_command_line_plays_what_was_made(tmp_path: Path, line: Timeline) -> None:
    write_control_file(tmp_path / "made.json", line, SHEET, HANDLES)
    track = read_control_file(tmp_path / "made.json", SHEET, HEAD)
    assert track.rate == line.rate
    assert np.allclose(track.values, played(line), atol=2e-5)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(timelines(eases=["smooth"], circles=False, base=False))
def test_smooth_curves_come_back_as_they_were(tmp_path: Path, line: Timeline) -> None:
    path = tmp_path / "made.json"
    write_control_file(path, line, SHEET, HANDLES)
    said: list[str] = []
    back = timeline_from_control_file(path, SHEET, HANDLES, said.append)
    assert not said
    assert (back.rate, back.length) == (line.rate, line.length)
    assert np.allclose(played(back), played(line), atol=2e-5)
    for name, curve in line.curves.items():
        kept = [(k.frame, k.value) for k in back.curves[name].keyframes if k.frame or not curve.frames[0]]
        assert kept == [(k.frame, k.value) for k in curve.keyframes]


def test_control_files_are_read_as_animate_reads_them(tmp_path: Path) -> None:
    demo = tmp_path / "demo.json"
    demo.write_text(json.dumps({**json.loads(DEMO.read_text(encoding="utf-8")), "rate": 100}))
    line = timeline_from_control_file(demo, SHEET, HANDLES)
    assert np.allclose(played(line), read_control_file(demo, SHEET, HEAD).values, atol=2e-5)
    odd = tmp_path / "odd.json"
    odd.write_text(json.dumps({"rate": 10, "keyframes": [{"time": 0.26, "yaw": 5}, {"time": 1, "yaw": 6}]}))
    said: list[str] = []
    line = timeline_from_control_file(odd, SHEET, HANDLES, said.append)
    assert line.curves["yaw"].frames == (0, 3, 10)
    assert said == ["1 keyframe of odd.json lay between two frames and moved to the nearer one."]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (Timeline(length=1), "two frames"),
        (Timeline(length=3601 * 30), "3600 seconds"),
        (Timeline(rate=Fraction(500)), "frames per second"),
    ],
)
def test_what_no_control_file_may_be_is_told(tmp_path: Path, line: Timeline, says: str) -> None:
    with pytest.raises(Problem, match=says):
        write_control_file(tmp_path / "made.json", line, SHEET, HANDLES)
    assert not list(tmp_path.glob("*.json"))


def test_a_recorded_motion_comes_in_as_few_keyframes_within_tolerance() -> None:
    track = recorded()
    line = import_track(Timeline(), track, SHEET, "clip")
    assert (line.rate, line.length) == (track.rate, len(track))
    error = np.abs(played(line) - track.values).max(0)
    for control, worst in zip(SHEET.controls, error):
        assert worst <= ROUGHEST[control.kind] + 1e-4, control.name
    keyframes = sum(len(curve.keyframes) for curve in line.curves.values())
    assert keyframes < 0.25 * 30 * len(track)
    assert "expression_40" not in line.curves, "what stays neutral needs no curve"
    closer = import_track(Timeline(), track, SHEET, "clip", settings=ImportSettings(detail=4))
    assert np.abs(played(closer) - track.values).max(0)[0] <= ROUGHEST["angle"] / 4 + 1e-4


def test_a_motion_kept_frame_by_frame_is_exact_and_becomes_keyframes_later() -> None:
    track = recorded()
    begun = set_keyframe(set_keyframe(Timeline(length=200), "yaw", 50, 30.0), "yaw", 190, 5.0)
    line = import_track(begun, track, SHEET, "clip", 10, ImportSettings(keep="frames"))
    assert line.curves["yaw"].frames == (190,), "what was recorded is what is seen there"
    assert np.array_equal(played(line)[10:130, 1:], track.values[:, 1:])
    assert line.length == 200
    free = base_to_keyframes(replace(line, curves={}), SHEET)
    assert free.base is None
    error = np.abs(played(free) - played(replace(line, curves={}))).max(0)
    assert all(worst <= ROUGHEST[c.kind] + 1e-4 for c, worst in zip(SHEET.controls, error))
    adding = set_keyframe(replace(line, curves={}), "pitch", 0, 4.0, mode="add")
    summed = base_to_keyframes(adding, SHEET)
    assert np.abs(column(played(summed) - played(adding), "pitch")).max() <= ROUGHEST["angle"] + 1e-4


def test_a_part_of_a_clip_at_another_rate_keeps_its_pace() -> None:
    track = recorded(120, Fraction(60))
    begun = set_keyframe(set_keyframe(Timeline(length=30), "yaw", 0, 1.0), "yaw", 25, 2.0)
    settings = ImportSettings(keep="frames", begin=0.5, seconds=1.0, mouth=False, expression=False)
    line = import_track(begun, track, SHEET, "clip", 20, settings)
    assert line.base is not None
    assert (line.rate, line.length) == (30, 50)
    assert len(line.base.values) == 30
    assert np.array_equal(column(played(line), "pitch")[20:50], column(track.values, "pitch")[30:90:2])
    assert "jaw_open" not in line.base.names
    assert line.curves["yaw"].frames == (0,)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (ImportSettings(begin=5), "it lasts 4 seconds"),
        (ImportSettings(begin=-1), "it lasts 4 seconds"),
        (ImportSettings(seconds=0), "it lasts 4 seconds"),
        (ImportSettings(detail=0), "above 0"),
        (ImportSettings(head=False, eyes=False, mouth=False, expression=False), "Nothing is chosen"),
    ],
)
def test_an_import_of_nothing_is_told(settings: ImportSettings, says: str) -> None:
    with pytest.raises(Problem, match=says):
        import_track(Timeline(), recorded(), SHEET, "clip", 0, settings)
