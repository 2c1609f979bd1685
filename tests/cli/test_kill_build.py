"""The true build, killed at random moments: a second run finishes and nothing earlier is lost."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pipelines.cli import door, main
from pipelines.job import is_made, read_made
from studio.project.avatar_files import load_avatar
from studio.project.store import Store

_ROOT = Path(door.__file__).parents[2]


def _artefacts(home: Path) -> dict[Path, dict[str, bytes]]:
    """Finished artefacts with their files."""
    return {
        made.parent: {p.name: p.read_bytes() for p in made.parent.rglob("*") if p.is_file()}
        for made in home.glob("subjects/*/**/made.json")
        if not any(part.startswith(".") for part in made.relative_to(home).parts)
    }


def _start(words: list[str]) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-c",
        "import sys; from pipelines.cli import main; sys.exit(main(sys.argv[1:]))",
    ]
    return subprocess.Popen(
        [*command, *words],
        cwd=_ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=os.name != "nt",
    )


def _kill(process: subprocess.Popen[bytes], what: str) -> None:
    """Kill the command, its worker, or both, without a chance to tidy up."""
    workers = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    for victim in [*(workers if what != "command" else []), *([process] if what != "worker" else [])]:
        try:
            victim.kill()
        except psutil.NoSuchProcess:
            continue


@pytest.mark.slow
def test_kill_9_at_twenty_random_moments_of_a_build(built_home, tmp_path):
    random.seed(20)
    home = tmp_path / "home"
    shutil.copytree(built_home, home)
    subject = Store(home).find("Ann Lee 🎬")
    original = _artefacts(home)
    words = ["build", "Ann Lee 🎬", "--pivots.count", "9", "--track.smoothing", "0.5", "--home", str(home)]
    began = time.monotonic()
    assert main(words) == 0
    length = time.monotonic() - began
    expected = {path.relative_to(home) for path in _artefacts(home)}
    reference = load_avatar(subject.avatars()[-1])
    moments = set()
    for round_ in range(20):
        shutil.rmtree(home)
        shutil.copytree(built_home, home)
        process = _start(words)
        time.sleep(random.uniform(0.0, 1.1 * length))
        _kill(process, random.choice(["command", "worker", "both"]))
        process.wait()
        after = _artefacts(home)
        assert {path: files for path, files in after.items() if path in original} == original
        assert all(is_made(path, read_made(path)["key"]) for path in after)
        moments.add(len(after))
        assert main(words) == 0, f"round {round_}"
        again = _artefacts(home)
        assert {path.relative_to(home) for path in again} == expected
        assert {path: files for path, files in again.items() if path in after} == after
        assert load_avatar(subject.avatars()[-1]).key == reference.key
        leftovers = [p for p in home.rglob(".*") if p.name.endswith((".new", ".old"))]
        assert not leftovers
    assert len(moments) >= 3, "the moments were spread over the stages"
