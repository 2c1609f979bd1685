from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.job import JobPlan, Step, create_job

_HERE = Path(__file__).parent


@pytest.fixture
def fake_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """A job of three fake stages under tmp_path/someone/jobs; keyword arguments change its middle one."""
    monkeypatch.syspath_prepend(str(_HERE))
    path = os.pathsep.join(filter(None, [str(_HERE), os.environ.get("PYTHONPATH")]))
    monkeypatch.setenv("PYTHONPATH", path)
    FakeSettings = importlib.import_module("fake_stages").FakeSettings

    def make(stages: int = 3, **changes: Any) -> Path:
        steps: list[Step] = []
        for number in range(stages):
            settings = FakeSettings(**(changes if number == min(1, stages - 1) else {}))
            inputs = {"before": (steps[-1].output, steps[-1].key)} if steps else {}
            steps.append(
                Step.plan(
                    id=f"stage{number}",
                    title=f"Stage {number}",
                    work="fake_stages:count",
                    settings_class="fake_stages:FakeSettings",
                    settings=settings,
                    version=1,
                    inputs=inputs,
                    output=lambda key: f"artefacts/{key}",
                )
            )
        return create_job(tmp_path / "someone" / "jobs", JobPlan("fake", "A fake job", tuple(steps)))

    return make


@pytest.fixture
def artefacts(tmp_path: Path) -> Callable[[], dict[str, str]]:
    """What is finished: folder name to the text in it; leftovers aside are listed too."""

    def look() -> dict[str, str]:
        folder = tmp_path / "someone" / "artefacts"
        if not folder.is_dir():
            return {}
        return {
            p.name: (p / "result.txt").read_text() if (p / "result.txt").exists() else "incomplete"
            for p in folder.iterdir()
        }

    return look
