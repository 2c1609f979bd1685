"""A job for a window: it gives way to others, survives whoever started it, is paused and continued."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pipelines import runner
from pipelines.job import read_status, request


def _until(condition, limit=30.0):
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.01)


@pytest.mark.skipif(os.name == "nt", reason="niceness is POSIX's; Windows has priority classes")
@pytest.mark.parametrize("modest", [True, False])
def test_a_modest_job_gives_way_from_its_first_moment_and_another_does_not(fake_job, modest):
    mine = psutil.Process().nice()
    folder = fake_job(ticks=1000, seconds=0.01)
    job = runner.start(folder, modest=modest)
    _until(lambda: read_status(folder).step == 1)
    status = read_status(folder)
    assert job.process is not None
    assert status.pid == job.process.pid
    assert psutil.Process(status.pid).nice() == (min(mine + 10, 19) if modest else mine)
    assert runner.start(folder, modest=modest).process is None, "it is joined, not started twice"
    assert job.stop().state == "stopped"


_WINDOW = """
import sys, time
from pathlib import Path
from pipelines import runner
runner.start(Path(sys.argv[1]), modest=True)
print("started", flush=True)
time.sleep(600)
"""


def test_a_job_survives_the_window_that_started_it_and_is_paused_by_the_next_one(fake_job):
    folder = fake_job(ticks=2000, seconds=0.01)
    window = subprocess.Popen(
        [sys.executable, "-c", _WINDOW, str(folder)],
        cwd=Path(runner.__file__).parents[1],
        stdout=subprocess.PIPE,
        start_new_session=os.name != "nt",
    )
    assert window.stdout is not None
    assert window.stdout.readline().strip() == b"started"
    _until(lambda: read_status(folder).step == 1)
    window.kill()  # with its whole session, were the job in it
    window.communicate()
    before = read_status(folder)
    assert before.state == "running"
    _until(lambda: read_status(folder).done > before.done)
    request(folder, "stop")
    _until(lambda: read_status(folder).over)
    assert read_status(folder).state == "stopped"
    checkpoint = int(next(folder.glob("scratch/*/tick")).read_text())
    again = runner.start(folder, modest=True)
    _until(lambda: again.status().done > checkpoint)
    assert again.cancel().state == "cancelled"
