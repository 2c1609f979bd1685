"""How long a build took, read from what its jobs noted, with every second known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.build_job import plan_build
from pipelines.build_times import build_time, seconds_at_work
from pipelines.job import create_job
from studio.project.store import Store


def step(time: float, state: str, stage: str = "pvp", key: str = "k") -> dict:
    return {"time": time, "event": "step", "step": stage, "state": state, "key": key}


def state(time: float, state: str) -> dict:
    return {"time": time, "event": "state", "state": state}


def at_work(time: float) -> dict:
    return {"time": time, "event": "progress", "what": "training", "done": 1, "total": 9}


def test_a_stage_takes_from_its_beginning_to_its_end() -> None:
    events = [state(0, "running"), step(1, "begun", "track"), at_work(5), step(9, "made", "track")]
    events += [step(9.5, "begun"), step(30, "made"), state(31, "finished")]
    assert seconds_at_work(events) == {("track", "k"): 8.0, ("pvp", "k"): 20.5}


def test_a_pause_does_not_count() -> None:
    events = [step(10, "begun"), at_work(20), state(25, "stopped"), state(1000, "running")]
    events += [step(1001, "begun"), step(1011, "made")]
    assert seconds_at_work(events) == {("pvp", "k"): 15.0 + 10.0}


def test_a_worker_that_was_killed_counts_until_its_last_word() -> None:
    events = [step(10, "begun"), at_work(22), state(1000, "running"), step(1001, "begun"), step(1005, "made")]
    assert seconds_at_work(events) == {("pvp", "k"): 12.0 + 4.0}


def test_what_was_found_ready_or_is_not_done_has_no_time() -> None:
    events = [step(1, "begun", "track"), step(1.1, "found", "track"), step(2, "begun"), at_work(50)]
    assert seconds_at_work(events) == {}
    assert seconds_at_work([{"event": "step"}, {"time": "never"}]) == {}


def test_a_build_is_the_sum_of_its_own_stages_whichever_job_made_them(home: Path, clip: Path) -> None:
    subject = Store(home).add("Anna")
    subject.add_clip(clip)
    build = plan_build(subject, subject.clips()[0], "instant", "draft", None, 0.2)
    other = plan_build(subject, subject.clips()[0], "instant", "standard", None, 0.2)
    keys = {step.id: step.key for step in build.plan.steps}

    def note(job: Path, seconds: dict[str, float], **found: str) -> None:
        time, lines = 0.0, []
        for stage, key in {**keys, **found}.items():
            lines += [step(time, "begun", stage, key)]
            time += seconds.get(stage, 0.0)
            lines += [step(time, "made" if stage in seconds else "found", stage, key)]
        (job / "events.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")

    first, second = create_job(home / "jobs", other.plan), create_job(home / "jobs", build.plan)
    # Pivots were chosen for another preset's avatar, which is no part of this one.
    note(first, {"track": 40.0, "pivots": 3.0, "instant": 99.0}, instant="other")
    note(second, {"instant": 5.0})
    jobs = [first, second]
    took = build_time(build, jobs)
    assert took.stages == {"track": 40.0, "pivots": 3.0, "instant": 5.0}
    assert took.seconds == pytest.approx(8.0)
    assert build_time(build, jobs[1:]).seconds is None, "a record that is gone is not nothing"
