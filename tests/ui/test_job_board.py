"""Jobs as the window sees them: an end is told once, however quickly it comes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines import runner
from pipelines.job import JobPlan, JobStatus
from studio.project.store import Store
from ui.bridge.jobs import Job, JobBoard

pytestmark = pytest.mark.qt


class AtOnce:
    """A background whose work is done before it is asked for again."""

    def run(self, owner: Any, work: Callable[[], Any], done: Callable[[Any], Any], failed: Any) -> None:
        try:
            result = work()
        except Exception as error:
            failed(error)
        else:
            done(result)


@pytest.fixture
def found() -> dict[Path, Job]:
    """What a look finds."""
    return {}


@pytest.fixture
def board(qtbot, tmp_path: Path, found: dict[Path, Job], monkeypatch: pytest.MonkeyPatch) -> JobBoard:
    made = JobBoard(Store(tmp_path), AtOnce())  # type: ignore[arg-type]
    monkeypatch.setattr(made, "_read", lambda: dict(found))
    return made


def job(folder: Path, state: str) -> Job:
    return Job(folder, JobPlan("build", "A build", ()), JobStatus(state=state))  # type: ignore[arg-type]


def test_what_is_over_when_it_is_first_seen_is_told_to_whoever_began_it(
    board: JobBoard, found: dict[Path, Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Job] = []
    board.ended.connect(told.append)
    board.look()
    folder, others = tmp_path / "quick", tmp_path / "somebody-elses"

    def fail(folder: Path, **_: Any) -> runner.RunningJob:
        found[folder] = job(folder, "failed")
        return runner.RunningJob(folder, None)

    monkeypatch.setattr(runner, "start", fail)
    board.start(folder)
    assert [one.folder for one in told] == [folder]
    found[others] = job(others, "failed")
    board.look()
    board.look()
    assert [one.folder for one in told] == [folder]
    # Begun anew, seen at work, and ended: told again.
    found[folder] = job(folder, "running")
    board.look()
    found[folder] = job(folder, "finished")
    board.look()
    assert [one.status.state for one in told] == ["failed", "finished"]


def test_what_failed_before_the_window_opened_is_not_told_as_new(
    board: JobBoard, found: dict[Path, Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Job] = []
    board.ended.connect(told.append)
    folder = tmp_path / "old"
    found[folder] = job(folder, "failed")
    monkeypatch.setattr(runner, "start", lambda folder, **_: runner.RunningJob(folder, None))
    board.start(folder)  # nobody has looked yet
    assert told == []
