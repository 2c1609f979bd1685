"""Comparisons: what is planned, what is found again, and what an evaluation tells whoever watches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from pipelines.build_job import plan_build
from pipelines.compare_job import (
    CompareSettings,
    Contender,
    contenders,
    forecast_comparison,
    plan_comparison,
    settings_of,
)
from pipelines.compare_work import _Keeper, _kept
from pipelines.evaluate_avatar import Beside, EvaluateSettings, evaluate_avatar
from pipelines.job import MADE, Step
from pipelines.stage_costs import ClipSize, Machine
from studio.assets import AssetLibrary
from studio.domain.avatar import Avatar
from studio.domain.camera import Similarity, View
from studio.domain.problem import Problem
from studio.domain.sequence import HELD_OUT
from studio.project.avatar_files import load_avatar, save_avatar
from studio.project.documents import write_document
from studio.project.store import ClipFolder, Store, SubjectFolder
from studio.warping.settings import WarpSettings
from tests.evaluate.judged_clip import REST, KnownEngine, PosedTracker, judged

SIZE = 64


@pytest.fixture
def subject(home: Path, clip: Path) -> SubjectFolder:
    """Somebody whose clip is here; nothing has been made of it."""
    made = Store(home).add("Anna")
    made.add_clip(clip)
    return made


@pytest.fixture
def their_clip(subject: SubjectFolder) -> ClipFolder:
    return subject.clips()[0]


def pretend(step: Step, subject: SubjectFolder) -> Path:
    """What a step would leave, as far as planning looks at it."""
    folder = subject.path / step.output
    folder.mkdir(parents=True)
    made = {"stage": step.id, "key": step.key, "settings": step.settings}
    write_document(folder / "made.json", MADE, made)
    return folder


def build(subject: SubjectFolder, clip: ClipFolder, stages: Mapping | None = None) -> Avatar:
    """An instant avatar that nobody could draw."""
    planned = plan_build(subject, clip, "instant", "standard", stages)
    for step in planned.plan.steps:
        if not (subject.path / step.output).exists():
            pretend(step, subject)
    lineage = {"inputs": planned.plan.steps[-1].input_keys, "held_out": 0.0}
    stage = View(Similarity.from_array(np.array([1, 0, 0, 0], np.float32)), 64, 64)
    key = planned.plan.steps[-1].key
    save_avatar(planned.avatar, Avatar(subject.name, "instant", key, planned.avatar, stage, lineage))
    return load_avatar(planned.avatar)


def sides(subject: SubjectFolder, clip: ClipFolder, *names: str) -> list[Contender]:
    found = {side.id: side for side in contenders(subject, clip)}
    return [found[name] for name in names]


def test_every_preset_that_can_be_built_here_can_be_compared(subject, their_clip) -> None:
    found = {side.id: side for side in contenders(subject, their_clip)}
    assert {"instant:draft", "instant:standard", "instant:best", "pvp:draft"} <= set(found)
    for side in found.values():
        assert side.used is None
        held = {step.id: step.held_out for step in side.build.plan.steps}
        assert held.pop("track") == 0.0
        assert set(held.values()) == {HELD_OUT}


def test_an_avatar_that_is_in_use_is_known_by_its_preset(subject, their_clip) -> None:
    avatar = build(subject, their_clip)
    found = {side.id: side.used for side in contenders(subject, their_clip)}
    assert found["instant:standard"] == avatar
    assert [name for name, used in found.items() if used] == ["instant:standard"]


def test_an_avatar_with_settings_of_its_own_is_compared_with_those(subject, their_clip) -> None:
    own = WarpSettings(texture_size=200)
    avatar = build(subject, their_clip, {"instant": own})
    assert settings_of(subject, avatar)["instant"] == own
    last = contenders(subject, their_clip)[-1]
    assert (last.id, last.used) == (f"instant:own-{avatar.key}", avatar)
    step = last.build.plan.steps[-1]
    assert (step.settings["texture_size"], step.held_out) == (200, HELD_OUT)


def test_each_step_is_done_once_and_nothing_depends_on_who_is_called_a(subject, their_clip) -> None:
    draft, standard = sides(subject, their_clip, "instant:draft", "instant:standard")
    one = plan_comparison(subject, their_clip, draft, standard)
    other = plan_comparison(subject, their_clip, standard, draft)
    assert one.plan == other.plan
    assert one.swapped != other.swapped
    assert [step.id for step in one.plan.steps] == ["track", "pivots", "instant", "instant", "compare"]
    last = one.plan.steps[-1]
    in_result = [last.inputs["a"], last.inputs["b"]]
    asked = [build.avatar.relative_to(subject.path).as_posix() for build in one.builds]
    assert in_result == (asked[::-1] if one.swapped else asked)
    with pytest.raises(Problem, match="same avatar"):
        plan_comparison(subject, their_clip, draft, draft)


def test_other_settings_or_new_weights_are_another_comparison(subject, their_clip, home) -> None:
    pair = sides(subject, their_clip, "instant:draft", "instant:standard")
    assets = AssetLibrary(home)
    plans = [
        plan_comparison(subject, their_clip, pair[0], pair[1], assets=assets),
        plan_comparison(subject, their_clip, pair[0], pair[1], CompareSettings(size=128), assets),
    ]

    class Richer(AssetLibrary):
        def missing(self, asset_id: str, off: str = "") -> str | None:
            return None if asset_id == "identity-mobilefacenet" else "not here."

    plans.append(plan_comparison(subject, their_clip, pair[0], pair[1], assets=Richer(home)))
    assert len({plan.folder for plan in plans}) == 3
    assert plan_comparison(subject, their_clip, pair[0], pair[1], assets=assets).folder == plans[0].folder


def test_the_forecast_counts_what_is_not_there(subject, their_clip) -> None:
    pair = sides(subject, their_clip, "instant:draft", "instant:standard")
    plan = plan_comparison(subject, their_clip, pair[0], pair[1])
    size, machine = ClipSize(600, 512, 512), Machine("cpu", 2, 8.0, 100.0)
    before = forecast_comparison(plan, size, machine)
    assert before.building == (True, True)
    for step in plan.plan.steps[:-1]:
        pretend(step, subject)
    pair = sides(subject, their_clip, "instant:draft", "instant:standard")
    plan = plan_comparison(subject, their_clip, pair[0], pair[1])
    built = forecast_comparison(plan, size, machine)
    assert built.building == (False, False)
    assert 0 < built.minutes[0] < built.minutes[1] < before.minutes[0]
    assert not plan.made
    pretend(plan.plan.steps[-1], subject)
    assert plan.made
    assert forecast_comparison(plan, size, machine).minutes == (0.0, 0.0)


def test_whoever_watches_an_evaluation_hears_every_frame_and_value(clip: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, list[np.ndarray]]] = []
    told: list[Mapping[str, np.ndarray]] = []

    class Watching:
        def saw(self, frame: int, pictures: Sequence[np.ndarray]) -> None:
            seen.append((frame, list(pictures)))

        def measured(self, values: Sequence[Mapping[str, np.ndarray]]) -> None:
            told.extend(values)

    engine = KnownEngine(clip, lambda frame, picture: picture + np.uint8(frame - 10))
    other = KnownEngine(clip, lambda frame, picture: picture + np.uint8(4))
    result = evaluate_avatar(
        judged(clip, engine),
        EvaluateSettings(size=SIZE),
        beside=Beside(other, "other", REST),
        new_tracker=PosedTracker,
        witness=Watching(),
    )
    assert [frame for frame, _ in seen] == list(range(20, 30))
    for frame, (real, drawn, _, beside) in seen:
        assert (drawn - real == frame - 10).all()
        assert (beside - real == 4).all()
    ours, nearest, theirs = told
    expected = 20 * np.log10(255 / np.arange(10.0, 20.0))
    np.testing.assert_allclose(ours["psnr"], expected, atol=1e-6)
    np.testing.assert_allclose(theirs["psnr"], 20 * np.log10(255 / 4), atol=1e-6)
    for values, means in ((ours, result.metrics), (nearest, result.nearest_frame), (theirs, result.beside)):
        for name, mean in means.items():
            assert np.nanmean(values[name]) == pytest.approx(mean, abs=1e-6), name
        assert np.isnan(values["flicker"][0]), "the first frame has no predecessor"


def test_pictures_and_values_are_kept_under_the_right_side(tmp_path: Path) -> None:
    from PIL import Image

    keeper = _Keeper(tmp_path, {7})
    pictures = [np.full((4, 4, 3), (level, 0, 255 - level), np.uint8) for level in (10, 20, 30, 40)]
    keeper.saw(7, pictures)
    keeper.saw(8, pictures)
    keeper.measured(
        [{"psnr": np.array([1, np.inf])}, {"psnr": np.array([2.0, 2])}, {"psnr": np.full(2, np.nan)}]
    )
    with Image.open(tmp_path / "frames" / "000007.png") as strip:
        row = np.asarray(strip)[2, 2::4]
    # The engine beside comes last to whoever watches, and stands before the nearest frame here.
    assert row.tolist() == [[level, 0, 255 - level] for level in (10, 20, 40, 30)]
    assert not (tmp_path / "frames" / "000008.png").exists()
    assert keeper.frames == [7, 8]
    np.testing.assert_array_equal(keeper.curves["a.psnr"], np.array([1, np.nan], np.float32))
    np.testing.assert_array_equal(keeper.curves["nearest.psnr"], [2, 2])
    assert "b.psnr" not in keeper.curves


@pytest.mark.parametrize(("count", "most", "every"), [(10, 10, 1), (11, 10, 2), (30, 10, 3), (5, 450, 1)])
def test_of_a_long_end_every_second_or_third_picture_is_kept(count: int, most: int, every: int) -> None:
    frames = np.arange(100, 100 + count)
    kept = _kept(frames, most)
    assert kept == set(frames[::every].tolist())
    assert len(kept) <= most
