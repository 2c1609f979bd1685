"""Heads whose shape is known, turned and read by a tracker that makes no error of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipelines.cli import main
from pipelines.consistency_report import CELL, ViewSheet, consistency_table
from pipelines.turned_views import CAMERA, HEAD, NEUTRAL, STRONG, Filmed, Shown
from pipelines.view_consistency import (
    ConsistencyReport,
    ConsistencySettings,
    Turn,
    view_consistency,
)
from pipelines.view_shapes import carried_error, free_shape, seen_spread, spread
from studio.domain.camera import angles_from_rotation, project, rotation_from_angles
from studio.domain.controls import ControlSheet, motion_from_values
from studio.domain.free_camera import FreeCamera, camera_controls
from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem
from studio.domain.rendering import Frame, RenderRequest
from studio.domain.sequence import TrackedSequence
from studio.head import builtin_head
from studio.head.model import pose_features
from studio.head.sheet import head_sheet
from studio.project.store import Store
from studio.tracking.tracker import Face, Picture
from tests.evaluate.test_sweep import REST, STAGE, clip

MODEL = builtin_head()
NONE = np.zeros(MODEL.identities, np.float32)
BARE = np.zeros_like(MODEL.template)
EYES = 0.063
YAWS = [-40.0, -20.0, 0.0, 20.0, 40.0]
Change = Callable[[np.ndarray, float], np.ndarray]


def own_change() -> np.ndarray:
    """``[478, 3]`` a change of shape of 1 mm RMS that no move, turn or size explains."""
    points = MODEL.template - MODEL.template.mean(0)
    field = np.random.default_rng(5).normal(size=points.shape)
    rigid = [np.broadcast_to(np.eye(3)[k], points.shape) for k in range(3)]
    rigid += [np.cross(np.eye(3)[k], points) for k in range(3)]
    known = np.stack([r.reshape(-1) for r in (*rigid, points)], 1)
    flat = field.reshape(-1)
    flat = flat - known @ np.linalg.lstsq(known, flat, rcond=None)[0]
    flat = flat.reshape(points.shape)
    return 0.001 * flat / np.sqrt((flat**2).sum(-1).mean())


def seen_from(points: np.ndarray, angles: np.ndarray, camera: np.ndarray = REST) -> np.ndarray:
    """Landmarks ``[478, 3]`` that the tracker reads of points ``[478, 3]`` in head space."""
    warp = np.tensordot(pose_features(angles[None])[0], MODEL.tracker_warp, 1)
    marks = project(np.asarray(points + warp, np.float32), angles, camera)
    marks[:, 2] /= MODEL.tracker_depth
    return marks


def face_of(expression: float = 0.0) -> np.ndarray:
    motion = HeadMotion.neutral(1, REST)
    motion.expression[0, :4] = expression
    motion.jaw[0, 0] = 0.1 * expression
    return MODEL.landmarks(NONE, BARE, motion)[0]


def shapes_of(faces: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, list[float]]:
    marks = [seen_from(f, np.array([y, 4.0, -3.0], np.float32)) for f, y in zip(faces, YAWS)]
    views = [free_shape(MODEL, m) for m in marks]
    away, mean = spread(np.stack([v.shape for v in views]), EYES, MODEL)
    seen = [seen_spread(m, v.angles, mean, MODEL) for m, v in zip(marks, views)]
    return away, mean, seen


@pytest.mark.parametrize("expression", [0.0, 2.0])
def test_a_rigid_head_has_one_shape_from_every_side(expression: float):
    away, mean, seen = shapes_of([face_of(expression)] * len(YAWS))
    assert away.max() < 0.1
    assert max(seen) < 0.1
    assert np.linalg.norm(mean[473] - mean[468]) == pytest.approx(EYES, rel=1e-3)


def test_a_shape_that_changes_with_yaw_is_measured_in_millimetres():
    amounts = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    scale = EYES / np.linalg.norm(face_of()[473] - face_of()[468])
    away, _, seen = shapes_of([face_of() + a * own_change() for a in amounts])
    expected = scale * np.abs(amounts - amounts.mean())
    assert away == pytest.approx(expected, abs=0.15)
    # A picture shows two of three directions.
    assert np.array(seen) == pytest.approx(expected * np.sqrt(2 / 3), abs=0.25)


def test_what_only_the_trackers_depth_changes_is_not_seen():
    marks = []
    for amount in (0.8, 1.0, 1.2):
        one = seen_from(face_of(), np.zeros(3, np.float32))
        one[:, 2] *= amount
        marks.append(one)
    views = [free_shape(MODEL, m) for m in marks]
    away, mean = spread(np.stack([v.shape for v in views]), EYES, MODEL)
    assert away[0] > 1.0
    assert max(seen_spread(m, v.angles, mean, MODEL) for m, v in zip(marks, views)) < 0.15


def test_a_face_carried_over_by_its_mesh_is_its_neighbour():
    camera = np.array([1500.0, 128.0, 128.0], np.float32)
    marks = project(face_of(), np.zeros(3, np.float32), camera)
    moved = marks + np.array([6.0, -4.0, 0.0], np.float32)
    noise = np.random.default_rng(1).uniform(0, 255, (256, 256, 3)).astype(np.uint8)
    picture = cv2.GaussianBlur(noise, (0, 0), 3)
    other = np.roll(picture, (-4, 6), (0, 1))
    assert carried_error(picture, marks, other, moved) > 45
    still = carried_error(picture, marks, picture, moved)
    error = float(((picture.astype(float) - np.roll(picture, (4, -6), (0, 1))) ** 2).mean())
    assert still == pytest.approx(10 * np.log10(255**2 / error), abs=1.0)
    assert np.isnan(carried_error(picture, marks + 1000, other, moved + 1000))


class Stand:
    """An engine that turns a shape rigidly but for ``change``; and the tracker that reads what it drew."""

    name = "exact"
    score_names = ()

    def __init__(self, change: Change = lambda points, yaw: points, camera: bool = True) -> None:
        head = head_sheet(HeadMotion.neutral(1, REST), REST)
        self.sheet = ControlSheet((*head.controls, *camera_controls())) if camera else head
        self._drawn: list[tuple[np.ndarray | None, RenderRequest]] = []
        self._change = change

    def render(self, request: RenderRequest) -> Frame:
        motion = motion_from_values(request.state.values[None], REST)
        free = FreeCamera.from_state(request.state)
        turn = free.rotation @ rotation_from_angles(motion.angles[0])
        angles = angles_from_rotation(turn)
        points = self._change(MODEL.landmarks(NONE, BARE, motion)[0], float(angles[0]))
        known = np.isfinite(points).all()
        self._drawn.append((seen_from(points, angles) if known else None, request))
        number = len(self._drawn)
        return Frame(np.full((16, 16, 3), (number % 256, number // 256, 1), np.uint8), None, request, 1.0)

    def faces(self, picture: Picture) -> list[Face]:
        number = int(picture[0, 0, 0]) + 256 * int(picture[0, 0, 1])
        marks, request = self._drawn[number - 1]
        return [] if marks is None else [Face(request.view.placement.apply(marks))]

    def close(self) -> None:
        pass


class ByWidth:
    """Tells people apart by how wide their landmarks are beside how high."""

    name = "by width"

    def embed(self, pictures: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        size = np.ptp(landmarks[..., :2], axis=1)
        angle = size[:, 0] / size[:, 1]
        return np.stack([np.cos(angle), np.sin(angle)], -1).astype(np.float32)


def sequence() -> TrackedSequence:
    return clip()


def look(*stands: Stand, **rest: object) -> ConsistencyReport:
    film = Filmed(sequence(), np.arange(240), REST, STAGE, title="portrait")
    shown = [Shown(stand, f"engine {k}", STAGE) for k, stand in enumerate(stands)]
    return view_consistency(
        shown,
        film,
        ConsistencySettings(-40, 40, 20, 2),
        new_tracker=lambda: stands[-1],
        **rest,  # type: ignore[arg-type]
    )


def named(report: ConsistencyReport) -> dict[tuple[str, str], Turn]:
    return {(t.turned, t.face): t for t in report.turns}


def test_a_rigid_avatar_is_consistent_turned_by_its_head_and_by_the_camera():
    report = look(Stand())
    turns = named(report)
    assert set(turns) == {(way, face) for way in (HEAD, CAMERA) for face in (NEUTRAL, STRONG)}
    assert report.yaws == YAWS
    for turn in report.turns:
        assert turn.read == pytest.approx(YAWS, abs=0.3), turn
        assert np.array(turn.shape, float).max() < 0.15
        assert np.array(turn.seen, float).max() < 0.15
        assert turn.missed == 0
        assert turn.identity == [None] * 5
    assert 50 < report.eye_distance < 75
    # The clip's jaw and smile are what is strong, the same at every yaw.
    strong = report.settings["strong_frame"]
    asked = sequence().motion
    assert abs(asked.angles[strong, 0]) <= 15
    flat = look(Stand(camera=False))
    assert {t.turned for t in flat.turns} == {HEAD}


def test_an_avatar_that_changes_with_yaw_is_caught_where_it_does():
    change = own_change()
    report = look(Stand(lambda points, yaw: points + max(0.0, yaw / 10) * change))
    for turn in report.turns:
        shape = np.array(turn.shape, float)
        scale = report.eye_distance / (1000 * np.linalg.norm(face_of()[473] - face_of()[468]))
        amounts = np.array([0.0, 0.0, 0.0, 2.0, 4.0])
        assert shape == pytest.approx(scale * np.abs(amounts - amounts.mean()), abs=0.25)
        assert turn.mean(turn.shape, report.yaws, 20) == pytest.approx(shape[1:4].mean())
    assert "engine 0, camera turned, strong" in consistency_table(report)


def test_identity_is_measured_against_the_front():
    report = look(Stand(), identity=ByWidth())
    turn = report.turns[0]
    marks = [seen_from(face_of(), np.array([yaw, 0, 0], np.float32)) for yaw in YAWS]
    angles = [np.ptp(m[:, 0]) / np.ptp(m[:, 1]) for m in marks]
    expected = [1 - np.cos(a - angles[2]) for a in angles]
    assert turn.identity[2] is None
    for k in (0, 1, 3, 4):
        assert turn.identity[k] == pytest.approx(expected[k], abs=2e-3)
    assert report.off == ""


def test_a_view_without_a_face_is_counted_and_said():
    report = look(Stand(lambda points, yaw: points * (np.nan if yaw > 30 else 1.0)), off="No network.")
    turn = report.turns[0]
    assert turn.missed == 1
    assert turn.found == [True] * 4 + [False]
    assert turn.shape[4] is None
    assert np.array(turn.shape[:4], float).max() < 0.15
    said = consistency_table(report)
    assert "1 of 5" in said
    assert "engine 0, head turned, neutral: no face was found at +40°." in said
    assert "No network." in said
    plain = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert plain["turns"][0]["missed"] == 1
    nobody = look(Stand(lambda points, yaw: points * np.nan))
    json.dumps(nobody.to_json(), allow_nan=False)
    assert "5 of 5" in consistency_table(nobody)


def test_engines_stand_beside_each_other_and_beside_the_true_head():
    stand = Stand()
    asked: list[np.ndarray] = []

    def truth(frame: int, angles: np.ndarray) -> np.ndarray:
        asked.append(np.array([frame, *angles]))
        state = stand.sheet.state({"yaw": float(angles[0])})
        return stand.render(RenderRequest(state, STAGE)).image

    sheet = []
    film = Filmed(sequence(), np.arange(240), REST, STAGE, truth=truth)
    shown = [Shown(stand, name, STAGE) for name in ("one", "two")]
    report = view_consistency(
        shown,
        film,
        ConsistencySettings(-20, 20, 20, 1),
        new_tracker=lambda: stand,
        keep=lambda turn, pictures: sheet.append((turn.name, len(pictures))),
    )
    assert [t.name for t in report.turns] == ["one"] * 4 + ["two"] * 4 + ["true head"]
    assert sheet == [(t.name, 3) for t in report.turns]
    assert np.array(asked)[:, 1:] == pytest.approx(np.array([[-20, 0, 0], [0, 0, 0], [20, 0, 0]]))
    assert "the true head" in consistency_table(report)


def test_the_sheet_has_a_row_a_turn_and_a_column_a_view(tmp_path: Path):
    report = look(Stand(camera=False))
    sheet = ViewSheet(report.yaws)
    picture = np.full((64, 96, 3), (200, 40, 40), np.uint8)
    for turn in report.turns:
        sheet.add(turn, [picture, None, picture, picture, picture])
    sheet.save(tmp_path / "sheet.png")
    drawn = cv2.cvtColor(cv2.imread(str(tmp_path / "sheet.png")), cv2.COLOR_BGR2RGB)
    assert drawn.shape[1] == 5 * CELL * 96 // 64
    reds = (drawn == (200, 40, 40)).all(-1).sum()
    assert reds == len(report.turns) * 4 * CELL * CELL * 96 // 64


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        (ConsistencySettings(least=10, most=-10), "smaller to a larger"),
        (ConsistencySettings(step=0), "more than"),
        (ConsistencySettings(step=60), "At least 3 views"),
        (ConsistencySettings(looks=0), "at least once"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: ConsistencySettings, part: str):
    film = Filmed(sequence(), np.arange(240), REST, STAGE)
    with pytest.raises(Problem, match=part):
        view_consistency([], film, settings)


def test_a_clip_of_another_head_model_or_without_good_frames_is_refused():
    film = Filmed(replace(sequence(), head_model="other"), np.arange(240), REST, STAGE)
    with pytest.raises(Problem, match="import it again"):
        view_consistency([], film)
    bad = replace(sequence(), flags=np.ones(240, np.int32))
    with pytest.raises(Problem, match="no good frame"):
        view_consistency([], replace(film, sequence=bad))


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("Ann",), "has no avatar yet"),
        (("Bob",), "no subject named 'Bob'"),
        (("Ann", "--preset", "draft"), "say --engine"),
        (("Ann", "--beside", "nonsense"), "nonsense"),
        (("Ann", "--from", "50", "--to", "-50"), "smaller to a larger"),
        (("Ann", "--sheet", "views.txt"), "end in .png"),
    ],
)
def test_the_command_says_what_cannot_be(tmp_path: Path, capfd, words, part):
    Store(tmp_path).add("Ann")
    code = main(["consistency", *words, "--home", str(tmp_path)])
    said = capfd.readouterr()
    assert code == 2
    assert part in said.err
    assert "Traceback" not in said.err
