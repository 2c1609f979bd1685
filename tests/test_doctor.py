"""`doctor` sees what is here, says what to do, and its exit status is the embedded path's."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from pipelines import doctor
from pipelines.doctor import Finding

QUICK = ("cv2", "numpy", "PySide6.QtWidgets")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what takes a process or seconds."""

    def qt(home: Path) -> Iterator[Finding]:
        yield Finding("Qt", "ok", "pretended")

    monkeypatch.setattr(doctor, "_qt", qt)
    monkeypatch.setattr(doctor, "_head_model", qt)
    loaded = {module: package for module, package in doctor.LIBRARIES.items() if module in QUICK}
    monkeypatch.setattr(doctor, "LIBRARIES", loaded)


def _report(capsys: pytest.CaptureFixture[str], home: Path) -> tuple[int, dict[str, dict[str, str]], str]:
    status = doctor.main(["--json", "--home", str(home)])
    content = json.loads(capsys.readouterr().out)
    assert content["ready"] == (status == 0)
    return status, {finding["topic"]: finding for finding in content["findings"]}, content["verdict"]


@pytest.mark.usefixtures("quick")
def test_this_machine_is_ready(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    status, findings, verdict = _report(capsys, home)
    assert status == 0
    assert verdict.startswith("Ready")
    assert findings["numpy"]["detail"] == "1.26.4"
    assert "made on first use" in findings["home"]["detail"]
    assert not home.exists()
    assert findings["lpips-vgg"]["state"] == "note"
    assert "vgg16-397923af.pth from https://" in findings["lpips-vgg"]["advice"]
    assert str(home / "weights") in findings["weights"]["detail"]


@pytest.mark.usefixtures("quick")
def test_the_devices_are_told_to_whoever_must_not_load_torch(
    capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    doctor.main(["--json", "--home", str(home)])
    told = json.loads(capsys.readouterr().out)["devices"]
    assert told[-1]["kind"] == "cpu"
    assert all(device["memory"] >= device["free"] > 0 for device in told)


@pytest.mark.usefixtures("quick")
def test_a_damaged_weight_is_told_from_a_missing_one(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    (home / "weights").mkdir(parents=True)
    (home / "weights" / "face_landmarker.task").write_bytes(b"half")
    status, findings, _ = _report(capsys, home)
    assert status == 0
    assert "not usable" in findings["face-landmarker"]["detail"]
    assert "4 bytes" in findings["face-landmarker"]["advice"]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("module", "package", "state", "status"),
    [("cv2", "opencv-python-headless", "bad", 2), ("PySide6.QtWidgets", "pyside6-essentials", "note", 0)],
)
def test_a_library_that_does_not_load(
    module: str,
    package: str,
    state: str,
    status: int,
    capsys: pytest.CaptureFixture[str],
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = importlib.import_module

    def load(name: str, within: str | None = None) -> ModuleType:
        if name == module:
            raise OSError("libEGL.so.1: cannot open shared object file")
        return real(name, within)

    monkeypatch.setattr(importlib, "import_module", load)
    found, findings, verdict = _report(capsys, home)
    assert found == status
    assert findings[package]["state"] == state
    assert "libEGL" in findings[package]["detail"]
    assert verdict.startswith("Not ready: opencv-python-headless. Delete" if status else "Ready")


@pytest.mark.usefixtures("quick")
def test_a_home_that_cannot_be_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    status, findings, verdict = _report(capsys, tmp_path / "file" / "home")
    assert status == 2
    assert findings["home"]["state"] == "bad"
    assert "--home" in verdict


def test_a_check_that_breaks_does_not_break_the_doctor(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(home: Path) -> Iterator[Finding]:
        raise ZeroDivisionError("oh")

    parts = ("machine", "libraries", "gpu", "ffmpeg", "qt", "home", "head_model", "weights", "words")
    for name in (f"_{part}" for part in parts):
        monkeypatch.setattr(doctor, name, broken)
    findings = list(doctor.examine(home))
    assert len(findings) == 9
    assert {finding.state for finding in findings} == {"bad"}


@pytest.mark.usefixtures("quick")
def test_the_table_ends_with_the_verdict(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    assert doctor.main(["--home", str(home)]) == 0
    lines = capsys.readouterr().out.rstrip().splitlines()
    assert lines[0].startswith("Python")
    assert lines[-1].startswith("Ready: ")
    assert lines[-1].endswith("(2 optional things are off).")
    (words,) = (line for line in lines if line.startswith(doctor.WORDS))
    assert "off, for want of a CLIP" in words
    assert "vgg16" not in "".join(lines), "sources and licences only when asked"
    assert any("lpips-vgg" in line for line in lines)
    assert doctor.main(["--weights", "--home", str(home)]) == 0
    said = capsys.readouterr().out
    assert "vgg16-397923af.pth from https://" in said
    assert str(home / "weights") in "".join(said.split("\n"))


@pytest.mark.slow
def test_every_library_loads(home: Path) -> None:
    findings = {finding.topic: finding for finding in doctor.examine(home)}
    assert set(doctor.LIBRARIES.values()) <= findings.keys()
    assert {topic for topic, finding in findings.items() if finding.state == "bad"} == set()
    assert findings["mediapipe"].detail == "0.10.21"


@pytest.mark.qt
def test_qt_is_asked_in_a_process_of_its_own(home: Path) -> None:
    pytest.importorskip("PySide6.QtGui")
    (finding,) = doctor._qt(home)
    assert finding.state == "ok", finding
