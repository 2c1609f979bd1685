"""Edits in control files and timelines: controls like any other, and a word about those that are gone."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from pipelines.control_file import STRONG, read_control_file
from pipelines.control_list import plain_sheet
from pipelines.timeline_control_file import timeline_from_control_file, write_control_file
from pipelines.timeline_evaluation import evaluate_timeline
from studio.domain.controls import ControlTrack
from studio.domain.edits import Edit, EditStack, ShapeShift
from studio.domain.problem import Problem
from studio.domain.timeline import BaseMotion, Curve, Keyframe, Timeline
from studio.head import builtin_head
from studio.live.handles import live_handles

SHAPE = ShapeShift(np.ones(3, np.float32), "builtin-1")
EDITS = EditStack(
    (
        Edit("glasses", "with glasses", "tested", SHAPE, strength=0.5, suggested=(0.0, 0.8)),
        Edit("beard", "Beard", "tested", SHAPE, strength=0.7, suggested=(0.0, 1.0), on=False),
    )
)
SHEET = EDITS.sheet(plain_sheet())
HANDLES = builtin_head().handles


def _read(folder: Path, keyframes: list[dict[str, float]], **more: object) -> tuple[ControlTrack, list[str]]:
    file = folder / "moves.json"
    file.write_text(json.dumps({"rate": 10, "ease": "linear", "keyframes": keyframes, **more}))
    said: list[str] = []
    return read_control_file(file, SHEET, HANDLES, said.append), said


def _column(track: ControlTrack, name: str) -> list[float]:
    return track.values[:, track.names.index(name)].round(5).tolist()


def test_an_edit_runs_through_its_keyframes_from_where_it_rests(tmp_path: Path) -> None:
    track, said = _read(tmp_path, [{"time": 0.2, "edit_glasses": 0.1, "edit_beard": 0.2}, {"time": 0.5}])
    assert _column(track, "edit_glasses") == pytest.approx([0.5, 0.3, 0.1, 0.1, 0.1])
    assert _column(track, "edit_beard") == pytest.approx([0.0, 0.1, 0.2, 0.2, 0.2]), "off is nothing"
    assert said == []
    track, _ = _read(tmp_path, [{"time": 0, "yaw": 3}], seconds=0.3)
    assert _column(track, "edit_glasses") == [0.5] * 3, "one that is not named shows as it rests"


def test_strengths_are_held_at_limits_and_strong_ones_are_told_apart_from_poses(tmp_path: Path) -> None:
    track, said = _read(tmp_path, [{"time": 0, "edit_glasses": 5, "edit_beard": -1}], seconds=0.3)
    assert _column(track, "edit_glasses") == [2.0] * 3
    assert said == [
        "Held at the limit: edit_glasses at 2 (the file asks for 5).",
        (f"{STRONG}: edit_glasses 2 (suggested 0 to 0.8); edit_beard -1 (suggested 0 to 1)."),
    ]


@pytest.mark.parametrize("keyframe", [{"edit_glasses": 1.9}, {"yaw": 3}])
def test_an_edit_that_rests_beyond_what_is_suggested_is_told_too(tmp_path: Path, keyframe: dict) -> None:
    file = tmp_path / "moves.json"
    file.write_text(json.dumps({"seconds": 1, "keyframes": [{"time": 0, **keyframe}]}))
    for strength, words in ((1.9, [f"{STRONG}: edit_glasses 1.9 (suggested 0 to 0.8)."]), (0.8, [])):
        bold = EDITS.changed("glasses", strength=strength)
        said: list[str] = []
        if keyframe.get("edit_glasses") and not words:
            continue
        read_control_file(file, bold.sheet(plain_sheet()), HANDLES, said.append)
        assert said == words


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("edit_glases", "did you mean “edit_glasses”?"),
        ("edit_xyz", "find it with python main.py edit, or leave"),
    ],
)
def test_an_edit_that_the_avatar_does_not_have(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(Problem) as caught:
        _read(tmp_path, [{"time": 0, name: 1.0}], seconds=1)
    assert f"names “{name}”, and this avatar has no such edit" in str(caught.value)
    assert words in str(caught.value)
    file = tmp_path / "moves.json"
    with pytest.raises(Problem, match=r"no such edit.*main.py edit"):
        read_control_file(file, plain_sheet(), HANDLES)


LINE = Timeline(
    Fraction(10),
    4,
    {
        "edit_glasses": Curve((Keyframe(0, 0.0, "linear"), Keyframe(3, 0.6))),
        "edit_gone": Curve((Keyframe(0, 1.0),)),
        "orbit_yaw": Curve((Keyframe(0, 1.0),)),
    },
)


def test_curves_of_edits_that_are_gone_are_kept_and_told() -> None:
    said: list[str] = []
    track = evaluate_timeline(LINE, SHEET, live_handles(HANDLES.values(), SHEET), said.append)
    assert _column(track, "edit_glasses") == pytest.approx([0.0, 0.2, 0.4, 0.6])
    assert said == [
        "This avatar has no control “orbit_yaw”, so nothing moves there.",
        "This avatar has no edit “edit_gone”: the curves are kept, and nothing shows of them.",
    ]
    assert "edit_gone" in LINE.curves


def test_imported_motion_leaves_edits_at_rest() -> None:
    line = Timeline(Fraction(10), 4, base=BaseMotion("walk", 0, ("yaw",), np.full((4, 1), 5.0, np.float32)))
    track = evaluate_timeline(line, SHEET, ())
    assert _column(track, "edit_glasses") == [0.5] * 4
    assert _column(track, "yaw") == [5.0] * 4


def test_a_timeline_with_edits_plays_alike_as_a_control_file(tmp_path: Path) -> None:
    file = tmp_path / "line.json"
    handles = live_handles(HANDLES.values(), SHEET)
    write_control_file(file, LINE, SHEET, handles)
    played = read_control_file(file, SHEET, HANDLES)
    expected = evaluate_timeline(LINE, SHEET, handles)
    assert np.allclose(played.values, expected.values, atol=1e-5)
    assert "edit_glasses" in timeline_from_control_file(file, SHEET, handles).curves
