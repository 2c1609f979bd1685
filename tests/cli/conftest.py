from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import filelock
import pytest

from pipelines import runner
from pipelines.cli import main
from pipelines.make_sample import SampleSettings, make_sample
from tests.jobs_here import do_jobs_here


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """The last line on standard error, which is the one that says what is wrong."""
        return self.err.strip().splitlines()[-1] if self.err.strip() else ""


Studio = Callable[..., Said]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home folder with an awkward name."""
    return tmp_path / "ho me 🏠"


@pytest.fixture
def studio(home: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Studio:
    """Run a command line in this process, below that home, and its jobs too; see :func:`workers`."""
    do_jobs_here(monkeypatch)

    def run(*words: object) -> Said:
        capfd.readouterr()
        code = main([*map(str, words), "--home", str(home)])
        said = capfd.readouterr()
        assert "Traceback" not in said.out + said.err
        return Said(code, said.out, said.err)

    return run


@pytest.fixture
def workers(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its jobs are done by processes of their own after all, as they are where nobody tests."""
    monkeypatch.setattr(runner, "subprocess", subprocess)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all test processes of this run share."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "cli-shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def sample_clip(shared: Path) -> Path:
    """One and a half seconds of the project's own sample."""
    clip = shared / "sample 🎬.mp4"
    with filelock.FileLock(shared / "sample.lock"):
        if not clip.exists():
            make_sample(clip, SampleSettings(size=256, seconds=1.6))
    return clip


@pytest.fixture(scope="session")
def built_home(sample_clip: Path, shared: Path) -> Path:
    """A home in which the sample is imported and built by processes of their own; not to be written to."""
    home = shared / "home"
    with filelock.FileLock(shared / "home.lock"):
        assert main(["import", str(sample_clip), "--subject", "Ann Lee 🎬", "--home", str(home)]) == 0
        assert main(["build", "Ann Lee 🎬", "--preset", "draft", "--home", str(home)]) == 0
    return home


@pytest.fixture
def ann(built_home: Path, home: Path, studio: Studio) -> Studio:
    """Commands in a copy of the built home."""
    shutil.copytree(built_home, home)
    return studio
