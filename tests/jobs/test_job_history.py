"""A job's events read bit by bit: only what is new, nothing twice, nothing lost."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from pipelines.job import JobContext, read_job
from pipelines.job_history import JobHistory
from pipelines.run import run_job

NUMBER = {"time": 1.0, "event": "metric", "what": "tuning"}


def told(folder: Path, *events: dict[str, object], ending: str = "\n") -> None:
    with (folder / "events.jsonl").open("a", encoding="utf-8") as file:
        file.write("\n".join(json.dumps(event) for event in events) + ending)


def curve(history: JobHistory, name: str, what: str = "tuning") -> list[tuple[float, float]]:
    (found,) = [c for c in history.curves(what) if c.name == name]
    return list(zip(found.steps.tolist(), found.values.tolist()))


def test_figures_become_curves_apart_for_each_training(tmp_path: Path) -> None:
    told(
        tmp_path,
        {**NUMBER, "step": 0, "validation_loss": 0.5},
        {**NUMBER, "step": 20, "loss": 0.4, "rate": 1.0},
        {**NUMBER, "step": 40, "loss": 0.3, "rate": 0.5, "validation_loss": 0.45},
        {**NUMBER, "step": 7, "loss": 9.0, "what": "mapping"},
        {"time": 1.0, "event": "metric", "what": "counting", "resumed_at": 3},
    )
    history = JobHistory(tmp_path)
    assert history.read()
    assert curve(history, "loss") == [(20, 0.4), (40, 0.3)]
    assert curve(history, "validation_loss") == [(0, 0.5), (40, 0.45)]
    assert curve(history, "loss", "mapping") == [(7, 9.0)]
    assert history.trainings == ("tuning", "mapping")
    assert {c.name for c in history.curves() if c.validation} == {"validation_loss"}


def test_a_cut_line_waits_and_nothing_is_read_twice(tmp_path: Path) -> None:
    history = JobHistory(tmp_path)
    assert not history.read(), "the job has not begun"
    told(tmp_path, {**NUMBER, "step": 1, "loss": 1.0})
    line = json.dumps({**NUMBER, "step": 2, "loss": 0.25, "note": "ä"}, ensure_ascii=False).encode()
    with (tmp_path / "events.jsonl").open("ab") as file:
        file.write(line[:-3])
    assert history.read()
    assert curve(history, "loss") == [(1, 1.0)]
    assert not history.read()
    with (tmp_path / "events.jsonl").open("ab") as file:
        file.write(line[-3:] + b"\n")
    assert history.read()
    assert curve(history, "loss") == [(1, 1.0), (2, 0.25)]
    assert not history.read()


def test_any_size_of_bite_gives_the_same(tmp_path: Path) -> None:
    events = [{**NUMBER, "step": step, "loss": 1 / (1 + step)} for step in range(50)]
    told(tmp_path, *events)
    whole = JobHistory(tmp_path)
    whole.read()
    assert not whole.unread
    for most in (1, 7, 200, 1000):
        bites = JobHistory(tmp_path)
        looks = 0
        while bites.read(most):
            looks += 1
            assert looks <= 50
            if bites.unread:
                assert len(curve(bites, "loss")) < 50
        assert not bites.unread
        assert curve(bites, "loss") == curve(whole, "loss")
        assert len(curve(bites, "loss")) == 50


def test_steps_done_again_after_a_kill_replace_what_was_told(tmp_path: Path) -> None:
    told(tmp_path, *[{**NUMBER, "step": step, "loss": float(step)} for step in (10, 20, 30, 40)])
    told(tmp_path, {"half": 1}, ending="")
    told(tmp_path, {"time": 2.0, "event": "state", "state": "running"}, ending="\n")  # on the half line: lost
    told(tmp_path, *[{**NUMBER, "step": step, "loss": step / 10} for step in (20, 35)])
    history = JobHistory(tmp_path)
    history.read()
    assert curve(history, "loss") == [(10, 10.0), (20, 2.0), (35, 3.5)]


def test_what_is_no_number_is_a_gap(tmp_path: Path) -> None:
    with (tmp_path / "events.jsonl").open("w") as file:
        file.write('{"time": 1, "event": "metric", "what": "tuning", "step": 1, "loss": NaN}\n')
        file.write('{"time": 1, "event": "metric", "what": "tuning", "step": 2, "loss": null}\n')
        file.write('{"time": 1, "event": "metric"}\n[1, 2]\nnot json\n\n')
    history = JobHistory(tmp_path)
    assert history.read()
    assert np.isnan([value for _, value in curve(history, "loss")]).all()


def test_sentences_come_once_and_the_newest_picture_is_known(tmp_path: Path) -> None:
    said = {"time": 3.0, "event": "said", "what": "tuning", "sentence": "LPIPS is off."}
    picture = {"time": 4.0, "event": "picture", "what": "tuning", "path": "scratch/a/preview.png"}
    history = JobHistory(tmp_path)
    told(tmp_path, said, picture)
    history.read()
    told(tmp_path, said, {**picture, "time": 9.0, "what": "mapping", "path": "scratch/b/preview.png"})
    history.read()
    assert [one.sentence for one in history.said] == ["LPIPS is off."]
    assert history.picture is not None
    assert history.picture.path == tmp_path / "scratch/b/preview.png"
    assert (history.picture.time, history.picture.what) == (9.0, "mapping")


def test_a_job_begun_anew_under_the_same_name_is_another_history(tmp_path: Path) -> None:
    told(tmp_path, *[{**NUMBER, "step": step, "loss": 1.0} for step in range(5)])
    history = JobHistory(tmp_path)
    history.read()
    (tmp_path / "events.jsonl").unlink()
    told(tmp_path, {**NUMBER, "step": 1, "loss": 7.0})
    history.read()
    assert curve(history, "loss") == [(1, 7.0)]


def test_a_real_job_tells_its_stages(fake_job) -> None:
    folder = fake_job()
    history = JobHistory(folder)
    run_job(folder)
    history.read()
    assert list(history.stages) == ["stage0", "stage1", "stage2"]
    assert {stage.state for stage in history.stages.values()} == {"made"}
    first = history.stages["stage0"]
    assert first.ended is not None
    assert first.ended >= first.begun
    assert (first.what, first.done, first.total) == ("Stage 0", 10, 10)
    assert history.state == "finished"
    run_job(folder)
    history.read()
    assert {stage.state for stage in history.stages.values()} == {"found"}
    other = fake_job(trouble="problem", ticks=4)
    run_job(other)
    failed = JobHistory(other)
    failed.read()
    assert [(s.id, s.state) for s in failed.stages.values()] == [("stage0", "found"), ("stage1", "begun")]
    assert (failed.state, failed.message) == ("failed", "The clip shows no face: record one.")


def test_what_a_worker_tells_while_it_works_is_seen(fake_job) -> None:
    folder = fake_job()
    history = JobHistory(folder)
    context = JobContext(folder, read_job(folder))
    context.begin(0)
    context(1, 10, "tuning")
    context.metric(step=5, loss=0.5)
    assert history.read()
    assert curve(history, "loss") == [(5, 0.5)]
    assert history.stages["stage0"].what == "tuning"
    context.end("stopped")
    assert history.read()
    assert history.state == "stopped"
