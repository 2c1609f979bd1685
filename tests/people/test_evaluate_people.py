"""Comparing one-picture avatars: the truth is perfect, a copy is as far off as the person went."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipelines.evaluate_people import (
    CEILING,
    Driving,
    evaluate_people,
    penalised,
    source_frame,
    turned_degrees,
)
from pipelines.one_picture import motion_at, picture_of_clip
from pipelines.people_contenders import CopySource, InstantOfOne
from pipelines.people_evaluation_settings import PeopleEvaluationSettings
from pipelines.people_report import clips_table, correlation, people_table, pose_table, verdict, write_people
from studio.domain.problem import Problem
from studio.head import builtin_head
from studio.metrics import metric
from tests.people.moving_corpus import SIDE
from tests.people.seeing import DiscTracker, Nobody, Truth, Watching

SETTINGS = PeopleEvaluationSettings(frames=5, cross_frames=4)


@pytest.fixture(scope="module")
def judged(made):
    from studio.corpus.corpus import Corpus

    clips = Corpus.open(made).split("held_out")
    watching = Watching()
    evaluation = evaluate_people(
        clips,
        [Truth(), CopySource(), Nobody()],
        SIDE,
        SETTINGS,
        new_tracker=DiscTracker,
        witness=watching,
    )
    return clips, evaluation, watching


def test_the_true_frames_score_perfectly(judged):
    _, evaluation, _ = judged
    means = evaluation.means(evaluation.same)["truth"]
    assert means["psnr"] == CEILING
    assert means["ssim"] == pytest.approx(1.0)
    assert means["haarpsi"] == pytest.approx(1.0, abs=1e-4)
    assert means["akd"] == 0.0
    assert means["aed"] == 0.0
    assert means["face_found"] == 1.0
    assert means["sharpness_ratio"] == pytest.approx(1.0)


def test_a_copy_is_as_far_off_as_the_person_went(judged):
    clips, evaluation, _ = judged
    for driving in evaluation.same:
        clip = next(clip for clip in clips if clip.name == driving.clip)
        way = clip.motion.camera[list(driving.frames), 1:] - clip.motion.camera[driving.source_frame, 1:]
        pixels = np.linalg.norm(way, axis=1) * 256 / clip.side
        assert np.allclose(driving.values["copy the source"]["akd"], pixels, atol=2.5)
        assert pixels.max() > 10.0
        assert driving.source_frame not in driving.frames
        assert len(driving.frames) == 5


def test_who_shows_nobody_is_entered_with_the_worst(judged):
    _, evaluation, _ = judged
    for driving in evaluation.same:
        assert driving.lost == {"truth": 0, "copy the source": 0, "nobody": 5}
    worst = max(d.values["copy the source"]["akd"].max() for d in evaluation.same)
    means = evaluation.means(evaluation.same)["nobody"]
    assert means["akd"] == pytest.approx(worst)
    assert means["face_found"] == 0.0


def test_across_people_the_driver_is_the_truth_of_motion(judged):
    _, evaluation, watching = judged
    assert {(d.clip, d.driver) for d in evaluation.cross} == {("fay", "gus"), ("gus", "fay")}
    assert all(len(d.frames) == 4 for d in evaluation.cross)
    means = evaluation.means(evaluation.cross)
    assert set(means["truth"]) == {"aed", "apd", "pose_degrees", "face_found"}
    assert means["truth"]["aed"] == means["truth"]["apd"] == 0.0
    assert means["copy the source"]["apd"] > 0.0
    person, real, drawn = watching.seen["fay by gus"]
    assert np.array_equal(drawn["truth"], real)
    assert np.array_equal(drawn["copy the source"][0], person.picture)


def test_the_picture_is_the_first_good_frame_or_the_most_turned_one(corpus):
    clip = corpus.split("held_out")[0]
    clip.numbers.flags[0] = 1
    clip.motion.angles[3] = (20.0, 0.0, 0.0)
    clip.motion.angles[6] = (0.0, -25.0, 0.0)
    clip.numbers.flags[7] = 1
    clip.motion.angles[7] = (80.0, 0.0, 0.0)
    assert source_frame(clip, "first") == 1
    assert source_frame(clip, "hard") == 6


def test_turns_are_the_angle_between():
    a = np.array([[10.0, 0.0, 0.0], [0.0, 20.0, 0.0], [5.0, 5.0, 5.0]])
    b = np.array([[-15.0, 0.0, 0.0], [0.0, 20.0, 30.0], [5.0, 5.0, 5.0]])
    assert np.allclose(turned_degrees(a, b), [25.0, 30.0, 0.0], atol=0.05)


def test_nobody_to_compare_on_is_said(corpus):
    clips = corpus.split("held_out")
    for clip in clips:
        clip.numbers.flags[1:] = 1
    with pytest.raises(Problem, match="two good frames"):
        evaluate_people(clips, [CopySource()], SIDE, SETTINGS, new_tracker=DiscTracker)


def test_penalties_take_the_worst_in_each_direction():
    values = {"akd": np.array([1.0, np.inf]), "csim": np.array([0.4, np.inf]), "psnr": np.array([30.0, 20.0])}
    others = {"akd": np.array([3.0, np.nan]), "csim": np.array([0.9, 0.8]), "psnr": np.array([10.0, 20.0])}
    driving = Driving("a", "a", 0, (1, 2), np.zeros(2), {"x": values, "y": others}, {"x": 1, "y": 0})
    (after,) = penalised([driving], [metric(name) for name in values])
    assert after.values["x"]["akd"].tolist() == [1.0, 3.0]
    assert after.values["x"]["csim"].tolist() == [0.4, 0.0]  # a face that is not there is nobody's
    assert np.isnan(after.values["y"]["akd"][1])


def test_the_instant_engine_of_one_picture_gives_that_picture_back(corpus):
    clip = corpus.split("held_out")[0]
    person = picture_of_clip(clip, 2, SIDE)
    driven = InstantOfOne(builtin_head()).of(person)
    drawn = driven(motion_at(clip, SIDE).take(np.array([2])), person.picture[None])
    error = np.abs(drawn[0].astype(int) - person.picture)
    assert error.mean() < 3.0


def test_motion_at_another_side_is_in_its_pixels(corpus):
    clip = corpus.clips[0]
    half = motion_at(clip, SIDE // 2)
    assert np.allclose(half.camera, clip.motion.camera / 2)
    assert np.array_equal(half.angles, clip.motion.angles)


def test_correlation_of_errors_with_turns():
    turned = np.array([0.0, 10.0, 20.0, 30.0])
    values = {"x": {"akd": 1.0 + 0.05 * turned}, "y": {"akd": np.array([1.0, np.nan, 3.0, 1.0])}}
    driving = Driving("a", "a", 0, (1, 2, 3, 4), turned, values, {})
    r, slope = correlation([driving], "x", "akd")
    assert r == pytest.approx(1.0)
    assert slope == pytest.approx(0.05)
    r, _ = correlation([driving], "y", "akd")
    assert r == pytest.approx(np.corrcoef([0.0, 20.0, 30.0], [1.0, 3.0, 1.0])[0, 1])


def test_reports_say_who_won(judged, tmp_path):
    _, evaluation, _ = judged
    table = people_table(evaluation)
    assert "| AKD (px at 256²) | ↓ | **0.000** |" in table
    assert "Cross identity" in table
    line = verdict(evaluation, "truth")[0]
    assert line.startswith("truth against copy the source: PSNR better")
    assert "not better" not in line
    assert "not better" in verdict(replace(evaluation), "copy the source")[0]
    assert clips_table(evaluation).count("\n") == 2 + 2 + 2
    assert "nobody" in pose_table(evaluation)
    write_people(tmp_path / "report", evaluation, "truth")
    assert {path.name for path in (tmp_path / "report").iterdir()} == {"people.json", "people.md", "turn.png"}
