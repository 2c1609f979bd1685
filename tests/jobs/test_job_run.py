from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pipelines import runner
from pipelines.job import (
    JobStatus,
    alone,
    create_job,
    read_events,
    read_job,
    read_made,
    read_status,
    request,
    write_status,
)
from pipelines.run import BUSY, DEFECT, FINISHED, INTERRUPTED, PROBLEM, main, run_job
from studio.domain.problem import Problem


def _until(condition, limit=20.0):
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.005)


def _events(folder: Path, kind: str):
    return [e for e in read_events(folder) if e["event"] == kind]


def test_a_job_makes_its_artefacts_in_order_and_says_how_they_came_to_be(fake_job, artefacts):
    folder = fake_job()
    plan = read_job(folder)
    assert run_job(folder) == FINISHED
    made = artefacts()
    assert made[plan.steps[2].key] == "stage0\nstage1\nstage2\n"
    assert set(made) == {step.key for step in plan.steps}
    status = read_status(folder)
    assert (status.state, status.step, status.steps, status.pid) == ("finished", 3, 3, None)
    record = read_made(folder.parents[1] / plan.steps[2].output)
    assert record["inputs"] == {"before": plan.steps[1].key}
    assert record["settings"]["ticks"] == 10
    assert not list(folder.glob("scratch/*"))


def test_running_a_finished_job_again_does_nothing(fake_job, artefacts):
    folder = fake_job()
    run_job(folder)
    times = {p: p.stat().st_mtime_ns for p in (folder.parents[1] / "artefacts").rglob("*")}
    assert run_job(folder) == FINISHED
    assert {p: p.stat().st_mtime_ns for p in (folder.parents[1] / "artefacts").rglob("*")} == times
    assert [e["state"] for e in _events(folder, "step")] == ["begun", "made"] * 3 + ["begun", "found"] * 3


def test_equal_plans_share_a_folder_and_settings_that_matter_do_not(fake_job):
    assert fake_job() == fake_job()
    assert fake_job(colour="blue") == fake_job()
    assert fake_job(ticks=11) != fake_job()


def test_a_changed_later_stage_finds_the_earlier_ones(fake_job, artefacts):
    run_job(fake_job())
    other = fake_job(ticks=3)
    run_job(other)
    assert [(e["step"], e["state"]) for e in _events(other, "step") if e["state"] != "begun"] == [
        ("stage0", "found"),
        ("stage1", "made"),
        ("stage2", "made"),
    ]
    assert len(artefacts()) == 5


@pytest.mark.parametrize(
    ("trouble", "code", "words", "problem"),
    [
        ("problem", PROBLEM, "no face", True),
        ("defect", DEFECT, "ZeroDivisionError: a defect of ours", False),
        ("full", PROBLEM, "full", True),
        ("memory", PROBLEM, "memory", True),
    ],
)
def test_trouble_is_told_and_leaves_nothing_half_made(fake_job, artefacts, trouble, code, words, problem):
    folder = fake_job(trouble=trouble)
    assert run_job(folder) == code
    status = read_status(folder)
    assert status.state == "failed"
    assert words in status.message
    assert status.problem is problem
    assert set(artefacts()) == {read_job(folder).steps[0].key}
    log = (folder / "log.txt").read_text()
    assert ("Traceback" in log) is (trouble != "problem")


def test_a_stop_keeps_the_checkpoint_and_the_next_run_continues_from_it(fake_job, artefacts):
    folder = fake_job(ticks=60, seconds=0.02)
    job = runner.start(folder)
    _until(lambda: job.status().step == 1 and job.status().done > 5)
    stopped = job.stop()
    assert stopped.state == "stopped"
    assert job.process is not None
    assert job.process.returncode == INTERRUPTED
    assert set(artefacts()) == {read_job(folder).steps[0].key}
    checkpoint = int(next(folder.glob("scratch/*/tick")).read_text())
    assert checkpoint > 5
    assert runner.start(folder).wait().state == "finished"
    assert _events(folder, "metric")[-2]["resumed_at"] == checkpoint
    assert not (folder / "stop").exists()


