"""Sweeps of engines whose faults are known, read by a tracker that makes none."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipelines.cli import main
from pipelines.sweep_avatar import Sweep, SweepReport, SweepSettings, Swept, sweep_avatar
from pipelines.sweep_report import CELL, COLUMNS, SweepPicture, sweep_table
from studio.domain.camera import Similarity, View, project
from studio.domain.controls import HEAD_NAMES, Control, ControlSheet, motion_from_values, track_from_motion
from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem
from studio.domain.rendering import Frame, RenderRequest
from studio.domain.sequence import Flag, TrackedSequence
from studio.head import builtin_head
from studio.head.model import pose_features
from studio.tracking.tracker import Face, Picture

FRAMES = 240
REST = np.array([900.0, 160.0, 136.0], np.float32)
STAGE = View(Similarity(0.5, 0.0, 7.0, -4.0), 16, 16)
SMILE, COUPLED = 1, 0
"""Coefficient that moves by itself, and one that only goes along with yaw, farther."""
HEAD = builtin_head()
EXPRESSION = HEAD_NAMES.index("expression_00")
Change = Callable[[np.ndarray], np.ndarray]


def clip() -> TrackedSequence:
    """Yaw, pitch, jaw and a smile that move independently of each other, and a coefficient tied to yaw."""
    time = np.arange(FRAMES) / FRAMES * 2 * np.pi
    motion = HeadMotion.neutral(FRAMES, REST)
    motion.angles[:, 0] = 12 * np.sin(3 * time)
    motion.angles[:, 1] = 8 * np.sin(5 * time)
    motion.jaw[:, 0] = np.deg2rad(6 + 5 * np.sin(7 * time))
    motion.expression[:, SMILE] = np.sin(11 * time)
    motion.expression[:, COUPLED] = 2 * np.sin(3 * time)
    landmarks = np.zeros((FRAMES, 478, 3), np.float32)
    boxes = np.tile(np.array([0.01, 0, 0, 0], np.float32), (FRAMES, 1))
    return TrackedSequence(
        width=320,
        height=272,
        rate=Fraction(25),
        landmarks=landmarks,
        crops=boxes,
        mask_boxes=boxes,
        flags=np.zeros(FRAMES, np.int32),
        sharpness=np.ones(FRAMES, np.float32),
        head_model=HEAD.id,
        identity=np.zeros(HEAD.identities, np.float32),
        offset=np.zeros_like(HEAD.template),
        motion=motion,
        fit_error=np.zeros(FRAMES, np.float32),
        tracker="test",
    )


class Stand:
    """An engine that draws what it is asked for, changed; and a tracker that reads its drawings exactly.

    A drawing holds nothing but a number, by which the tracker finds what was drawn and where.
    """

    name = "exact"
    score_names = ()

    def __init__(self, change: Change = lambda v: v, without: tuple[str, ...] = ()) -> None:
        self.sheet = ControlSheet(
            tuple(
                Control(n, n, "amount", "Head", -1e6, 1e6, float(n == "zoom"))
                for n in reversed(HEAD_NAMES)
                if n not in without
            )
        )
        self.asked: list[np.ndarray] = []
        self._drawn: list[tuple[np.ndarray, View]] = []
        self._change = change

    def render(self, request: RenderRequest) -> Frame:
        state = dict(zip(request.state.names, request.state.values))
        values = np.array([state.get(n, float(n == "zoom")) for n in HEAD_NAMES], np.float32)
        self.asked.append(values)
        self._drawn.append((self._change(values.copy()), request.view))
        image = np.zeros((request.view.height, request.view.width, 3), np.uint8)
        image[0, 0] = len(self._drawn) % 256, len(self._drawn) // 256, 1
        return Frame(image, None, request, 1.0)

    def faces(self, picture: Picture) -> list[Face]:
        number = int(picture[0, 0, 0]) + 256 * int(picture[0, 0, 1])
        values, view = self._drawn[number - 1]
        if not np.isfinite(values).all():
            return []
        motion = motion_from_values(values[None], REST)
        points = HEAD.landmarks(np.zeros(HEAD.identities, np.float32), np.zeros_like(HEAD.template), motion)
        points = points + np.tensordot(pose_features(motion.angles), HEAD.tracker_warp, 1)
        seen = project(points, motion.angles, motion.camera)[0]
        seen[:, 2] /= HEAD.tracker_depth
        return [Face(view.placement.apply(seen))]

    def close(self) -> None:
        pass


def sweep(stand: Stand, sequence: TrackedSequence | None = None, **settings: int) -> SweepReport:
    swept = Swept(stand, "known", REST, sequence or clip(), np.arange(FRAMES), STAGE, "portrait")
    chosen = SweepSettings(**{"steps": 9, "looks": 2, "directions": 1, **settings})
    return sweep_avatar(swept, chosen, new_tracker=lambda: stand)


def by_name(report: SweepReport) -> dict[str, Sweep]:
    return {s.name: s for s in report.sweeps}


def test_an_engine_that_does_what_it_is_asked_is_said_to():
    report = sweep(Stand())
    assert [s.name for s in report.sweeps] == ["yaw", "pitch", "jaw_open", "expression direction 1"]
    for found in report.sweeps:
        assert found.correlation > 0.999, found.name
        assert found.gain == pytest.approx(1.0, abs=0.12), found.name
        assert found.worst_leak[1] < 0.03, found.name
        assert found.reached, found.name
    assert max(report.still.values()) < 0.01
    # 5th and 95th percentile of a sine.
    reach = 12 * np.sin(np.pi / 2 * 0.9)
    assert by_name(report)["yaw"].asked == pytest.approx(np.linspace(-reach, reach, 9), abs=0.2)


def test_gain_and_leak_are_what_the_engine_was_made_to_have():
    def change(values: np.ndarray) -> np.ndarray:
        yaw = values[0]
        values[0] *= 0.5
        values[HEAD_NAMES.index("jaw_open")] += 0.2 * yaw
        values[1] += 0.6 * values[HEAD_NAMES.index("jaw_open")]
        return values

    found = by_name(sweep(Stand(change)))
    sine = np.sin(np.pi / 2 * 0.9)
    yaw, jaw = found["yaw"], found["jaw_open"]
    assert yaw.gain == pytest.approx(0.5, abs=0.02)
    assert yaw.correlation > 0.999
    # A straight sweep's 5th to 95th percentile is nine tenths of it.
    assert yaw.leak["jaw_open"] == pytest.approx(0.9 * 0.2 * 2 * 12 * sine / (2 * 5 * sine), rel=0.1)
    assert jaw.leak["pitch"] == pytest.approx(0.9 * 0.6 * 5 / 8, rel=0.1)
    assert jaw.leak["yaw"] < 0.02
    assert set(jaw.leak) == {"yaw", "pitch"}
    assert yaw.worst_leak[0] == "jaw_open"
    assert not yaw.reached
    assert not jaw.reached
    assert set(yaw.leak) == {"jaw_open", "expression direction 1"}


def test_an_expression_that_only_goes_along_with_yaw_is_no_direction():
    stand = Stand()
    report = sweep(stand)
    drawn = np.array(stand.asked)[:, EXPRESSION:].reshape(5, 9, 2, 50)[:, :, 0]
    moved = np.ptp(drawn[3], axis=0)  # the fourth sweep is the direction's
    assert moved[SMILE] > 1.5
    assert moved[COUPLED] < 0.1
    # While it is swept nothing else moves, and the expression stands still in all other sweeps.
    others = np.delete(np.array(stand.asked).reshape(5, 9, 2, -1)[3, :, 0], np.arange(EXPRESSION, 63), 1)
    assert np.ptp(others, axis=0).max() == 0
    assert np.ptp(drawn[:3], axis=1).max() == 0
    assert report.sweeps[3].unit == "mm"
    # A coefficient of one standard deviation moves the landmarks by its basis' root mean square.
    basis = HEAD.pick_landmarks(HEAD.expression_basis)[SMILE]
    rms = 1000 * np.sqrt((basis**2).sum(-1).mean())
    asked = report.sweeps[3].asked
    assert asked[-1] - asked[0] == pytest.approx(rms * moved[SMILE], rel=0.05)


def test_what_goes_along_in_the_clip_is_reported_and_explains_no_more_than_it_does():
    sequence = clip()
    # In this clip the jaw opens with yaw, and so it does in the engine, which opens it with pitch as well.
    sequence.motion.jaw[:, 0] += np.deg2rad(0.3 * sequence.motion.angles[:, 0])

    def change(values: np.ndarray) -> np.ndarray:
        values[HEAD_NAMES.index("jaw_open")] += 0.3 * values[0] + 0.5 * values[1]
        return values

    found = by_name(sweep(Stand(change), sequence))
    yaw, pitch = found["yaw"], found["pitch"]
    assert yaw.leak["jaw_open"] > 0.3
    assert yaw.clip_leak["jaw_open"] == pytest.approx(yaw.leak["jaw_open"], rel=0.1)
    assert yaw.beyond_clip["jaw_open"] < 0.03
    assert not yaw.reached
    assert pitch.clip_leak["jaw_open"] < 0.05
    assert pitch.beyond_clip["jaw_open"] == pytest.approx(pitch.leak["jaw_open"], rel=0.1)


def true_head(stand: Stand, sequence: TrackedSequence, misread: Change):
    """Turns any frame's true face, as ``Swept.truth`` wants it; and the list of what it was asked to show."""
    shown: list[np.ndarray] = []

    def truth(frame: int, angles: np.ndarray) -> np.ndarray:
        values = track_from_motion(sequence.motion, REST, sequence.rate).values[frame].copy()
        values[:3] = angles
        shown.append(values.copy())
        stand._drawn.append((misread(values), STAGE))
        number = len(stand._drawn)
        return np.full((272, 320, 3), (number % 256, number // 256, 1), np.uint8)

    return truth, shown


def test_with_a_truth_the_trackers_part_of_a_leak_is_not_the_avatars():
    jaw, turn = HEAD_NAMES.index("jaw_open"), 0

    def misread(values: np.ndarray) -> np.ndarray:
        values[jaw] += 0.4 * values[turn]  # the tracker's: of everything that is shown
        return values

    def change(values: np.ndarray) -> np.ndarray:
        values[jaw] += 0.1 * values[turn]  # the avatar's own
        return misread(values)

    stand, sequence = Stand(change), clip()
    truth, shown = true_head(stand, sequence, misread)
    swept = Swept(stand, "known", REST, sequence, np.arange(FRAMES), STAGE, "portrait", truth=truth)
    report = sweep_avatar(swept, SweepSettings(9, 2, 1), new_tracker=lambda: stand)
    found = by_name(report)
    yaw = found["yaw"]
    assert yaw.rigid_leak["jaw_open"] == pytest.approx(0.8 * yaw.leak["jaw_open"], rel=0.05)
    assert yaw.beyond_rigid["jaw_open"] == pytest.approx(0.2 * yaw.leak["jaw_open"], rel=0.2)
    assert yaw.judged_leak < yaw.worst_leak[1]
    assert found["jaw_open"].beyond_rigid == {}
    # Both show the same face, and the truth's stands still.
    moved = np.array(shown[:9])
    assert np.ptp(moved[:, 3:], axis=0).max() == 0
    assert moved[:, 0] == pytest.approx(yaw.asked, abs=1e-4)
    assert yaw.beyond_flat["jaw_open"] == pytest.approx(yaw.beyond_rigid["jaw_open"], abs=0.03)
    # Every moment's face is misread alike: the judging adds nothing.
    assert len(yaw.other_truths["jaw_open"]) == 5
    assert max(yaw.other_truths["jaw_open"]) < 0.02
    assert found["jaw_open"].other_truths == {}
    assert "true head" in sweep_table(report)


def test_a_bias_that_depends_on_the_face_is_told_by_turning_other_moments_faces():
    jaw, smile = HEAD_NAMES.index("jaw_open"), EXPRESSION + SMILE

    def misread(values: np.ndarray) -> np.ndarray:
        values[jaw] += 0.3 * values[smile] * values[0]
        return values

    sequence = clip()
    typical = sequence.motion.expression[:, SMILE]
    stand = Stand(misread)
    truth, shown = true_head(stand, sequence, misread)
    swept = Swept(stand, "known", REST, sequence, np.arange(FRAMES), STAGE, "portrait", truth=truth)
    report = sweep_avatar(swept, SweepSettings(9, 1, 1, moments=3), new_tracker=lambda: stand)
    yaw = by_name(report)["yaw"]
    # The avatar shows the true face, so it leaks nothing; three true faces of other moments seem to.
    assert yaw.beyond_rigid["jaw_open"] < 0.02
    smiles = np.array(shown[: 4 * 9]).reshape(4, 9, -1)[:, 0, smile]
    assert all(np.abs(typical - s).min() < 1e-5 for s in smiles)
    sine = np.sin(np.pi / 2 * 0.9)
    same, first = np.sign(smiles) == np.sign(smiles[0]), np.abs(smiles[0])
    # What no share between none and all of the typical face's bias explains.
    left = np.where(same, np.maximum(np.abs(smiles) - first, 0), np.abs(smiles))[1:]
    expected = 0.9 * 0.3 * left * 2 * 12 * sine / (2 * 5 * sine)
    assert yaw.other_truths["jaw_open"] == pytest.approx(expected, abs=0.03)
    assert expected.max() > 0.05
    low, high = (f"{v:.0%}" for v in (min(yaw.other_truths["jaw_open"]), max(yaw.other_truths["jaw_open"])))
    assert f"{low} to {high}" in sweep_table(report)
    with pytest.raises(Problem, match="moments"):
        sweep(stand, moments=-1)


def test_a_leak_of_depth_alone_is_none_of_the_pictures():
    sequence, jaw = clip(), HEAD_NAMES.index("jaw_open")

    class Deep(Stand):
        """Its tracker takes the depth from a jaw that opens with yaw; what is seen stands still."""

        turned = 9

        def faces(self, picture: Picture) -> list[Face]:
            number = int(picture[0, 0, 0]) + 256 * int(picture[0, 0, 1])
            values, view = self._drawn[number - 1]
            found = super().faces(picture)[0].landmarks.copy()
            if number <= self.turned:
                other = values.copy()
                other[jaw] += values[0]
                self._drawn[number - 1] = other, view
                found[:, 2] = super().faces(picture)[0].landmarks[:, 2]
                self._drawn[number - 1] = values, view
            return [Face(found)]

    stand = Deep()
    truth, _ = true_head(stand, sequence, lambda values: values)
    swept = Swept(stand, "known", REST, sequence, np.arange(FRAMES), STAGE, "portrait", truth=truth)
    yaw = by_name(sweep_avatar(swept, SweepSettings(9, 1, 1, 1), new_tracker=lambda: stand))["yaw"]
    assert yaw.beyond_rigid["jaw_open"] > 0.1
    assert yaw.beyond_flat["jaw_open"] < 0.02


def test_looks_lie_within_a_pixel_of_the_stage_and_are_taken_back():
    stand = Stand()
    views = []
    drawn = stand.render

    def spy(request: RenderRequest) -> Frame:
        views.append(request.view)
        return drawn(request)

    stand.render = spy  # type: ignore[method-assign]
    report = sweep(stand, looks=3)
    shifts = np.array([[v.placement.x - STAGE.placement.x, v.placement.y - STAGE.placement.y] for v in views])
    assert (shifts >= 0).all()
    assert (shifts < 1).all()
    assert len(np.unique(shifts[:3], axis=0)) == 3
    assert (shifts[0] == 0).all()
    assert max(report.still.values()) < 0.01


def test_a_step_without_a_face_counts_against_the_engine():
    def change(values: np.ndarray) -> np.ndarray:
        return values if values[0] < 6 else values * np.nan

    yaw = by_name(sweep(Stand(change)))["yaw"]
    assert yaw.missed == 2
    assert yaw.read[-2:] == [None, None]
    assert not yaw.reached
    assert yaw.correlation > 0.999
    nothing = sweep(Stand(lambda values: values * np.nan))
    assert np.isnan(nothing.sweeps[0].correlation)
    assert not nothing.sweeps[0].reached
    json.dumps(nothing.to_json(), allow_nan=False)
    assert "9 of 9 steps" in sweep_table(nothing)


def test_what_the_clip_or_the_engine_lacks_is_left_out_and_said():
    still = clip()
    still.motion.angles[:, 1] = 0.0
    report = sweep(Stand(without=("jaw_open",)), still)
    assert {s.name for s in report.sweeps} == {"yaw", "expression direction 1"}
    assert "shows" in report.left_out["pitch"]
    assert "no such control" in report.left_out["jaw_open"]
    # A quantity that the clip never moves is no measure of leak.
    assert set(by_name(report)["expression direction 1"].leak) == {"yaw"}
    assert "Not swept: pitch" in sweep_table(report)


def test_bad_clips_are_refused():
    sequence = clip()
    with pytest.raises(Problem, match="head model"):
        sweep(Stand(), replace(sequence, head_model="other-1"))
    few = np.full(FRAMES, int(Flag.BLURRED), np.int32)
    few[:10] = 0
    with pytest.raises(Problem, match="10 good frames"):
        sweep(Stand(), replace(sequence, flags=few))
    with pytest.raises(Problem, match="steps"):
        sweep(Stand(), steps=2)


def test_the_picture_shows_yaw_above_and_the_strongest_direction_below(tmp_path: Path):
    pictures = SweepPicture(9)
    for name, level in (("yaw", 10), ("jaw_open", 20), ("expression direction 1", 30)):
        for step in range(9):
            pictures.add(name, step, np.full((64, 64, 3), 5 * level + step, np.uint8))
    file = tmp_path / "sub" / "sweep.png"
    pictures.save(file, sweep(Stand()))
    sheet = cv2.imread(str(file))
    assert sheet.shape == (2 * CELL, COLUMNS * CELL, 3)
    assert sheet[0, 0, 0] == 50
    assert sheet[0, -1, 0] == 58
    assert sheet[-1, 0, 0] == 150
    assert sheet[-1, -1, 0] == 158
    assert [f.name for f in file.parent.iterdir()] == ["sweep.png"]


def test_the_command_explains_itself_and_refuses_in_a_sentence(tmp_path: Path, capfd):
    home = ["--home", str(tmp_path)]
    assert main(["sweep", "--help", *home]) == 0
    said = capfd.readouterr().out
    assert "--picture" in said
    assert "--looks" in said
    assert main(["sweep", "Nobody", *home]) == 2
    assert main(["sweep", "Nobody", "--picture", "sweep.txt", *home]) == 2
    assert ".png" in capfd.readouterr().err
