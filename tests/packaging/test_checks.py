"""`main.py test` runs everything, whatever fails, and lets pytest have the last word."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import checks
import pytest


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that were run; those that have ``ruff`` in them fail, the rest pass."""
    commands: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, int("ruff" in command), "bad line", "")

    class Begun:
        def __init__(self, command: list[str], **_: Any) -> None:
            commands.append(command)

        def wait(self, limit: float | None = None) -> int:
            return 0

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(subprocess, "Popen", Begun)
    return commands


def test_a_failing_check_fails_the_run_but_the_tests_still_run(
    ran: list[list[str]], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert checks.run(tmp_path, []) == 1
    assert sum("pytest" in command for command in ran) == 1
    assert len(ran) == len(checks.CHECKS) + 1
    said = capfd.readouterr().out
    assert "bad line" in said
    assert "Failed beside the tests: ruff check, ruff format." in said


def test_arguments_go_to_pytest(ran: list[list[str]], tmp_path: Path) -> None:
    assert checks.run(tmp_path, ["--only-tests", "-k", "pivots", "-x"]) == 0
    (command,) = ran
    assert command[-3:] == ["-k", "pivots", "-x"]
    assert "-m" not in command[3:]


def test_slow_lifts_the_marker(ran: list[list[str]], tmp_path: Path) -> None:
    checks.run(tmp_path, ["--only-tests", "--slow"])
    assert ran[0][-2:] == ["-m", ""]


def test_one_worker_a_core() -> None:
    assert checks.workers(1) == []
    assert checks.workers(2)[:2] == ["-n", "2"]
    assert checks.workers(64)[:2] == ["-n", "8"]


def test_the_users_own_variables_win() -> None:
    environment = checks.quiet_environment({"QT_QPA_PLATFORM": "xcb"})
    assert environment["QT_QPA_PLATFORM"] == "xcb"
    assert environment["OMP_NUM_THREADS"] == "1"


def test_compiled_modules_are_kept_aside_where_none_shall_lie_beside_their_sources(
    tmp_path: Path,
) -> None:
    assert checks.keeping_compiled({"A": "b"}, tmp_path) == {"A": "b"}
    # These tests may run with such a place themselves.
    plain = {name: value for name, value in os.environ.items() if name != "PYTHONPYCACHEPREFIX"}
    environment = checks.keeping_compiled({**plain, "PYTHONDONTWRITEBYTECODE": "1"}, tmp_path / "aside")
    (tmp_path / "said.py").write_text("print('compiled')\n")
    done = subprocess.run([sys.executable, "-c", "import said"], cwd=tmp_path, env=environment, check=True)
    assert done.returncode == 0
    assert not (tmp_path / "__pycache__").exists()
    assert [found.name.split(".")[0] for found in (tmp_path / "aside").rglob("said.*.pyc")] == ["said"]


def test_a_run_that_hangs_is_stopped_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "test_hang.py").write_text("import time\ndef test_hang(): time.sleep(3600)\n")
    monkeypatch.setattr(checks, "FAST_LIMIT", 3)
    monkeypatch.setattr(checks, "workers", lambda cores: ["-p", "no:cacheprovider"])
    assert checks.run(tmp_path, ["--only-tests"]) == 1
    assert "did not end within" in capfd.readouterr().out


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_what_is_ended_for_its_time_says_where_it_stood() -> None:
    program = "import time\ndef standing():\n    print('here', flush=True)\n    time.sleep(3600)\nstanding()"
    command = [sys.executable, "-X", "faulthandler", "-c", program]
    pipe = subprocess.PIPE
    stuck = subprocess.Popen(command, env={**os.environ, checks.MARK: "stuck"}, stdout=pipe, stderr=pipe)
    try:
        assert stuck.stdout is not None
        stuck.stdout.readline()
        checks.end_the_rest("stuck", saying_where=True)
        assert b"in standing" in stuck.communicate(timeout=10)[1]
    finally:
        stuck.kill()


def test_a_test_that_stands_still_outside_of_python_ends_its_worker_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    stuck = "import signal\ndef test_stuck():\n"
    # As a native library that never returns: no signal gets a word of Python run.
    stuck += "    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})\n    signal.pause()\n"
    (tmp_path / "test_stuck.py").write_text(stuck)
    (tmp_path / "test_well.py").write_text("def test_well(): pass\n")
    monkeypatch.setattr(checks, "HANGING", [checks.HANGING[0], "faulthandler_timeout=2", *checks.HANGING[2:]])
    monkeypatch.setattr(checks, "workers", lambda cores: ["-n", "2", "-p", "no:cacheprovider"])
    assert checks.run(tmp_path, ["--only-tests"]) == 1
    said = capfd.readouterr()
    assert "1 failed, 1 passed" in said.out
    assert "in test_stuck" in said.err


def test_what_a_crash_leaves_behind_is_ended_and_nothing_else() -> None:
    sleep = [sys.executable, "-c", "import time; time.sleep(3600)"]
    ours = subprocess.Popen(sleep, env={**os.environ, checks.MARK: "ours"}, start_new_session=True)
    other = subprocess.Popen(sleep, env={**os.environ, checks.MARK: "other"})
    try:
        (ended,) = checks.end_the_rest("ours")
        assert "time.sleep(3600)" in ended
        assert ours.wait(10) != 0
        assert other.poll() is None
    finally:
        for process in (ours, other):
            process.kill()
            process.wait()
