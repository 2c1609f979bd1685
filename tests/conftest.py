"""What every test shares: Qt off screen, gpu tests skipped without a device, homes never the user's."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Any

import pytest

from tests.spread import ByUnit, longest_first

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("MPLBACKEND", "agg")
# Products of matrices round otherwise with more threads, and the pictures that a worker shows are compared
# with those that a job writes. Each worker of pytest-xdist has a core; threads beyond it wait for each other
# by spinning, which made small networks ten times slower.
for _threads in ("OPENBLAS", "OMP", "NUMBA"):
    os.environ.setdefault(f"{_threads}_NUM_THREADS", "1")
os.environ.setdefault("OPENCV_FOR_THREADS_NUM", "1")

ROOT = Path(__file__).resolve().parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what this machine cannot run, saying why; give slow tests their time."""
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.timeout(3600))
    if any("gpu" in item.keywords for item in items) and not _has_device():
        for item in items:
            if "gpu" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="no CUDA or MPS device here"))
    longest_first(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByUnit | None:
    """Who hands out the tests where there are several workers."""
    return ByUnit(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_finish() -> None:
    """What was imported stays: who collects garbage, as after each test of the window, need not see it."""
    gc.collect()
    gc.freeze()


def _has_device() -> bool:
    import torch

    return bool(torch.cuda.is_available() or torch.backends.mps.is_available())


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home for projects and weights: no test may read or write the user's own."""
    folder = tmp_path / "home"
    monkeypatch.setenv("AVATAR_STUDIO_HOME", str(folder))
    monkeypatch.delenv("AVATAR_STUDIO_WEIGHTS", raising=False)
    return folder


@pytest.fixture(scope="session")
def shared_clips() -> Path:
    """Real clips of real people, kept outside the repository. Skips where they are absent."""
    folder = Path(os.environ.get("AVATAR_STUDIO_CLIPS", ROOT.parent / "shared" / "clips"))
    if not folder.is_dir():
        pytest.skip("no real clips here (AVATAR_STUDIO_CLIPS names their folder)")
    return folder