def test_a_cancel_clears_the_checkpoint(fake_job, artefacts):
    folder = fake_job(ticks=200, seconds=0.02)
    job = runner.start(folder)
    _until(lambda: job.status().step == 1 and job.status().done > 1)
    assert job.cancel().state == "cancelled"
    assert not list(folder.glob("scratch/*"))
    assert set(artefacts()) == {read_job(folder).steps[0].key}


def test_a_stopped_job_can_be_cancelled_later(fake_job):
    folder = fake_job(ticks=200, seconds=0.02)
    job = runner.start(folder)
    _until(lambda: job.status().step == 1 and job.status().done > 1)
    job.stop()
    assert list(folder.glob("scratch/*/tick"))
    assert runner.RunningJob(folder, None).cancel().state == "cancelled"
    assert not list(folder.glob("scratch/*"))


def test_ctrl_c_to_the_worker_is_a_stop(fake_job):
    folder = fake_job(ticks=300, seconds=0.02)
    job = runner.start(folder)
    _until(lambda: job.status().step == 1 and job.status().done > 1)
    assert job.process is not None
    job.process.send_signal(signal.SIGINT)
    assert job.wait().state == "stopped"
    assert list(folder.glob("scratch/*/tick"))


@pytest.mark.parametrize("trouble", ["die", "exit"])
def test_a_killed_worker_is_seen_as_crashed_by_any_reader(fake_job, trouble):
    folder = fake_job(trouble=trouble)
    ended = runner.start(folder).wait()
    assert ended.state == "crashed"
    assert read_status(folder).state == "crashed"
    assert "Start it again and it goes on" in ended.message
    if trouble == "exit":
        assert "last words" in (folder / "log.txt").read_text()


def test_a_worker_that_dies_before_its_first_word_is_crashed_not_queued(fake_job, monkeypatch):
    folder = fake_job()
    monkeypatch.setattr(runner, "worker_command", lambda _: [sys.executable, "-c", "raise SystemExit(9)"])
    assert runner.start(folder).wait(limit=20).state == "crashed"


def test_a_reused_process_number_is_not_taken_for_the_worker(fake_job):
    folder = fake_job()
    me = psutil.Process()
    write_status(folder, JobStatus("running", pid=me.pid, process_started=me.create_time(), host=_host()))
    assert read_status(folder).state == "running"
    write_status(
        folder, JobStatus("running", pid=me.pid, process_started=me.create_time() - 60, host=_host())
    )
    assert read_status(folder).state == "crashed"


def test_a_worker_on_another_machine_is_believed_while_its_heart_beats(fake_job):
    folder = fake_job()
    there = JobStatus("running", pid=1, process_started=0.0, host="elsewhere", heartbeat=time.time())
    write_status(folder, there)
    assert read_status(folder).state == "running"
    write_status(folder, JobStatus("running", pid=1, host="elsewhere", heartbeat=time.time() - 3600))
    assert read_status(folder).state == "crashed"


def _host() -> str:
    import socket

    return socket.gethostname()


def test_kill_9_at_random_moments_and_the_second_run_finishes(fake_job, artefacts, tmp_path):
    """Earlier stages survive every kill, whatever it hit: starting, a stage, a rename, the end."""
    random.seed(4)
    folder = fake_job(ticks=12)
    plan = read_job(folder)
    plan_text = (folder / "job.json").read_bytes()
    kept: set[str] = set()
    for _ in range(6):
        begun = len(_events(folder, "step"))
        job = runner.start(folder)
        _until(lambda job=job, begun=begun: len(_events(folder, "step")) > begun or job.status().over)
        time.sleep(random.uniform(0.0, 0.35))
        assert job.process is not None
        job.process.kill()
        status = job.wait()
        assert status.state in ("crashed", "finished")
        present = {name for name in artefacts() if not name.startswith(".")}
        assert kept <= present, "a kill lost an artefact"
        assert all(artefacts()[name] != "incomplete" for name in present)
        kept = present
    assert runner.start(folder).wait().state == "finished"
    assert artefacts() == {
        step.key: "".join(f"stage{i}\n" for i in range(n + 1)) for n, step in enumerate(plan.steps)
    }, "unfinished folders of dead processes are cleared away"
    assert (folder / "job.json").read_bytes() == plan_text
    json.loads((folder / "status.json").read_text())


