"""The evaluation judged by engines whose quality is known."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pipelines.ablation_report import Ablation, Variant, ablation_table, write_ablation
from pipelines.aligned_crop import cut_view
from pipelines.evaluate_avatar import (
    Beside,
    EvaluateSettings,
    Evaluation,
    _apart,
    check_unseen,
    evaluate_avatar,
)
from pipelines.evaluation_pictures import CELL
from pipelines.evaluation_report import (
    clip_table,
    is_better,
    mean_over_clips,
    mean_table,
    verdicts,
    write_evaluation,
    write_evaluations,
)
from pipelines.nearest_frame import Nearness, nearest_training_frames
from studio.domain.avatar import Avatar
from studio.domain.camera import Similarity, View
from studio.domain.problem import Problem
from studio.domain.progress import Interrupted
from studio.metrics import metric
from tests.evaluate.judged_clip import (
    EXTRA,
    FRAMES,
    HELD_OUT,
    REST,
    TRAIN,
    KnownEngine,
    PosedTracker,
    judged,
    tracked_clip,
)

SIZE = 176
SETTINGS = EvaluateSettings(size=SIZE)


def offset(by: int) -> Callable[[int, np.ndarray], np.ndarray]:
    return lambda frame, picture: picture + np.uint8(by)


def posed(*yaws: float) -> Callable[[], PosedTracker]:
    """A maker of trackers for real, engine and nearest frame, in this order."""
    turn: Iterator[float] = iter(yaws)
    return lambda: PosedTracker(next(turn))


def test_a_known_error_gives_the_known_psnr(clip: Path) -> None:
    engine = KnownEngine(clip, offset(8))
    result = evaluate_avatar(judged(clip, engine), SETTINGS, new_tracker=PosedTracker)
    assert result.metrics["psnr"] == pytest.approx(20 * np.log10(255 / 8), abs=1e-6)
    assert result.nearest_frame["psnr"] < result.metrics["psnr"] - 5
    assert result.metrics["sharpness_difference"] == 0
    assert result.metrics["flicker"] == pytest.approx(0, abs=0.02)
    assert result.metrics["flmd"] == 0
    assert result.metrics["face_found"] == 1
    assert (result.frames, result.held_out, result.resolution) == (10, (20, 29), SIZE)
    assert result.fps > 0
    assert set(result.off) == {"lpips", "csim", "psnr_person", "sharpness_difference_db"}
    assert all(reason.endswith(".") for reason in result.off.values())


def test_it_asks_for_each_held_out_frame_and_leaves_other_controls_alone(clip: Path) -> None:
    engine = KnownEngine(clip, offset(1))
    evaluate_avatar(judged(clip, engine), SETTINGS, new_tracker=PosedTracker)
    yaw = [round(state["yaw"], 3) for state in engine.asked[1:]]
    assert yaw == pytest.approx(np.linspace(-10, 10, FRAMES)[HELD_OUT], abs=1e-3)
    assert {state[EXTRA.name] for state in engine.asked} == {EXTRA.default}
    assert {(state["zoom"], state["move_x"]) for state in engine.asked} == {(1.0, 0.0)}


@pytest.mark.parametrize("by", ["landmarks", "parameters"])
def test_an_engine_that_shows_training_frames_equals_the_baseline(clip: Path, by: Nearness) -> None:
    engine = KnownEngine(clip, lambda frame, picture: picture)
    last = engine._frames[TRAIN.stop - 1]
    view = tracked_clip().crop_view(0, SIZE)
    engine._change = lambda frame, picture: cut_view(last, view)
    settings = replace(SETTINGS, nearest=by)
    result = evaluate_avatar(judged(clip, engine), settings, new_tracker=PosedTracker)
    assert result.metrics == result.nearest_frame
    assert result.settings["nearest"] == by


def test_a_turned_head_in_the_rendering_is_that_far_in_apd(clip: Path) -> None:
    result = evaluate_avatar(
        judged(clip, KnownEngine(clip, offset(3))), SETTINGS, new_tracker=posed(0.0, 12.0, -6.0)
    )
    assert result.metrics["pose_degrees"] == pytest.approx(12 / 3, abs=0.5)
    assert result.nearest_frame["pose_degrees"] == pytest.approx(6 / 3, abs=0.3)
    assert result.metrics["flmd"] > 1.5 * result.nearest_frame["flmd"] > 1


def test_a_rendering_without_a_face_is_counted_and_counts_as_the_worst(clip: Path) -> None:
    def lost(frame: int, picture: np.ndarray) -> np.ndarray:
        return 0 * picture if frame % 2 else picture

    tracker = posed(0.0, 9.0, 0.0)
    result = evaluate_avatar(judged(clip, KnownEngine(clip, lost)), SETTINGS, new_tracker=tracker)
    assert result.counts["no_face_in_engine"] == 5
    assert result.counts["no_face_in_nearest_frame"] == 0
    assert result.metrics["face_found"] == 0.5
    whole = evaluate_avatar(
        judged(clip, KnownEngine(clip, offset(1))), SETTINGS, new_tracker=posed(0.0, 9.0, 0.0)
    )
    assert result.metrics["flmd"] == pytest.approx(whole.metrics["flmd"])

    nobody = evaluate_avatar(
        judged(clip, KnownEngine(clip, lambda frame, picture: 0 * picture)),
        SETTINGS,
        new_tracker=PosedTracker,
    )
    assert nobody.counts["no_face_in_engine"] == 10
    assert nobody.metrics["face_found"] == 0
    assert "flmd" not in nobody.metrics
    assert "no face" in nobody.off["flmd"]
    assert nobody.nearest_frame["flmd"] == 0


def test_flagged_frames_are_left_out_and_counted(clip: Path) -> None:
    sequence = tracked_clip()
    sequence.flags[[22, 25, 19]] = 2
    engine = KnownEngine(clip, offset(8))
    result = evaluate_avatar(judged(clip, engine, sequence=sequence), SETTINGS, new_tracker=PosedTracker)
    assert (result.frames, result.counts["not_good"]) == (8, 2)
    assert len(engine.asked) == 1 + 8
    sequence.flags[HELD_OUT] = 2
    with pytest.raises(Problem, match="in 10 of 10 the picture is blurred"):
        evaluate_avatar(judged(clip, engine, sequence=sequence), SETTINGS, new_tracker=PosedTracker)
    sequence.flags[:] = 0
    sequence.flags[TRAIN] = 1
    with pytest.raises(Problem, match="training part"):
        evaluate_avatar(judged(clip, engine, sequence=sequence), SETTINGS, new_tracker=PosedTracker)


def test_outside_the_camera_nobody_is_right_or_wrong(clip: Path) -> None:
    """With half of the crop beyond the frame's edge, an offset is seen in the other half alone."""
    sequence = tracked_clip()
    sequence.crops[:, 2] += 0.5 + 60 / 200 - 0.0  # the source's left edge now lies in the crop's middle
    engine = KnownEngine(clip, offset(8))
    result = evaluate_avatar(judged(clip, engine, sequence=sequence), SETTINGS, new_tracker=PosedTracker)
    assert result.metrics["psnr"] == pytest.approx(20 * np.log10(255 / 8) + 10 * np.log10(2), abs=0.05)


