"""Control files become tracks, or one clear sentence."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from pipelines.control_file import read_control_file
from studio.domain.controls import ControlSheet, motion_from_values
from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem
from studio.head import builtin_head
from studio.head.sheet import head_sheet

CAMERA = np.array([1000.0, 100.0, 100.0], np.float32)


@pytest.fixture(scope="module")
def sheet() -> ControlSheet:
    return head_sheet(HeadMotion.neutral(5, CAMERA), CAMERA)


def write(folder: Path, content: object) -> Path:
    path = folder / "moves.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_each_control_runs_through_its_own_keyframes(sheet: ControlSheet, tmp_path: Path) -> None:
    keys = [{"time": 0, "yaw": 0}, {"time": 1, "yaw": 20, "pitch": 5}, {"time": 2, "yaw": 0}]
    path = write(tmp_path, {"rate": "30000/1001", "ease": "linear", "keyframes": keys})
    track = read_control_file(path, sheet, builtin_head().handles)
    assert track.rate == Fraction(30000, 1001)
    assert len(track) == 60
    yaw, pitch = track.values[:, 0], track.values[:, 1]
    assert yaw[15] == pytest.approx(20 * 15 * 1001 / 30000, abs=1e-3)
    assert (pitch == 5).all()  # one keyframe holds everywhere
    assert np.array_equal(np.delete(track.values, [0, 1], 1), np.tile(sheet.neutral().values[2:], (60, 1)))


def test_smooth_curves_never_overshoot(sheet: ControlSheet, tmp_path: Path) -> None:
    keys = [{"time": t, "yaw": v} for t, v in [(0, 0), (1, 30), (1.2, 30), (3, -10), (4, -10)]]
    track = read_control_file(write(tmp_path, {"keyframes": keys}), sheet, {})
    assert track.values[:, 0].max() <= 30.0 + 1e-4
    assert track.values[:, 0].min() >= -10.0 - 1e-4
    assert track.values[30, 0] == pytest.approx(30.0, abs=1e-3)


def test_a_handle_moves_what_the_head_model_says(sheet: ControlSheet, tmp_path: Path) -> None:
    handles = builtin_head().handles
    name = next(name for name in handles if name not in sheet.names)
    path = write(tmp_path, {"seconds": 1, "keyframes": [{"time": 0, name: 0.5}]})
    track = read_control_file(path, sheet, handles)
    motion = motion_from_values(track.values, CAMERA)
    expected = handles[name].apply(HeadMotion.neutral(len(track), CAMERA), 0.5)
    assert np.allclose(motion.expression, expected.expression, atol=1e-5)
    assert np.allclose(motion.jaw, expected.jaw, atol=1e-5)
    assert np.allclose(motion.eyelids, expected.eyelids, atol=1e-5)


@pytest.mark.parametrize("name", builtin_head().handles)
def test_no_handle_is_cut_off_within_its_own_range(sheet: ControlSheet, tmp_path: Path, name: str) -> None:
    handle = builtin_head().handles[name]
    if name in sheet.names:
        return  # a control of its own, in its own unit
    path = write(tmp_path, {"seconds": 1, "keyframes": [{"time": 0, name: handle.high}]})
    motion = motion_from_values(read_control_file(path, sheet, {name: handle}).values, CAMERA)
    expected = handle.apply(HeadMotion.neutral(len(motion), CAMERA), handle.high)
    assert np.allclose(motion.expression, expected.expression, atol=1e-4)
    assert np.allclose(motion.jaw, expected.jaw, atol=1e-4)


def test_values_stay_within_the_controls_limits(sheet: ControlSheet, tmp_path: Path) -> None:
    path = write(tmp_path, {"seconds": 1, "keyframes": [{"time": 0, "yaw": 1000, "zoom": -3}]})
    track = read_control_file(path, sheet, {})
    assert (track.values[:, 0] == 75).all()
    assert (track.values[:, 5] == 0.5).all()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "not valid JSON"),
        ("[]", "not right"),
        ({"keyframes": []}, "keyframes"),
        ({"keyframes": [{"yaw": 3}]}, "time"),
        ({"keyframes": [{"time": 0, "yaaw": 3}]}, "Did you mean “yaw”"),
        ({"keyframes": [{"time": 0, "yaw": "far"}]}, "yaw"),
        ({"keyframes": [{"time": -1, "yaw": 1}]}, "time"),
        ({"rate": "0", "keyframes": [{"time": 0, "yaw": 1}]}, "frames per second"),
        ({"rate": "a/0", "keyframes": [{"time": 0, "yaw": 1}]}, "valid JSON"),
        ({"keyframes": [{"time": 1e9, "yaw": 1}]}, "time"),
        ({"frames": [], "keyframes": [{"time": 0, "yaw": 1}]}, "frames"),
    ],
)
def test_a_wrong_file_is_explained(sheet: ControlSheet, tmp_path: Path, content: object, says: str) -> None:
    with pytest.raises(Problem, match=says):
        read_control_file(write(tmp_path, content), sheet, builtin_head().handles)


def test_a_missing_file_and_a_folder_are_explained(sheet: ControlSheet, tmp_path: Path) -> None:
    with pytest.raises(Problem, match="no control file"):
        read_control_file(tmp_path / "none.json", sheet, {})
    with pytest.raises(Problem, match="cannot be read"):
        read_control_file(tmp_path, sheet, {})
