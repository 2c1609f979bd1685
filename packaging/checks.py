"""`python main.py test`: linter, formatter, types, import contracts, then pytest, which speaks last."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

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
    parser.add_argument("--only-tests", action="store_true", help="pytest without the checks before it")
    options, rest = parser.parse_known_args(argv)
    environment = quiet_environment(dict(os.environ))
    failed = [] if options.only_tests else [name for name in CHECKS if not _passes(root, name, environment)]
    command = [
        sys.executable,
        "-m",
        "pytest",
        *workers(os.cpu_count() or 1),
        *(["-m", ""] if options.slow else []),
    ]
    sys.stdout.flush()
    status = subprocess.run([*command, *rest], cwd=root, env=environment, check=False).returncode
    if failed:
        print(f"Failed before the tests: {', '.join(failed)}.", flush=True)
    return status or (1 if failed else 0)


def quiet_environment(environment: dict[str, str]) -> dict[str, str]:
    """The environment of a test run: Qt off screen, one thread a worker (the workers fill the cores)."""
    return {
        "QT_QPA_PLATFORM": "offscreen",
        "OMP_NUM_THREADS": "1",
        "NUMBA_NUM_THREADS": "1",
        "MPLBACKEND": "agg",
        **environment,
    }


def workers(cores: int) -> list[str]:
    """For pytest-xdist: one worker a core, eight at most; files stay whole, their fixtures are made once."""
    return ["-n", str(min(cores, 8)), "--dist", "loadfile"] if cores > 1 else []


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
