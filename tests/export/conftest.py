"""An engine whose pictures are known without looking, an avatar of it in a home, and motion for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from studio.domain.avatar import Avatar
from studio.domain.camera import Similarity, View
from studio.domain.controls import HEAD_NAMES, Control, ControlSheet, ControlTrack
from studio.domain.rendering import Frame, RenderRequest
from studio.engines.catalog import ENGINES
from studio.engines.engine import EngineSpec
from studio.project.avatar_files import load_avatar, save_avatar
from studio.project.store import Store, SubjectFolder

STAGE = View(Similarity(0.5, 0.0, -10.0, -20.0), 256, 256)


class Grey:
    """The whole picture is as bright as the yaw asked for; the person is a soft disc of that brightness plus
    a ramp, before white."""

    sheet = ControlSheet(tuple(Control(n, n, "angle", "Head", -300, 300, 0) for n in HEAD_NAMES))

    def __init__(self, knows_coverage: bool = True) -> None:
        self.knows_coverage = knows_coverage
        self.asked: list[RenderRequest] = []

    def render(self, request: RenderRequest) -> Frame:
        self.asked.append(request)
        height, width = request.view.height, request.view.width
        rows, columns = np.mgrid[:height, :width]
        own = np.full((height, width, 3), int(request.state["yaw"]), np.uint8)
        if not self.knows_coverage:
            return Frame(own, None, request, 0.1)
        distance = np.hypot(rows - height / 2, columns - width / 2)
        cover = np.clip((width / 3 - distance) / 3 + 0.5, 0, 1)
        alpha = np.round(255 * cover).astype(np.uint8)
        share = alpha[..., None] / 255
        return Frame(np.round(own * share + 255 * (1 - share)).astype(np.uint8), alpha, request, 0.1)

    def close(self) -> None:
        pass


def load_grey(avatar: Avatar) -> Grey:
    return Grey()


def grey_motion(frames: int = 20, rate: Fraction = Fraction(25)) -> ControlTrack:
    values = np.zeros((frames, len(HEAD_NAMES)), np.float32)
    values[:, 0] = np.linspace(40, 200, frames)
    return ControlTrack(HEAD_NAMES, values, rate)


@pytest.fixture
def grey() -> Grey:
    """The engine."""
    return Grey()


@pytest.fixture
def grey_stage() -> View:
    """Its stage."""
    return STAGE


@pytest.fixture
def motion() -> Callable[..., ControlTrack]:
    """`grey_motion`: yaw from 40 to 200."""
    return grey_motion


@dataclass(frozen=True)
class Someone:
    """A subject with an avatar in a home."""

    store: Store
    subject: SubjectFolder
    avatar: Avatar


@pytest.fixture
def someone(home: Path, monkeypatch: pytest.MonkeyPatch) -> Someone:
    """A subject with an avatar of the engine above, which is in the catalog meanwhile."""
    spec = EngineSpec("grey", "Grey", "A known picture.", "unused", (), lambda home: None)
    monkeypatch.setattr(EngineSpec, "load", lambda self, avatar: load_grey(avatar))
    monkeypatch.setitem(ENGINES, "grey", spec)
    store = Store(home)
    subject = store.add("Someone")
    folder = subject.avatar("grey", "0123")
    folder.mkdir(parents=True)
    save_avatar(folder, Avatar(subject.name, "grey", "0123", folder, STAGE))
    return Someone(store, subject, load_avatar(folder))
