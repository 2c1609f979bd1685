"""What a person at a terminal sees of a job, and what becomes of it when the terminal goes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines import runner
from pipelines.job import read_events, read_status

_SCRIPT = """
import sys
from pathlib import Path
from pipelines.cli import door
from pipelines.cli.screen import Screen

def command(words):
    Screen().follow(Path(words[0]))
    Screen().say("done")
    return 0

door.COMMANDS["go"] = ("__main__:command", "")
sys.exit(door.run(["go", sys.argv[1]]))
"""


@pytest.fixture
def terminal():
    """Start a command that follows a job, as a shell would."""
    started: list[subprocess.Popen[str]] = []

    def start(folder: Path) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", _SCRIPT, str(folder)],
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
