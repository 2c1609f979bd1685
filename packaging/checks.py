"""`python main.py test`: linter, formatter, types and import contracts beside pytest, which speaks last."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

FAST_LIMIT = 45 * 60
"""Seconds for the fast suite, which takes ten minutes on two cores: whatever hangs beyond is ended."""
HANGING = ["-o", "faulthandler_timeout=420", "-o", "faulthandler_exit_on_timeout=true"]
"""A test that stands still outside of Python, where pytest-timeout cannot raise, says where after so many
seconds and ends its worker; the others go on."""
MARK = "AVATAR_STUDIO_TEST_RUN"
"""In the environment of every process that a run of tests starts, however far from it."""
CHECKS: dict[str, list[str]] = {
    "ruff check": ["-m", "ruff", "check", "--quiet", "."],
    "ruff format": ["-m", "ruff", "format", "--check", "--quiet", "."],
    "mypy": ["-m", "mypy", "--no-error-summary"],
    "lint-imports": [
        "-c",
        "import sys; from importlinter.cli import lint_imports_command as c; sys.exit(c())",
    ],
}


def run(root: Path, argv: list[str]) -> int:
    """Run everything, whatever fails on the way. Returns 0, 1 or pytest's status."""
    parser = argparse.ArgumentParser(
        prog="main.py test",
        description=__doc__,
        epilog="Anything else goes to pytest: python main.py test -k pivots",
    )
    parser.add_argument("--slow", action="store_true", help="the slow tests too")
    parser.add_argument("--only-tests", action="store_true", help="pytest without the checks beside it")
    options, rest = parser.parse_known_args(argv)
    environment = quiet_environment(dict(os.environ))
    command = [
        sys.executable,
        "-m",
        "pytest",
        *workers(os.cpu_count() or 1),
        *(["-m", ""] if options.slow else HANGING),
    ]
    sys.stdout.flush()
    mark = uuid.uuid4().hex
    limit = None if options.slow else FAST_LIMIT
    # One check after the other has one core at most; beside the tests none stands idle.
    with ThreadPoolExecutor(max_workers=1) as beside:
        checking = beside.submit(failing, root, [] if options.only_tests else list(CHECKS), environment)
        with tempfile.TemporaryDirectory(prefix="compiled-", ignore_cleanup_errors=True) as aside:
            marked = keeping_compiled({**environment, MARK: mark}, Path(aside))
            tests = subprocess.Popen([*command, *rest], cwd=root, env=marked)
            try:
                status = tests.wait(limit)
            except KeyboardInterrupt:  # pytest has heard it, too, and ends with what it has found
                tests.wait()
                raise
            except subprocess.TimeoutExpired:
                status = 1
                said = f"The tests did not end within {FAST_LIMIT // 60} minutes; they stand here:"
                print(said, flush=True)
                end_the_rest(mark, saying_where=True)
                tests.wait()
        failed = checking.result()
    if left := end_the_rest(mark):
        print(f"Left behind by the tests, and ended: {'; '.join(left)}.", flush=True)
    if failed:
        print(f"Failed beside the tests: {', '.join(failed)}.", flush=True)
    return status or (1 if failed else 0)


def failing(root: Path, names: list[str], environment: dict[str, str]) -> list[str]:
    """Run some of the checks and say how each went. Returns those that failed."""
    return [name for name in names if not _passes(root, name, environment)]


def quiet_environment(environment: dict[str, str]) -> dict[str, str]:
    """The environment of a test run: Qt off screen, one thread a worker (the workers fill the cores)."""
    return {
        "QT_QPA_PLATFORM": "offscreen",
        "OMP_NUM_THREADS": "1",
        "NUMBA_NUM_THREADS": "1",
        "OPENCV_FOR_THREADS_NUM": "1",
        "MPLBACKEND": "agg",
        **environment,
    }


def keeping_compiled(environment: dict[str, str], aside: Path) -> dict[str, str]:
    """Where Python is told to leave no compiled modules behind, they lie aside as long as the tests run.

    The tests start some hundred processes, and each would compile PyTorch and all the rest anew.
    """
    if not environment.get("PYTHONDONTWRITEBYTECODE"):
        return environment
    kept = {name: value for name, value in environment.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {"PYTHONPYCACHEPREFIX": str(aside), **kept}


def end_the_rest(mark: str, saying_where: bool = False) -> list[str]:
    """End the processes that carry this mark. Returns their commands.

    One that outlived a worker that crashed may hold this run's output open, and whoever reads that waits for
    ever.

    Args:
        mark: see :data:`MARK`.
        saying_where: pytest and its workers first print what each of their threads is doing.
    """
    import psutil

    ended = []
    if saying_where and os.name != "nt":  # faulthandler, which pytest switches on, answers to this signal
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if process.environ().get(MARK) == mark:
                    process.send_signal(signal.SIGABRT)
        time.sleep(1.0)
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                ended.append(" ".join(process.cmdline())[:200])
                process.kill()
        except (psutil.Error, OSError):
            continue
    return ended


def workers(cores: int) -> list[str]:
    """For pytest-xdist: one worker a core, eight at most; files stay whole, their fixtures are made once.

    Their order is that of tests/spread.py, not that of how many tests they hold.
    """
    if cores == 1:
        return []
    return ["-n", str(min(cores, 8)), "--dist", "loadfile", "--no-loadscope-reorder"]


def _passes(root: Path, name: str, environment: dict[str, str]) -> bool:
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, *CHECKS[name]],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    good = done.returncode == 0
    print(f"{name:<14}{'ok' if good else 'FAILED':<8}{time.monotonic() - started:5.1f} s", flush=True)
    if not good:
        print(f"{done.stdout}{done.stderr}".rstrip(), flush=True)
    return good
