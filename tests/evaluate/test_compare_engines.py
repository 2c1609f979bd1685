"""Several engines beside each other: who takes part, what must be equal for all, and what is reported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipelines import compare_engines as comparing
from pipelines.bench_result import Machine
from pipelines.build_job import plan_build
from pipelines.build_times import BuildTime
from pipelines.compare_engines import (
    Contestant,
    EngineComparison,
    KeptFrame,
    Measured,
    Watch,
    bytes_in,
    contestants,
)
from pipelines.drawing_memory import DrawingMemory
from pipelines.engines_report import NEAREST, as_json, as_markdown, write_sheet
from pipelines.evaluate_avatar import Evaluation
from pipelines.evaluation_pictures import CELL
from pipelines.sheet_file import HEADING
from studio.domain.problem import Problem
from studio.engines.catalog import ENGINES
from studio.project.store import ClipFolder, Store, SubjectFolder
from studio.tracking.settings import TrackSettings
from tests.engines.semantic.one_person import shelve

TRACKED = TrackSettings()
MACHINE = Machine("A processor", 2, 16.0, "none", "Linux", "3.11", "2", 0.5)


@pytest.fixture
def subject(home: Path, clip: Path) -> SubjectFolder:
    made = Store(home).add("Anna")
    made.add_clip(clip)
    return made


@pytest.fixture
def their_clip(subject: SubjectFolder) -> ClipFolder:
    return subject.clips()[0]


def test_everything_that_can_be_built_takes_part_with_its_fastest_preset(subject, their_clip, home) -> None:
    found, lacking = contestants(subject, their_clip, TRACKED)
    assert [one.name for one in found] == ["instant:draft", "pvp:draft", "tri2plane:draft"]
    assert set(lacking) == {"semantic", "export3d", "nofa"}
    assert all("train-people" in why for why in lacking.values())
    for one in found:
        held = {step.id: step.held_out for step in one.build.plan.steps}
        assert held.pop("track") == 0.0
        assert set(held.values()) == {0.2}
    shelve(home, "tiny")
    found, lacking = contestants(subject, their_clip, TRACKED)
    assert [one.engine for one in found] == ["instant", "semantic", "pvp", "tri2plane"]
    assert set(lacking) == {"export3d", "nofa"}


def test_a_damaged_base_model_leaves_out_its_engine_alone(subject, their_clip, home, monkeypatch) -> None:
    shelve(home, "tiny")

    def planned(subject, clip, engine, *rest):
        if engine == "semantic":
            raise Problem("It is damaged.")
        return plan_build(subject, clip, engine, *rest)

    monkeypatch.setattr(comparing, "plan_build", planned)
    found, lacking = contestants(subject, their_clip, TRACKED)
    assert lacking["semantic"] == "It is damaged."
    assert "semantic" not in {one.engine for one in found}
    with pytest.raises(Problem, match="It is damaged"):
        contestants(subject, their_clip, TRACKED, [("semantic", "")])


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ([("instnat", "")], "did you mean 'instant'"),
        ([("instant", "drfat")], "no preset 'drfat'"),
        ([("instant", ""), ("instant", "draft")], "instant:draft is named twice"),
        ([("nofa", "")], "NOFA.* cannot be compared. It needs a base model"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(subject, their_clip, wanted, said) -> None:
    with pytest.raises(Problem, match=said):
        contestants(subject, their_clip, TRACKED, wanted)


def test_what_was_asked_for_takes_part_in_that_order(subject, their_clip) -> None:
    found, lacking = contestants(subject, their_clip, TRACKED, [("tri2plane", ""), ("instant", "best")])
    assert [one.name for one in found] == ["tri2plane:draft", "instant:best"]
    assert not lacking


def test_watches_agree_on_real_and_nearest_frames_and_on_nothing_else() -> None:
    rng = np.random.default_rng(1)
    frames = {
        7: rng.integers(0, 255, (3, 4, 4, 3), np.uint8),
        9: rng.integers(0, 255, (3, 4, 4, 3), np.uint8),
    }

    def watch(changed: int | None = None) -> Watch:
        made = Watch({9})
        for frame, pictures in frames.items():
            shown = list(pictures.copy())
            if changed is not None and frame == 7:
                shown[changed][0, 0, 0] ^= 1
            made.saw(frame, shown)
        return made

    real, engine, nearest = 0, 1, 2
    assert watch().digest == watch(engine).digest
    assert len({watch().digest, watch(real).digest, watch(nearest).digest}) == 3
    assert set(watch().kept) == {9}
    for shown, expected in zip(watch().kept[9], frames[9]):
        np.testing.assert_array_equal(shown, expected)


def measured(subject, clip, engine: str, metrics: dict[str, float], seconds: float | None) -> Measured:
    (one,), _ = contestants(subject, clip, TRACKED, [(engine, "")])
    evaluation = Evaluation(
        title="Anna: clip",
        engine=engine,
        resolution=64,
        frames=10,
        fps=33.333,
        metrics=metrics,
        nearest_frame={"psnr": 18.0, "flicker": 0.2},
        off={"csim": "CSIM is off."},
        held_out=(20, 29),
        counts={},
    )
    memory = DrawingMemory(1.234, None)
    build = BuildTime({"track": 60.0, engine: seconds})
    return Measured(one, evaluation, build, memory, 2_500_000, 12_000_000 if engine == "pvp" else 0)


@pytest.fixture
def comparison(subject, their_clip) -> EngineComparison:
    ours = measured(subject, their_clip, "instant", {"psnr": 24.5, "flicker": -0.1}, 90.0)
    theirs = measured(subject, their_clip, "pvp", {"psnr": 23.25, "flicker": 0.3}, None)
    theirs = replace(
        theirs, contestant=Contestant("pvp", "draft", replace(theirs.contestant.build, made=True))
    )
    real = np.full((64, 64, 3), 100, np.uint8)
    drawn = {"instant:draft": real + np.uint8(1), "pvp:draft": real + np.uint8(10)}
    frames = {20: KeptFrame(real, real + np.uint8(50), drawn), 29: KeptFrame(real, real, drawn)}
    lacking = {"nofa": "It needs a base model."}
    return EngineComparison("Anna", "clip.mp4", (ours, theirs), frames, lacking)


def test_the_table_has_a_row_for_every_figure_and_marks_the_best(comparison) -> None:
    lines = as_markdown(comparison, MACHINE).splitlines()
    rows = {
        cells[1].strip(): [cell.strip() for cell in cells[2:-1]]
        for cells in (x.split("|") for x in lines)
        if len(cells) > 2
    }
    assert rows[""][1:] == ["instant:draft", "pvp:draft", NEAREST]
    assert rows["PSNR (dB)"] == ["↑", "**24.50**", "23.25", "18.00"]
    assert rows["Flicker (levels)"] == ["→ 0", "**-0.100**", "0.300", "0.200"]
    assert rows["frames drawn a second"] == ["↑", "33.3", "33.3", "–"]
    assert rows["minutes to build"] == ["↓", "1.5", "not recorded", "–"]
    assert rows["memory while drawing (GB)"] == ["↓", "1.23", "1.23", "–"]
    assert rows["its files (MB)"] == ["↓", "2.5", "2.5", "–"]
    assert rows["base model (MB)"] == ["↓", "–", "12.0", "–"]
    text = "\n".join(lines)
    assert "10 frames from 20 to 29" in text
    assert "Found ready here: pvp:draft." in text
    assert f"- Left out: {ENGINES['nofa'].title}. It needs a base model." in text
    assert text.count("CSIM is off.") == 1


def test_the_figures_say_where_they_come_from(comparison) -> None:
    told = as_json(comparison, MACHINE)
    ours, theirs = told["engines"]
    assert ours["build"]["seconds"] == 90.0
    assert ours["build"]["stages"]["track"] == 60.0
    assert (ours["build"]["found_ready"], theirs["build"]["found_ready"]) == (False, True)
    assert theirs["build"]["seconds"] is None
    assert theirs["bytes"] == {"avatar": 2_500_000, "base_model": 12_000_000}
    assert told["nearest_frame"]["psnr"] == 18.0
    assert told["machine"]["load"] == 0.5
    assert told["lacking"] == {"nofa": "It needs a base model."}


def test_the_sheet_has_a_row_for_each_frame_and_the_columns_in_order(comparison, tmp_path) -> None:
    write_sheet(tmp_path / "sheet.png", comparison)
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet.shape == (HEADING + 2 * (CELL + HEADING), 4 * CELL, 3)
    for row, nearest in enumerate((150, 100)):
        middle = sheet[HEADING + row * (CELL + HEADING) + CELL // 2]
        levels = [int(middle[column * CELL + CELL // 2, 0]) for column in range(4)]
        assert levels == [100, 101, 110, nearest]


def test_a_folder_counts_all_its_files(tmp_path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "one").write_bytes(bytes(100))
    (tmp_path / "deep" / "two").write_bytes(bytes(23))
    assert bytes_in(tmp_path) == 123
