"""What comparisons of two say together, and the one job for what they do not say yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.compare_job import CompareSettings, Contender, contenders
from pipelines.compare_result import FILE, Measure
from pipelines.compared_engines import (
    KIND,
    Compared,
    ComparedEngines,
    forecast_rest,
    is_of,
    plan_the_rest,
    read_compared,
)
from pipelines.stage_costs import ClipSize, Machine
from studio.assets import AssetLibrary
from studio.project.store import ClipFolder, Store, SubjectFolder
from tests.evaluate.compared_pairs import MEASURES, NEAREST, write_pair
from tests.evaluate.test_compare_job import pretend

SIZE, MACHINE = ClipSize(600, 512, 512), Machine("cpu", 2, 8.0, 100.0)


@pytest.fixture
def subject(home: Path, clip: Path) -> SubjectFolder:
    made = Store(home).add("Anna")
    made.add_clip(clip)
    return made


@pytest.fixture
def their_clip(subject: SubjectFolder) -> ClipFolder:
    return subject.clips()[0]


@pytest.fixture
def sides(subject, their_clip) -> dict[str, Contender]:
    return {side.id: side for side in contenders(subject, their_clip)}


def read(subject: SubjectFolder, clip: ClipFolder, sides: dict[str, Contender]) -> ComparedEngines:
    return read_compared(subject, clip, list(sides.values()), assets=AssetLibrary(subject.home))


def of(side: Contender, psnr: float, fps: float) -> tuple:
    return side, {"psnr": psnr, "aed": 1.0}, fps


def test_pairs_on_the_same_frames_become_one_table(subject, their_clip, sides) -> None:
    instant, pvp, tri = (sides[name] for name in ("instant:draft", "pvp:draft", "tri2plane:draft"))
    write_pair(
        subject, their_clip, {"one": of(instant, 24.0, 60), "other": of(tri, 23.0, 9)}, made="2026-01-01"
    )
    write_pair(
        subject, their_clip, {"one": of(pvp, 24.5, 40), "other": of(instant, 24.0, 77)}, made="2026-01-02"
    )
    found = read(subject, their_clip, sides)
    assert [row.side.id for row in found.rows] == ["instant:draft", "pvp:draft", "tri2plane:draft"]
    assert [row.means["psnr"] for row in found.rows] == [24.0, 24.5, 23.0]
    # Speed is what was measured last.
    assert [row.fps for row in found.rows] == [77.0, 40.0, 9.0]
    assert found.nearest == NEAREST
    assert found.frames == 30
    assert [measure.id for measure in found.measures] == ["psnr", "aed"]


def test_other_settings_another_clip_and_damaged_files_do_not_count(subject, their_clip, sides) -> None:
    instant, pvp = sides["instant:draft"], sides["pvp:draft"]
    pair = {"one": of(instant, 24.0, 60), "other": of(pvp, 24.5, 40)}
    write_pair(subject, their_clip, pair, CompareSettings(size=128))
    assert not read(subject, their_clip, sides).rows
    folder = write_pair(subject, their_clip, pair, CompareSettings(pictures=7))
    # How many pictures are kept changes no figure.
    assert len(read(subject, their_clip, sides).rows) == 2
    (folder / FILE).write_text("{")
    assert not read(subject, their_clip, sides).rows
    gone = {name: side for name, side in sides.items() if name != "pvp:draft"}
    write_pair(subject, their_clip, pair)
    assert [row.side.id for row in read(subject, their_clip, gone).rows] == ["instant:draft"]


def test_the_best_is_told_by_direction_and_shown_digits(sides) -> None:
    measures = tuple(Measure(**entry) for entry in MEASURES)
    a, b, c = (sides[name] for name in ("instant:draft", "pvp:draft", "tri2plane:draft"))
    rows = (
        Compared(a, {"psnr": 24.001, "aed": 0.5}, 1),
        Compared(b, {"psnr": 24.002, "aed": 0.7}, 1),
        Compared(c, {"psnr": 20.0}, 1),
    )
    table = ComparedEngines(rows, measures)
    assert table.best(measures[0]) == {a.id, b.id}
    assert table.best(measures[1]) == {a.id}
    assert not ComparedEngines(rows[:1], measures).best(measures[0])


def rest_of(subject, clip, sides, found: ComparedEngines):
    return plan_the_rest(subject, clip, list(sides.values()), found, assets=AssetLibrary(subject.home))


def test_the_rest_is_one_job_against_the_instant_engine(subject, their_clip, sides) -> None:
    rest = rest_of(subject, their_clip, sides, ComparedEngines())
    assert rest is not None
    assert [side.id for side in rest.sides] == ["instant:draft", "pvp:draft", "tri2plane:draft"]
    ids = [step.id for step in rest.plan.steps]
    assert ids.count("compare") == 2
    assert ids.count("track") == ids.count("pivots") == 1
    assert ids.count("instant") == 2, "the compared one, and the one that both others stand on"
    assert ids.index("compare") < ids.index("tri2plane"), "the quickest is compared first"
    instant = sides["instant:draft"].build.plan.steps[-1].key
    compared = [step for step in rest.plan.steps if step.id == "compare"]
    assert all(instant in (step.input_keys["a"], step.input_keys["b"]) for step in compared)
    assert rest.plan.kind == KIND
    assert is_of(rest.plan, their_clip)
    before = forecast_rest(rest, SIZE, MACHINE)
    assert before.minutes[0] > 10
    for side in rest.sides:
        for step in side.build.plan.steps:
            if not (subject.path / step.output).exists():
                pretend(step, subject)
    fresh = {side.id: side for side in contenders(subject, their_clip)}
    rest = rest_of(subject, their_clip, fresh, ComparedEngines())
    built = forecast_rest(rest, SIZE, MACHINE)
    assert built.minutes[1] < before.minutes[0]
    assert built.building == (False, False)


def test_what_is_built_or_in_use_is_taken_rather_than_the_quickest(subject, their_clip, sides) -> None:
    for step in sides["instant:best"].build.plan.steps:
        pretend(step, subject)
    fresh = {side.id: side for side in contenders(subject, their_clip)}
    rest = rest_of(subject, their_clip, fresh, ComparedEngines())
    assert rest.sides[0].id == "instant:best"


def test_nothing_is_left_when_every_engine_is_in_the_table(subject, their_clip, sides) -> None:
    instant, pvp, tri = (sides[name] for name in ("instant:standard", "pvp:draft", "tri2plane:full"))
    write_pair(subject, their_clip, {"one": of(pvp, 24.0, 60), "other": of(tri, 23.0, 9)})
    found = read(subject, their_clip, sides)
    rest = rest_of(subject, their_clip, sides, found)
    # Two without the instant one: it still has to show what it can.
    assert [side.engine for side in rest.sides] == ["instant"]
    assert [step.id for step in rest.plan.steps].count("compare") == 1
    write_pair(subject, their_clip, {"one": of(instant, 24.0, 60), "other": of(pvp, 24.0, 9)})
    found = read(subject, their_clip, sides)
    assert rest_of(subject, their_clip, sides, found) is None


def test_a_job_that_was_begun_for_more_does_what_is_left(subject, their_clip, sides) -> None:
    whole = rest_of(subject, their_clip, sides, ComparedEngines())
    instant, pvp = whole.sides[:2]
    write_pair(subject, their_clip, {"one": of(instant, 24.0, 60), "other": of(pvp, 24.0, 9)})
    left = rest_of(subject, their_clip, sides, read(subject, their_clip, sides))
    assert [side.engine for side in left.sides] == ["tri2plane"]
    assert left.done_by(whole.plan)
    assert not whole.done_by(left.plan)
