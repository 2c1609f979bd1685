"""What a person at a terminal sees of a job, and what becomes of it when the terminal goes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines import run, runner
from pipelines.job import read_events, read_job, read_status

_SCRIPT = """
import sys
from pathlib import Path
from pipelines import runner
from pipelines.cli import door
from pipelines.cli.screen import Screen

def command(words):
    Screen().follow(Path(words[0]))
    Screen().say("done")
    return 0

if sys.argv[2]:
    runner.worker_command = lambda folder: [sys.executable, "-c", sys.argv[2]]
door.COMMANDS["go"] = ("__main__:command", "")
sys.exit(door.run(["go", sys.argv[1]]))
"""


@pytest.fixture
def terminal():
    """Start a command that follows a job, as a shell would."""
    started: list[subprocess.Popen[str]] = []

    def start(folder: Path, worker: str = "") -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", _SCRIPT, str(folder), worker],
            cwd=Path(runner.__file__).parents[1],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=os.name != "nt",
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def _until(condition, limit=30.0):
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.01)


def _at_work(folder: Path):
    return lambda: (status := read_status(folder)).step == 1 and status.done > 1


def test_progress_is_told_and_the_end_is_0(fake_job, terminal):
    process = terminal(fake_job())
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "done\n")
    assert "1/3 Stage 0" in err
    assert "3/3 Stage 2" in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_stops_the_job_with_its_checkpoint(fake_job, terminal, number):
    folder = fake_job(ticks=1000, seconds=0.02)
    process = terminal(folder)
    _until(_at_work(folder))
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err.strip().splitlines()[-1].startswith("Stopped. What was finished is kept")
    assert "Traceback" not in err
    assert read_status(folder).state == "stopped"
    assert list(folder.glob("scratch/*/tick"))


@pytest.mark.parametrize("early", ["before the worker listens", "to the worker, too"])
def test_ctrl_c_while_the_worker_is_starting_is_not_lost(fake_job, terminal, tmp_path, monkeypatch, early):
    folder = fake_job()
    started, go = tmp_path / "started", tmp_path / "go"
    slow = (
        "import os, pathlib, sys, time\n"
        f"pathlib.Path({str(started)!r}).write_text(str(os.getpid()))\n"
        f"while not pathlib.Path({str(go)!r}).exists(): time.sleep(0.01)\n"
        "from pipelines.run import main\n"
        f"sys.exit(main([{str(folder)!r}]))\n"
    )
    process = terminal(folder, slow)
    _until(lambda: started.exists() and started.read_text())
    process.send_signal(signal.SIGINT)
    if early == "to the worker, too":
        os.kill(int(started.read_text()), signal.SIGINT)
    else:
        _until((folder / "stop").exists)
    go.touch()
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err.strip().splitlines()[-1].startswith("Stopped.")
    assert not (tmp_path / "someone" / "artefacts").exists()
    if early == "before the worker listens":
        assert read_status(folder).state == "stopped"


def test_a_signal_before_the_job_listens_stops_it(fake_job, artefacts, monkeypatch):
    real = read_job

    def interrupted(folder):
        os.kill(os.getpid(), signal.SIGINT)
        return real(folder)

    monkeypatch.setattr(run, "read_job", interrupted)
    folder = fake_job()
    assert run.main([str(folder)]) == run.INTERRUPTED
    assert read_status(folder).state == "stopped"
    assert artefacts() == {}


def test_a_terminal_killed_outright_leaves_the_job_and_the_next_one_joins_it(fake_job, terminal):
    folder = fake_job(ticks=150, seconds=0.02)
    first = terminal(folder)
    _until(_at_work(folder))
    first.kill()
    first.wait()
    assert read_status(folder).state == "running"
    second = terminal(folder)
    assert second.communicate(timeout=60)[0] == "done\n"
    begun = [e for e in read_events(folder) if e["event"] == "state" and e["state"] == "running"]
    assert len(begun) == 1, "one worker did it all"


def test_a_problem_is_its_sentence_and_2(fake_job, terminal):
    process = terminal(fake_job(trouble="problem"))
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert err.strip().splitlines()[-1] == "The clip shows no face: record one."


@pytest.mark.parametrize("trouble", ["defect", "die"])
def test_a_defect_or_a_crash_is_a_sentence_with_the_log_and_1(fake_job, terminal, trouble):
    folder = fake_job(trouble=trouble)
    process = terminal(folder)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert str(folder / "log.txt") in err.strip().splitlines()[-1]
    assert "Traceback" not in err


def test_the_door_works_on_a_job_folder_too(fake_job):
    from pipelines.cli import main

    folder = fake_job()
    assert main(["--run-job", str(folder)]) == 0
    assert read_status(folder).state == "finished"
    assert main(["--run-job", str(folder / "nothing")]) == 2