def test_two_processes_do_not_work_on_one_job(fake_job):
    folder = fake_job(ticks=300, seconds=0.02)
    first = runner.start(folder)
    _until(lambda: read_status(folder).state == "running")
    by_hand = subprocess.run(
        [*runner.worker_command(folder)], check=False, cwd=Path(runner.__file__).parents[1]
    )
    assert by_hand.returncode == BUSY
    joined = runner.start(folder)
    assert joined.process is None
    assert joined.stop().state == "stopped"
    assert first.wait().state == "stopped"


def test_a_job_at_work_cannot_be_discarded(fake_job):
    folder = fake_job()
    with alone(folder) as free:
        assert free
        with pytest.raises(Problem, match="still at work"):
            runner.discard(folder)
    runner.discard(folder)
    assert not folder.exists()


def test_a_stubborn_worker_and_its_children_are_killed(fake_job, monkeypatch, tmp_path):
    folder = fake_job()
    script = (
        "import subprocess, sys, signal, time, pathlib;"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        f"pathlib.Path({str(tmp_path / 'child')!r}).write_text(str(child.pid));"
        "time.sleep(60)"
    )
    monkeypatch.setattr(runner, "worker_command", lambda _: [sys.executable, "-c", script])
    job = runner.start(folder)
    _until(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text())
    child = int((tmp_path / "child").read_text())
    assert job.stop(patience=0.1).state == "crashed"
    _until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)


def test_jobs_to_recover_are_those_not_finished(fake_job):
    finished, failed = fake_job(), fake_job(trouble="problem")
    run_job(finished)
    run_job(failed)
    left = runner.recover([finished, failed, failed.with_name("no-such-job")])
    assert {folder: status.state for folder, status in left.items()} == {failed: "failed"}
    runner.RunningJob(failed, None).cancel()
    assert runner.recover([finished, failed]) == {}


def test_a_line_cut_short_is_skipped_and_does_not_swallow_the_next(fake_job):
    folder = fake_job()
    (folder / "events.jsonl").write_text('{"event": "progress", "done": 1}\n{"event": "prog')
    run_job(folder)
    events = list(read_events(folder))
    assert events[0] == {"event": "progress", "done": 1}
    assert events[1]["event"] == "state"
    assert events[-1]["state"] == "finished"


def test_a_damaged_status_means_run_it_again(fake_job):
    folder = fake_job()
    (folder / "status.json").write_text("")
    assert read_status(folder).state == "queued"
    assert run_job(folder) == FINISHED


def test_a_damaged_plan_is_a_problem(fake_job, capsys):
    folder = fake_job()
    (folder / "job.json").write_text('{"schema_version": 1, "kind": "fake"}')
    assert main([str(folder)]) == PROBLEM
    assert "job.json" in capsys.readouterr().err
    assert main([]) == PROBLEM


def test_stop_requests_are_obeyed_before_work_begins(fake_job, artefacts):
    folder = fake_job()
    request(folder, "stop")
    assert run_job(folder) == INTERRUPTED
    assert read_status(folder).state == "stopped"
    assert artefacts() == {}


def test_a_full_disk_is_told_in_the_status(fake_job, monkeypatch):
    import errno

    from studio.project import atomic

    folder = fake_job()

    def full(number: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(atomic, "sync_tree", lambda _: full(0))
    assert run_job(folder) == PROBLEM
    status = read_status(folder)
    assert (status.state, status.problem) == ("failed", True)
    assert "full" in status.message


def test_a_home_folder_can_move(fake_job, artefacts, tmp_path):
    folder = fake_job()
    (tmp_path / "someone").rename(tmp_path / "moved")
    assert run_job(tmp_path / "moved" / folder.relative_to(tmp_path / "someone")) == FINISHED
    assert (tmp_path / "moved" / "artefacts").is_dir()


def test_creating_a_job_where_nothing_can_be_written_is_a_problem(fake_job, tmp_path):
    plan = read_job(fake_job())
    (tmp_path / "file").write_text("")
    with pytest.raises(Problem, match="file"):
        create_job(tmp_path / "file" / "jobs", plan)
