"""Settings: theme, device, weights taken in, and the doctor's report asked elsewhere."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QColor, QDragEnterEvent, QDropEvent, QGuiApplication
from PySide6.QtWidgets import QApplication

from pipelines.apart import Answer
from studio.assets import Asset
from studio.devices import DEVICE_VARIABLE
from ui.pages.settings import SettingsPage
from ui.theme import DARK, LIGHT

CONTENT = b"weights of a network"
ASSETS = {
    name: Asset(
        id=name,
        title=f"The {name} network",
        files=(f"{name}.pth",),
        source=f"https://example.org/{name}",
        licence="MIT",
        unlocks="likeness",
        off="Likeness is off",
        size=len(CONTENT),
        sha256=(hashlib.sha256(content).hexdigest(),),
    )
    for name, content in (("one", CONTENT), ("two", CONTENT.upper()))
}
REPORT = {
    "ready": True,
    "verdict": "Ready: everything works.",
    "findings": [
        {"topic": "Python", "state": "ok", "detail": "3.11", "advice": ""},
        {"topic": "disk", "state": "note", "detail": "1 GB free", "advice": "Make room."},
    ],
    "devices": [
        {"kind": "cuda", "title": "A card", "memory": 8e9, "free": 7e9},
        {"kind": "cpu", "title": "A processor, 2 cores", "memory": 16e9, "free": 9e9},
    ],
}

PATIENCE = 120_000
"""Milliseconds that a busy machine may take; nothing waits for as long as this when all is well."""


def _wait(qtbot, condition) -> None:
    qtbot.waitUntil(condition, timeout=PATIENCE)


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> dict:
    """What the doctor will say; tests change it."""
    said: dict[str, Any] = {"status": 0, "text": json.dumps(REPORT), "error": "", "words": []}

    def run_apart(module, words, progress):
        said["words"] = [module, *words]
        return Answer(said["status"], said["text"], said["error"])

    monkeypatch.setattr("pipelines.apart.run_apart", run_apart)
    monkeypatch.setattr("studio.assets.manifest", lambda: ASSETS)
    monkeypatch.setenv(DEVICE_VARIABLE, "")  # put back afterwards
    return said


@pytest.fixture
def settings(window, qtbot, answer) -> SettingsPage:
    """The page in its window, having looked."""
    window.show_page("settings")
    page = window.page("settings")
    _wait(qtbot, lambda: page.health.report is not None)
    return page


def test_the_theme_is_changed_at_once(settings, window, qtbot):
    qtbot.mouseClick(settings.general.themes["light"], Qt.MouseButton.LeftButton, pos=_dot())
    assert window.palette().window().color() == QColor(LIGHT.ground)
    qtbot.mouseClick(settings.general.themes["dark"], Qt.MouseButton.LeftButton, pos=_dot())
    assert window.palette().window().color() == QColor(DARK.ground)
    assert window.session.preferences.theme == "dark"


def test_a_device_is_chosen_from_what_was_found_and_told_to_processes(settings, window, qtbot, home):
    devices = settings.general.devices
    assert list(devices) == ["auto", "cuda", "cpu"]
    assert devices["auto"].isChecked()
    assert "A card" in devices["auto"].text()
    qtbot.mouseClick(devices["cpu"], Qt.MouseButton.LeftButton, pos=_dot())
    assert os.environ[DEVICE_VARIABLE] == "cpu"
    assert window.session.preferences.text("device") == "cpu"
    qtbot.mouseClick(devices["auto"], Qt.MouseButton.LeftButton, pos=_dot())
    assert DEVICE_VARIABLE not in os.environ
    assert settings.health.report.devices[0].kind == "cuda"


def test_a_device_that_is_gone_stays_visible(settings, window, qtbot):
    window.session.preferences.keep("device", "mps")
    settings.health.ask()
    _wait(qtbot, lambda: "mps" in settings.general.devices)
    assert settings.general.devices["mps"].isChecked()
    assert "not on this machine" in settings.general.devices["mps"].text()


def test_the_report_is_asked_of_another_process_and_can_be_copied(settings, answer, home, qtbot):
    assert answer["words"] == ["pipelines.doctor", "--json", "--home", str(home)]
    assert settings.doctor.verdict.text() == "Ready: everything works."
    settings.doctor.copy.click()
    assert "note disk: 1 GB free\n     Make room." in QGuiApplication.clipboard().text()
    answer["text"] = json.dumps({**REPORT, "verdict": "Not ready: disk."})
    settings.doctor.again.click()
    _wait(qtbot, lambda: settings.doctor.verdict.text() == "Not ready: disk.")
    assert settings.doctor.copy.text() == "Copy report"


def test_a_doctor_that_falls_ill_is_told_with_a_report(settings, answer, qtbot, window):
    answer.update(status=1, text="", error="Traceback: it broke")
    settings.health.ask()
    _wait(qtbot, lambda: window.banner.failure is not None)
    assert "it broke" in window.banner.failure.report
    _wait(qtbot, settings.doctor.again.isEnabled)
    assert settings.doctor.verdict.text() == "Ready: everything works."


def test_dropped_weights_are_recognised_copied_and_verified(settings, qtbot, tmp_path, home):
    row = settings.weights.rows["one"]
    _wait(qtbot, lambda: row.state.text() == "Not here")
    assert not row.verify.isVisibleTo(settings)
    (tmp_path / "some download").write_bytes(CONTENT)
    _drop(settings, tmp_path / "some download")
    _wait(qtbot, lambda: row.state.text() == "Here and verified")
    assert (home / "weights" / "one.pth").read_bytes() == CONTENT
    assert settings.tabs.currentWidget() is settings.weights
    assert settings.weights.rows["two"].state.text() == "Not here"
    (home / "weights" / "one.pth").write_bytes(CONTENT[::-1])
    qtbot.mouseClick(row.verify, Qt.MouseButton.LeftButton)
    _wait(qtbot, lambda: row.state.text() == "Not the right file")
    (home / "weights" / "one.pth").unlink()
    settings.weights.enter()
    _wait(qtbot, lambda: row.state.text() == "Not here")


def test_another_file_is_refused_with_a_sentence(settings, qtbot, tmp_path, home, window):
    (tmp_path / "one.pth").write_bytes(CONTENT[::-1])
    settings.weights.actions_on.do(tmp_path / "one.pth", "one")
    _wait(qtbot, lambda: window.banner.failure is not None)
    assert "SHA-256" in window.banner.failure.reason
    assert list((home / "weights").iterdir()) == []
    _wait(qtbot, settings.weights.take.isEnabled)


def test_a_file_put_there_by_hand_is_found_and_verified_on_request(settings, qtbot, home):
    (home / "weights").mkdir(exist_ok=True)
    (home / "weights" / "one.pth").write_bytes(CONTENT)
    settings.weights.enter()
    row = settings.weights.rows["one"]
    _wait(qtbot, lambda: row.state.text() == "Here, not verified")
    settings.weights.verify.click()
    _wait(qtbot, lambda: row.state.text() == "Here and verified")
    settings.weights.enter()  # a quick look does not take back what a thorough one knows
    _wait(qtbot, lambda: settings.session.background.busy == 0)
    assert row.state.text() == "Here and verified"


def _dot() -> QPoint:
    """Where a radio button's dot is: the room behind its words does not take clicks."""
    return QPoint(9, 9)


def _drop(page: SettingsPage, file: Path) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(file))])
    copy, left = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    keys, place = Qt.KeyboardModifier.NoModifier, QPointF(50, 50)
    QApplication.sendEvent(page, QDragEnterEvent(place, copy, mime, left, keys))
    assert page.drop.hint.isVisible()
    QApplication.sendEvent(page, QDropEvent(place, copy, mime, left, keys))
    assert not page.drop.hint.isVisible()