def test_masks_restrict_to_the_person(clip: Path) -> None:
    mask = np.zeros((64, 64), np.uint8)
    mask[:, :32] = 255

    def half_wrong(frame: int, picture: np.ndarray) -> np.ndarray:
        changed = picture.copy()
        changed[:, : SIZE // 2] += np.uint8(8)
        changed[:, SIZE // 2 :] += np.uint8(30)
        return changed

    given = judged(clip, KnownEngine(clip, half_wrong), masks=lambda frame: mask)
    result = evaluate_avatar(given, SETTINGS, new_tracker=PosedTracker)
    # A little of the wrong half shows through the mask's soft edge.
    assert result.metrics["psnr_person"] == pytest.approx(20 * np.log10(255 / 8), abs=0.5)
    assert result.metrics["psnr"] < result.metrics["psnr_person"] - 5


def test_an_avatar_that_saw_the_held_out_frames_is_refused(clip: Path, tmp_path: Path) -> None:
    def avatar(**lineage: object) -> Avatar:
        return Avatar("A", "known", "k", tmp_path, View(Similarity(1, 0, 0, 0), 8, 8), dict(lineage))

    check_unseen(avatar(learnt_from=[0, 20]), HELD_OUT)
    with pytest.raises(Problem, match="frames 0 to 20, which overlap the held-out frames 20 to 29"):
        check_unseen(avatar(learnt_from=[0, 21]), HELD_OUT)
    with pytest.raises(Problem, match="does not say"):
        check_unseen(avatar(), HELD_OUT)
    engine = KnownEngine(clip, offset(1))
    with pytest.raises(Problem, match="overlap"):
        evaluate_avatar(judged(clip, engine), SETTINGS, avatar=avatar(learnt_from=[10, 30]))
    assert not engine.asked


def test_a_sequence_of_another_head_model_has_no_aed(clip: Path) -> None:
    other = replace(tracked_clip(), head_model="flame-2020")
    result = evaluate_avatar(
        judged(clip, KnownEngine(clip, offset(2)), sequence=other), SETTINGS, new_tracker=PosedTracker
    )
    assert "flame-2020" in result.off["aed"]
    assert "aed" not in result.metrics
    assert "flmd" in result.metrics


def test_pictures_of_an_evaluation(clip: Path, tmp_path: Path) -> None:
    sheet, film = tmp_path / "new" / "sheet.png", tmp_path / "film.mp4"
    evaluate_avatar(
        judged(clip, KnownEngine(clip, offset(8))),
        SETTINGS,
        new_tracker=PosedTracker,
        contact_sheet=sheet,
        video_out=film,
    )
    picture = cv2.imread(str(sheet))
    row = CELL + 22
    assert picture.shape[0] == 5 * row
    assert picture.shape[1] // CELL in (6 + 1, 6 + 2)  # ten frames are too few for three worst ones apart
    assert np.all(picture[3 * row + 30 : 4 * row - 4] == 32)  # four times the known error of 8
    capture = cv2.VideoCapture(str(film))
    assert (capture.get(cv2.CAP_PROP_FRAME_COUNT), capture.get(cv2.CAP_PROP_FRAME_WIDTH)) == (10, 4 * SIZE)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["film.mp4", "new"]


def test_another_engine_is_measured_as_if_it_were_the_engine(clip: Path) -> None:
    """Whichever of two engines is judged and whichever stands beside it, each has its own figures."""

    def half_lost(frame: int, picture: np.ndarray) -> np.ndarray:
        return 0 * picture if frame % 2 else picture + np.uint8(3)

    one, other = KnownEngine(clip, offset(8)), KnownEngine(clip, half_lost)
    forth = evaluate_avatar(
        judged(clip, one),
        SETTINGS,
        beside=Beside(other, "other", REST),
        new_tracker=posed(0.0, 5.0, 2.0, -9.0),
    )
    back = evaluate_avatar(
        judged(clip, other),
        SETTINGS,
        beside=Beside(one, "one", REST),
        new_tracker=posed(0.0, -9.0, 2.0, 5.0),
    )
    assert (forth.beside_engine, back.beside_engine) == ("other", "one")
    assert forth.metrics == back.beside
    assert forth.beside == back.metrics
    assert forth.nearest_frame == back.nearest_frame
    assert forth.metrics["psnr"] == pytest.approx(20 * np.log10(255 / 8))
    assert forth.beside["pose_degrees"] == pytest.approx(9 / 3, abs=0.5)
    assert (forth.beside["face_found"], forth.counts["no_face_in_beside"]) == (0.5, 5)
    assert (back.metrics["face_found"], back.counts["no_face_in_beside"]) == (0.5, 0)
    assert forth.fps > 0
    assert forth.beside_fps > 0
    assert [state["yaw"] for state in one.asked] == [state["yaw"] for state in other.asked]
    assert len(one.asked) == 2 * (1 + 10)


def test_each_engine_is_asked_relative_to_its_own_rest(clip: Path) -> None:
    one, other = KnownEngine(clip, offset(1)), KnownEngine(clip, offset(2))
    rest = REST * np.array([0.5, 1, 1], np.float32)
    beside = Beside(other, "other", rest)
    evaluate_avatar(judged(clip, one), SETTINGS, beside=beside, new_tracker=PosedTracker)
    assert {round(state["zoom"], 5) for state in one.asked} == {1.0}
    assert {round(state["zoom"], 5) for state in other.asked} == {2.0}


def test_no_engine_beside_may_have_seen_the_held_out_frames(clip: Path, tmp_path: Path) -> None:
    seen = Avatar("A", "other", "k", tmp_path, View(Similarity(1, 0, 0, 0), 8, 8), {"learnt_from": [0, 25]})
    one, other = KnownEngine(clip, offset(1)), KnownEngine(clip, offset(2))
    with pytest.raises(Problem, match="This other avatar learnt from frames 0 to 24"):
        evaluate_avatar(judged(clip, one), SETTINGS, beside=Beside(other, "other", REST, seen))
    assert not one.asked + other.asked


def test_pictures_with_another_engine_beside(clip: Path, tmp_path: Path) -> None:
    """The sheet ends with the frames in which the engine loses most, and every row is who it says it is."""
    sheet, film = tmp_path / "sheet.png", tmp_path / "film.mp4"

    def fails_in_two(frame: int, picture: np.ndarray) -> np.ndarray:
        return picture + np.uint8({21: 20, 22: 5, 28: 30}.get(frame, 1))

    engine, other = KnownEngine(clip, fails_in_two), KnownEngine(clip, offset(2))
    sequence = replace(tracked_clip(), rate=Fraction(10))  # 0.3 s are three frames
    evaluate_avatar(
        judged(clip, engine, sequence=sequence),
        SETTINGS,
        beside=Beside(other, "other", REST),
        new_tracker=PosedTracker,
        contact_sheet=sheet,
        video_out=film,
    )
    picture = cv2.imread(str(sheet))
    row = CELL + 22
    assert picture.shape[0] == 7 * row  # real, other, engine, nearest and the errors of three
    columns = picture.shape[1] // CELL
    assert columns == 6 + 2

    def errors(which: int) -> list[int]:
        """Four times the error of a row's renderings."""
        cells = picture[which * row + 30 : which * row + row - 4]
        return [int(np.median(cells[:, k * CELL : (k + 1) * CELL])) for k in range(columns)]

    assert errors(4) == [8] * columns
    assert errors(5) == [4, 20, 4, 4, 4, 4, 80, 120]  # frames 20, 22, 24, 25, 27, 29; then 21 and 28
    capture = cv2.VideoCapture(str(film))
    assert capture.get(cv2.CAP_PROP_FRAME_WIDTH) == 5 * SIZE
    frame = capture.read()[1][22:].astype(int)
    panels = [frame[20:-20, i * SIZE + 20 : (i + 1) * SIZE - 20].mean() for i in range(5)]
    assert panels[1] - panels[0] == pytest.approx(2, abs=0.7)
    assert panels[2] - panels[0] == pytest.approx(1, abs=0.7)
    assert panels[4] == pytest.approx(4, abs=2)


def test_the_frames_lost_most_lie_apart() -> None:
    values = np.array([0, 5, 9, 8, 1, np.nan, 7, -2, np.inf, -3])
    assert _apart(values, 3, 1) == [2, 4, 6]
    assert _apart(values, 2, 2) == [2, 6]
    assert _apart(values, 9, 100) == [2]
    assert _apart(np.full(4, np.nan), 3, 1) == []


def test_an_interrupted_evaluation_leaves_nothing(clip: Path, tmp_path: Path) -> None:
    def stop(done: int, total: int | None, what: str) -> None:
        if what.startswith("comparing") and done == 3:
            raise Interrupted

    with pytest.raises(Interrupted):
        evaluate_avatar(
            judged(clip, KnownEngine(clip, offset(8))),
            SETTINGS,
            new_tracker=PosedTracker,
            contact_sheet=tmp_path / "sheet.png",
            video_out=tmp_path / "film.mp4",
            progress=stop,
        )
    assert not list(tmp_path.iterdir())


def test_json_and_tables(clip: Path, tmp_path: Path) -> None:
    engines = [KnownEngine(clip, offset(by)) for by in (4, 8)]
    results = [evaluate_avatar(judged(clip, e), replace(SETTINGS, size=64)) for e in engines]
    write_evaluation(tmp_path / "a" / "one.json", results[0])
    plain = json.loads((tmp_path / "a" / "one.json").read_text())
    assert plain["engine"] == "known"
    assert plain["resolution"] == 64
    assert plain["frames"] == 10
    assert plain["held_out"] == [20, 29]
    assert plain["metrics"]["psnr"] == pytest.approx(20 * np.log10(255 / 4))
    assert plain["nearest_frame"]["psnr"] < plain["metrics"]["psnr"]
    assert "161" in plain["off"]["ms_ssim"]
    assert plain["settings"]["size"] == 64

    write_evaluations(tmp_path, results)
    means = json.loads((tmp_path / "evaluations.json").read_text())["mean"]
    assert means["metrics"]["psnr"] == pytest.approx(np.mean([20 * np.log10(255 / d) for d in (4, 8)]))
    assert means == json.loads(json.dumps(mean_over_clips(results)))
    text = (tmp_path / "evaluations.md").read_text(encoding="utf-8")
    assert text == f"{mean_table(results)}\n{clip_table(results)}"
    assert "| PSNR (dB) | ↑ | 33.08 |" in text
    assert "| 2 of 2 |" in text
    assert "off / off" in clip_table(results)  # MS-SSIM at 64²


def _evaluation(title: str, ours: float, beside: float, nearest: float, **changes: Any) -> Evaluation:
    """Figures as if they had been measured."""
    sides = [{"psnr": value, "flmd": 40 - value} for value in (ours, beside, nearest)]
    whole = Evaluation(
        title, "pvp", 256, 9, 12.0, sides[0], sides[2], {}, (1, 9), {}, {}, "instant", sides[1], 30.0
    )
    return replace(whole, **changes)


def test_tables_with_another_engine_beside(tmp_path: Path) -> None:
    clips = [_evaluation("A", 30, 28, 20), _evaluation("B", 26, 28, 20), _evaluation("C", 21, 22, 23)]
    means = mean_over_clips(clips)
    assert means["beside_engine"] == "instant"
    assert [means[side]["psnr"] for side in ("metrics", "beside", "nearest_frame")] == pytest.approx(
        [77 / 3, 26, 21]
    )
    assert means["better_than"] == {"nearest_frame": {"psnr": 2, "flmd": 2}, "beside": {"psnr": 1, "flmd": 1}}
    assert (means["fps"], means["beside_fps"]) == (12.0, 30.0)
    table = mean_table(clips)
    assert "| pvp | instant | nearest training frame | better than instant on | better than nearest" in table
    assert "| PSNR (dB) | ↑ | 25.67 | 26.00 | 21.00 | 1 of 3 | 2 of 3 |" in table
    assert "| A | 9 | 12 / 30 | 30.00 / 28.00 / 20.00 |" in clip_table(clips)
    assert "In each cell: pvp / instant / nearest training frame." in clip_table(clips)
    assert "| 30.00 | 28.00 | 20.00 | yes | yes |" in mean_table(clips[:1])
    assert verdicts(clips[1]) == [
        "Better than the nearest frame on 2 of 2 measures.",
        "Better than instant on 0 of 2 measures (not on PSNR (dB), F-LMD (px at 256²)).",
    ]
    # A clip that lacks a figure on one side counts on no side.
    lacking = [clips[0], replace(clips[1], beside={"flmd": 1.0})]
    assert mean_over_clips(lacking)["clips"] == {"psnr": 1, "flmd": 2}
    assert mean_over_clips(lacking)["metrics"]["psnr"] == 30
    # With different engines beside there is nothing to average.
    mixed = mean_over_clips([clips[0], replace(clips[1], beside_engine="other")])
    assert "beside" not in mixed
    assert mixed["metrics"]["psnr"] == 28
    write_evaluations(tmp_path, clips)
    told = json.loads((tmp_path / "evaluations.json").read_text())
    assert told["clips"][0]["beside"] == {"psnr": 28, "flmd": 12}
    assert told["mean"] == json.loads(json.dumps(means))


def test_what_a_variant_changes_is_told_against_the_full_method(tmp_path: Path) -> None:
    full = [_evaluation("A", 30, 28, 20), _evaluation("B", 26, 28, 20)]
    without = [_evaluation("A", 29, 28, 20), _evaluation("B", 24, 28, 20, metrics={"psnr": 24})]
    better = [_evaluation("A", 31, 28, 20), _evaluation("B", 27, 28, 20)]
    ablation = Ablation(
        "pvp",
        "draft",
        full,
        {"no x": Variant({"pvp.x": False}, without), "more y": Variant({"pvp.y": 2}, better)},
    )
    # B has no F-LMD without x: the difference is A's alone, while the full method's mean has both clips.
    assert ablation.differences() == {"no x": {"psnr": -1.5, "flmd": 1}, "more y": {"psnr": 1, "flmd": -1}}
    write_ablation(tmp_path / "new", ablation)
    table = (tmp_path / "new" / "ablation.md").read_text(encoding="utf-8")
    assert table == ablation_table(ablation)
    assert "| metric | better | full method | no x | more y | instant | nearest training frame |" in table
    assert "| PSNR (dB) | ↑ | 28.00 | 26.50 (**−1.50**) | 29.00 (+1.00) | 28.00 | 20.00 |" in table
    assert "| ↓ | 12.000 | 11.000 (**+1.000**) | 11.000 (−1.000) |" in table
    assert "| worse than the full method on |  |  | 2 of 2 | 0 of 2 |  |  |" in table
    assert "- no x: pvp.x = False" in table
    told = json.loads((tmp_path / "new" / "ablation.json").read_text())
    assert told["full"]["mean"]["metrics"]["psnr"] == 28
    assert told["variants"]["more y"]["changes"] == {"pvp.y": 2}
    assert told["variants"]["more y"]["difference"]["flmd"] == -1
    assert [clip["title"] for clip in told["variants"]["no x"]["clips"]] == ["A", "B"]


@pytest.mark.parametrize(
    ("name", "better", "worse"),
    [("psnr", 3.0, 2.0), ("flmd", 2.0, 3.0), ("jitter", -0.1, 0.2), ("sharpness_ratio", 1.1, 0.8)],
)
def test_better_has_a_direction(name: str, better: float, worse: float) -> None:
    assert is_better(metric(name), better, worse)
    assert not is_better(metric(name), worse, better)


def test_nearest_by_parameters_is_whitened_and_stays_in_training() -> None:
    sequence = tracked_clip()
    motion = sequence.motion
    angles, jaw = np.zeros_like(motion.angles), np.zeros_like(motion.jaw)
    angles[:20, 0] = np.linspace(-30, 30, 20)
    jaw[:20, 0] = np.tile([0.0, 0.1], 10)
    angles[25] = [30, 0, 0]  # yaw of frame 19, but the mouth as in even frames …
    angles[26], jaw[26, 0] = [-30, 0, 0], 0.1  # … and the other way round
    angles[27] = [400, 0, 0]
    sequence = replace(sequence, motion=replace(motion, angles=angles, jaw=jaw))
    found = nearest_training_frames(sequence, np.array([25, 26, 27]), TRAIN, "parameters")
    # In raw degrees and radians frames 19 and 0 would win: jaw would not count at all.
    assert found.tolist() == [18, 1, 19]
    sequence.flags[18] = 2
    again = nearest_training_frames(sequence, np.array([25, 26]), TRAIN, "parameters")
    assert again.tolist() == [16, 1]


def test_nearest_by_landmarks_is_measured_in_the_aligned_crop() -> None:
    sequence = tracked_clip()
    # Frame 3 is frame 25 seen by another crop: twice as large and elsewhere in the picture.
    sequence.landmarks[3] = sequence.landmarks[25] * 2 + 17
    there = Similarity.from_array(sequence.crops[25])
    sequence.crops[3] = Similarity(1.0, 0, -17.0, -17.0).then(Similarity(0.5, 0, 0, 0)).then(there).to_array()
    assert nearest_training_frames(sequence, np.array([25]), TRAIN, "landmarks").tolist() == [3]
