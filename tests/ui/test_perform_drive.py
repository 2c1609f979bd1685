"""The row that drives the avatar: what it shows, and what it adds to the pose."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.control_list import plain_sheet
from studio.domain.controls import HEAD_NAMES
from studio.live import Drive, Seen
from ui.controls_model import ControlsModel
from ui.pages.perform_drive import DriveRow
from ui.pages.perform_posing import Posing
from ui.widgets.viewport import Viewport


@pytest.fixture
def row(session, qtbot) -> DriveRow:
    model, viewport = ControlsModel(), Viewport()
    model.take_sheet(plain_sheet(), ())
    made = DriveRow(Posing(session, model, viewport))
    viewport.setParent(made)
    model.setParent(made)
    qtbot.addWidget(made)
    made.show()
    return made


class Script:
    """A driver that says what the test wants."""

    made: Script

    def __init__(self, order: Drive, notify) -> None:
        self.order, self.notify = order, notify
        self.said: list[str] = []
        self.seen: Seen | None = None
        self.problem = ""
        Script.made = self

    def newest(self) -> Seen | None:
        return self.seen

    def calibrate(self) -> None:
        self.said.append("rest")

    def close(self) -> None:
        self.said.append("closed")

    def show(self, seen: Seen) -> None:
        self.seen = seen
        self.notify()


def picture(offsets: np.ndarray | None, face: bool = True) -> Seen:
    return Seen(offsets, face, np.full((80, 100, 3), 90, np.uint8))


def test_movement_is_added_to_the_pose_and_gone_when_it_stops(row, qtbot, monkeypatch) -> None:
    monkeypatch.setattr("ui.bridge.driving.LiveDriver", Script)
    posing = row._posing
    posing.model.set("yaw", 5.0)
    row.camera.click()
    driver = Script.made
    assert driver.order == Drive()
    assert row.end.isVisible()
    assert not row.camera.isVisible()
    offsets = np.zeros(len(HEAD_NAMES), np.float32)
    offsets[HEAD_NAMES.index("yaw")] = -2.0
    driver.show(picture(offsets))
    qtbot.waitUntil(lambda: posing.state()["yaw"] == pytest.approx(3.0, abs=0.1))
    assert not row._thumb.pixmap().isNull()
    driver.show(picture(None, face=False))
    qtbot.waitUntil(lambda: "No face" in row.words.text())
    row.rest.click()
    assert driver.said == ["rest"]
    row.end.click()
    assert driver.said == ["rest", "closed"]
    assert posing.state()["yaw"] == 5.0
    assert row.camera.isVisible()


def test_what_ends_by_itself_says_why(row, qtbot, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("ui.bridge.driving.LiveDriver", Script)
    row.start_clip(tmp_path / "me.mov")
    assert Script.made.order.clip == tmp_path / "me.mov"
    Script.made.problem = "It is no video: choose another file."
    Script.made.notify()
    qtbot.waitUntil(lambda: row.words.text() == "It is no video: choose another file.")
    assert row.clip.isVisible()
    assert not row.driving.active
