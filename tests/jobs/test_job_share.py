from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.job import JobPlan, Step
from pipelines.job_share import PHASES, JobShare
from pipelines.recipes import RECIPES


def _plan(engine: str) -> JobPlan:
    from pipelines.recipes import settings_for

    chosen = settings_for(engine, "draft")
    steps = tuple(
        Step.plan(
            id=stage.id,
            title=stage.title,
            work=stage.work,
            settings_class=stage.settings,
            settings=chosen[stage.id],
            version=stage.version,
            inputs={},
            output=lambda key: key,
        )
        for stage in RECIPES[engine]
    )
    return JobPlan("build", "build", steps, "Ann")


def test_a_bar_moves_evenly_through_the_steps_and_never_back() -> None:
    share = JobShare(_plan("instant"), (False, False, False))
    seen = []
    for step, phases in enumerate((PHASES["track"], {"Choosing pivots": 1.0}, PHASES["instant"])):
        seen.append(share(step, "begun", 0, None))
        for what in phases:
            seen += [share(step, what, done, 10) for done in range(11)]
    assert seen[0] == 0.0
    assert seen[-1] == pytest.approx(1.0)
    steps = [after - before for before, after in zip(seen, seen[1:])]
    assert min(steps) >= 0.0
    assert max(steps) < 0.11, "no leap"


def test_what_was_there_before_takes_no_share() -> None:
    share = JobShare(_plan("instant"), (True, True, False))
    assert share(2, "begun", 0, None) == 0.0
    assert share(2, "Cutting out the pivots", 1, 2) == pytest.approx(0.24)
    assert share(2, "Writing the avatar", 0, 1) == pytest.approx(0.96)
    assert share(2, "something nobody knows", 1, 100) == pytest.approx(0.96)


def test_minutes_of_training_weigh_more_than_seconds_before_them() -> None:
    share = JobShare(_plan("pvp"), (False,) * 6)
    titles = [step.id for step in _plan("pvp").steps]
    before = {name: share(titles.index(name), "begun", 0, None) for name in titles}
    assert before["prior"] < 0.3
    assert 1.0 - before["pvp"] > 0.3


def test_a_volume_is_most_of_its_job() -> None:
    share = JobShare(_plan("tri2plane"), (False,) * 5)
    begun = share(4, "begun", 0, None)
    assert begun < 0.35
    assert share(4, "training the volume", 500, 1000) == pytest.approx(begun + 0.5 * (1 - begun))


def test_a_step_that_nobody_measured_has_its_share_too() -> None:
    one, two = (replace(step, id=f"new {step.id}") for step in _plan("instant").steps[:2])
    share = JobShare(JobPlan("new", "new", (one, two)), (False, False))
    assert share(0, "anything", 5, 10) == pytest.approx(0.25)
    assert share(1, "anything", 0, 10) == pytest.approx(0.5)


@pytest.mark.parametrize("stage", PHASES)
def test_every_phase_is_one_that_somebody_reports(stage: str) -> None:
    root = Path(__file__).resolve().parents[2]
    files = [*(root / "pipelines").glob("*.py"), *(root / "studio" / "head").glob("*.py")]
    sources = "\n".join(file.read_text(encoding="utf-8") for file in files if file.name != "job_share.py")
    reported = set(re.findall(r'"([A-Za-z][^"\n]+)"', sources))
    assert set(PHASES[stage]) <= reported
    assert sum(PHASES[stage].values()) == pytest.approx(100)
