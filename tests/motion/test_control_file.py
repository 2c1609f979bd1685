"""Control files become tracks, or one clear sentence."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import pipelines
from pipelines.control_file import read_control_file
from pipelines.control_names import SYNONYMS, near_names
from studio.domain.controls import ControlSheet, motion_from_values
from studio.domain.free_camera import CAMERA_NAMES, FreeCamera, camera_controls
from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem
from studio.head import builtin_head
from studio.head.sheet import head_sheet

DEMO = Path(pipelines.__file__).parents[1] / "assets" / "demo_controls.json"
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
    assert np.allclose(pitch, np.minimum(5 * np.arange(60) * 1001 / 30000, 5), atol=1e-3), "neutral at first"
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
        ({"rate": "a/0", "keyframes": [{"time": 0, "yaw": 1}]}, "frames per second, like 25 or"),
        ({"rate": True, "keyframes": [{"time": 0, "yaw": 1}]}, "not true"),
        ({"ease": "bouncy", "keyframes": [{"time": 1, "yaw": 1}]}, "ease must be smooth or linear"),
        ({"seconds": 0, "keyframes": [{"time": 1, "yaw": 1}]}, "seconds must be more than 0"),
        ({}, "keyframes"),
        ({"keyframes": [3]}, "keyframe 1 must be an object"),
        ({"keyframes": [{"time": 0}, {"yaw": 3}]}, 'keyframe 2 has no "time"'),
        ({"keyframes": [{"time": 1, "yaw": None}]}, "yaw of keyframe 1 must be a number, not null"),
        ('{"keyframes": [{"time": 1, "yaw": NaN}]}', "must be a number, not NaN"),
        ('{"keyframes": [{"time": 1, "yaw": 1' + "0" * 400 + "}]}", "must be a number"),
        ("[" * 100_000, "not valid JSON"),
        ('{"keyframes":\n [{"time" 1}]}', "line 2, column 11"),
        ({"keyframes": [{"time": 0, "yaw": 1}]}, "less than two frames"),
        ({"keyframes": [{"time": 0.04, "yaw": 1}]}, "less than two frames"),
        ({"keyframes": [{"time": 1, "Brows": 1}]}, "“brow_raise” or “brow_lower”"),
        ({"keyframes": [{"time": 1, "qqq": 1}]}, "python main.py controls"),
        ({"keyframes": [{"time": 1e9, "yaw": 1}]}, "time"),
        ({"frames": [], "keyframes": [{"time": 0, "yaw": 1}]}, "frames"),
    ],
)
def test_a_wrong_file_is_explained(sheet: ControlSheet, tmp_path: Path, content: object, says: str) -> None:
    with pytest.raises(Problem, match=says) as raised:
        read_control_file(write(tmp_path, content), sheet, builtin_head().handles)
    said = str(raised.value)
    assert "moves.json" in said
    assert "\n" not in said
    assert not any(
        word in said for word in ("pydantic", "ControlFile", "Field", "Extra", "Expecting", "literal")
    )


def test_what_is_no_text_is_told(sheet: ControlSheet, tmp_path: Path) -> None:
    path = tmp_path / "moves.json"
    path.write_bytes(b"\x00\xff\xfe\x80")
    with pytest.raises(Problem, match="is not a text file"):
        read_control_file(path, sheet, {})


def test_a_control_begins_neutral_unless_it_is_said_at_time_0(sheet: ControlSheet, tmp_path: Path) -> None:
    keys = [{"time": 0, "pitch": 8}, {"time": 1, "zoom": 2, "smile": 1}, {"time": 2, "zoom": 1.5}]
    path = write(tmp_path, {"rate": 10, "ease": "linear", "keyframes": keys})
    track = read_control_file(path, sheet, builtin_head().handles)
    zoom = track.values[:, sheet.names.index("zoom")]
    assert np.allclose(zoom, np.interp(np.arange(20) / 10, [0, 1, 2], [1, 2, 1.5]), atol=1e-5)
    assert (track.values[:, 1] == 8).all()
    first = sheet.names.index("expression_00")
    smile = builtin_head().handles["smile"].expression
    assert not track.values[0, first:].any()
    assert np.allclose(track.values[5, first : first + 50], 0.5 * smile, atol=1e-5)
    assert np.allclose(track.values[15, first : first + 50], smile, atol=1e-5)


def test_limits_and_what_the_clip_never_showed_are_told_once_each(
    sheet: ControlSheet, tmp_path: Path
) -> None:
    said: list[str] = []
    keys = [{"time": 0, "yaw": 4, "zoom": 1}, {"time": 1, "yaw": 4, "smile": 9, "zoom": 3}]
    path = write(tmp_path, {"keyframes": keys})
    track = read_control_file(path, sheet, builtin_head().handles, said.append)
    held, unseen = said
    assert held == "Held at the limit: smile at 1.5 (the file asks for 9); zoom at 2 (the file asks for 3)."
    assert "zoom 1.97 (it showed 1 to 1)" in unseen
    assert "yaw" not in unseen, "a few degrees more are not far"
    first = sheet.names.index("expression_00")
    most = 1.5 * builtin_head().handles["smile"].expression
    assert np.abs(track.values[:, first : first + 50]).max() <= np.abs(most).max() + 1e-4


def test_what_adds_up_beyond_a_limit_is_told_and_what_does_not_is_quiet(
    sheet: ControlSheet, tmp_path: Path
) -> None:
    said: list[str] = []
    path = write(tmp_path, {"seconds": 1, "keyframes": [{"time": 0, "blink": 1, "eyelid_left": 1}]})
    track = read_control_file(path, sheet, builtin_head().handles, said.append)
    assert track.values[0, sheet.names.index("eyelid_left")] == pytest.approx(1.2)
    assert "eyelid_left at 1.2 (several entries add up to more)" in said[0]
    said.clear()
    read_control_file(DEMO, sheet, builtin_head().handles, said.append)
    assert not [sentence for sentence in said if sentence.startswith("Held")]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("brow", "brow_raise"),
        ("eyebrows", "brow_raise"),
        ("mouth", "mouth_open"),
        ("jaw", "jaw_open"),
        ("eyes", "blink"),
        ("turn", "yaw"),
        ("head turn", "yaw"),
        ("Nod", "pitch"),
        ("tilt", "roll"),
        ("distance", "zoom"),
        ("Yaw", "yaw"),
        ("brow-raise", "brow_raise"),
        ("jawOpen", "jaw_open"),
        ("smiel", "smile"),
        ("eye", "blink"),
        ("eyelids", "eyelid_left"),
        ("expression_5", "expression_05"),
    ],
)
def test_everyday_words_lead_to_controls(sheet: ControlSheet, said: str, meant: str) -> None:
    assert meant in near_names(said, [*sheet.names, *builtin_head().handles])


@pytest.mark.parametrize(
    ("said", "with_camera", "without"),
    [
        ("orbit", "orbit_yaw", "yaw"),
        ("orbitYaw", "orbit_yaw", ""),
        ("camera", "dolly", ""),
        ("dolly", "dolly", "zoom"),
        ("pan", "pan_y", "move_x"),
        ("perspective", "lens", ""),
    ],
)
def test_words_of_the_camera_lead_to_it_where_there_is_one(
    sheet: ControlSheet, said: str, with_camera: str, without: str
) -> None:
    known = [*sheet.names, *builtin_head().handles]
    assert with_camera in near_names(said, [*known, *CAMERA_NAMES])
    assert not without or without in near_names(said, known)


def test_every_everyday_word_leads_somewhere(sheet: ControlSheet) -> None:
    known = {*sheet.names, *CAMERA_NAMES, *builtin_head().handles}
    assert all(set(names) <= known for names in SYNONYMS.values())


def test_the_camera_moves_where_there_is_one_and_is_explained_where_not(
    sheet: ControlSheet, tmp_path: Path
) -> None:
    path = tmp_path / "around.json"
    moves = {"orbit_yaw": 30, "lens": 7, "smile": 1}
    path.write_text(json.dumps({"ease": "linear", "keyframes": [{"time": 0}, {"time": 1, **moves}]}))
    deep, said = ControlSheet((*sheet.controls, *camera_controls())), list[str]()
    track = read_control_file(path, deep, builtin_head().handles, said.append)
    assert track.names == deep.names
    halfway = FreeCamera.from_state(track.state(15))
    assert halfway == FreeCamera(orbit_yaw=15.0, lens=0.5)
    assert ["lens at 1 (the file asks for 7)" in sentence for sentence in said] == [True]
    with pytest.raises(Problem, match=r"orbit_yaw.*leave it out"):
        read_control_file(path, sheet, builtin_head().handles)


def test_a_missing_file_and_a_folder_are_explained(sheet: ControlSheet, tmp_path: Path) -> None:
    with pytest.raises(Problem, match="no control file"):
        read_control_file(tmp_path / "none.json", sheet, {})
    with pytest.raises(Problem, match="cannot be read"):
        read_control_file(tmp_path, sheet, {})
