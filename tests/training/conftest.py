from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

_HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The clip of ``filmed_person`` and its tracking on disk; read only."""
    from tests.training.filmed_person import write_film, write_tracking

    root = tmp_path_factory.mktemp("film")
    return write_film(root / "film.mp4"), write_tracking(root / "track")


@pytest.fixture
def learning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """A new attempt at the tiny training in the folder of a name; see ``fake_training.Learning``."""
    monkeypatch.syspath_prepend(str(_HERE))
    Learning = importlib.import_module("fake_training").Learning
    return lambda name="run", **values: Learning(tmp_path / name, **values)


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Listener:
    """A Reporter that remembers, and interrupts after some reports."""

    def __init__(self, interrupt_after: int | None = None) -> None:
        self.left = interrupt_after
        self.said: list[str] = []
        self.metrics: list[dict[str, float]] = []
        self.notes: list[str] = []
        self.pictures: list[Path] = []
        self.reports: list[tuple[int, int | None, str]] = []

    def __call__(self, done: int, total: int | None, what: str) -> None:
        from studio.domain.progress import Interrupted

        self.reports.append((done, total, what))
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Interrupted

    def metric(self, **values: float) -> None:
        self.metrics.append(values)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def say(self, sentence: str) -> None:
        self.said.append(sentence)

    def picture(self, path: Path) -> None:
        self.pictures.append(path)


@pytest.fixture
def listener() -> Callable[..., Listener]:
    return Listener
