"""Set-up against a uv that is only pretended: what is installed, what fails how, what a second run does."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import threading
from collections import namedtuple
from pathlib import Path
from typing import Any

import bootstrap
import pytest

ROOT = Path(__file__).resolve().parents[2]
PINS = """\
filelock==1.0
numpy==2.0
nvidia-cublas==13.0 ; sys_platform == 'linux'
torch==2.15.0
torchvision==0.29.2
triton==3.9.0 ; sys_platform == 'linux'
"""
pytestmark = pytest.mark.skipif(os.name == "nt", reason="the pretended uv is a POSIX script")


class House:
    """A small project with a pretended uv on the PATH."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = folder / "project"
        self.root.mkdir()
        (self.root / "constraints.txt").write_text(PINS)
        self.venv = self.root / ".venv"
        self.log = folder / "calls"
        self.installed = folder / "installed"
        self.monkeypatch = monkeypatch
        programs = folder / "programs"
        programs.mkdir()
        uv = programs / "uv"
        uv.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).with_name("fake_uv.py")}" "$@"\n')
        uv.chmod(0o755)
        monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
        monkeypatch.delenv("AVATAR_STUDIO_VENV", raising=False)
        self.behave()

    def behave(self, **how: Any) -> None:
        """Say what the pretended uv does from now on."""
        behaviour = {"log": str(self.log), "installed": str(self.installed), **how}
        self.monkeypatch.setenv("FAKE_UV", json.dumps(behaviour))

    def calls(self, *first: str) -> list[list[str]]:
        """How uv was called, as far as the calls start so."""
        calls = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [call for call in calls if call[: len(first)] == list(first)]

    def set_up(self) -> None:
        bootstrap.set_up(self.root, self.venv)

    def is_current(self) -> bool:
        return bootstrap.is_current(self.root, self.venv)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    return House(tmp_path, monkeypatch)


def test_first_run_installs_exactly_the_pins(house: House) -> None:
    assert not house.is_current()
    house.set_up()
    assert house.is_current()
    assert house.installed.read_text().split("\n")[:-1] == PINS.split("\n")[:-1]
    (call,) = house.calls("pip", "install")
    assert "--no-deps" in call
    assert not any("torch-backend" in word for word in call)


@pytest.mark.skipif(sys.platform == "darwin", reason="one torch build for every Mac")
def test_torch_and_its_family_come_from_one_place(house: House) -> None:
    house.behave(torch=["torch==2.15.0+cpu", "torchvision==0.29.2+cpu"])
    house.set_up()
    installed = house.installed.read_text().split()
    assert installed == ["filelock==1.0", "numpy==2.0", "torch==2.15.0+cpu", "torchvision==0.29.2+cpu"]
    (call,) = house.calls("pip", "install")
    assert "--torch-backend=auto" in call


@pytest.mark.skipif(sys.platform == "darwin", reason="one torch build for every Mac")
def test_a_refresh_keeps_the_torch_build_without_asking_again(house: House) -> None:
    house.behave(torch=["torch==2.15.0+cpu", "torchvision==0.29.2+cpu"])
    house.set_up()
    (house.root / "constraints.txt").write_text(PINS.replace("numpy==2.0", "numpy==2.1"))
    house.behave()  # the index no longer answers
    house.set_up()
    assert "torch==2.15.0+cpu" in house.installed.read_text().split()
    assert len(house.calls("pip", "compile")) == 1


@pytest.mark.skipif(sys.platform == "darwin", reason="one torch build for every Mac")
def test_a_new_torch_pin_asks_again(house: House) -> None:
    house.behave(torch=["torch==2.15.0+cpu", "torchvision==0.29.2+cpu"])
    house.set_up()
    (house.root / "constraints.txt").write_text(PINS.replace("torch==2.15.0", "torch==2.16.0"))
    house.behave(torch=["torch==2.16.0+cpu", "torchvision==0.29.2+cpu"])
    house.set_up()
    assert "torch==2.16.0+cpu" in house.installed.read_text().split()


def test_changed_pins_refresh_in_place(house: House) -> None:
    house.set_up()
    (house.venv / "mine").touch()
    (house.root / "constraints.txt").write_text(PINS.replace("numpy==2.0", "numpy==2.1"))
    assert not house.is_current()
    house.set_up()
    assert house.is_current()
    assert (house.venv / "mine").exists()
    assert "numpy==2.1" in house.installed.read_text()


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("error: error sending request for url", "no network"),
        ("error: failed to lookup address information", "no network"),
        ("error: failed to write: No space left on device (os error 28)", "is full"),
        ("error: Permission denied (os error 13)", "cannot be written"),
        ("cause: Because av==18 has no wheels with a matching platform tag", "no build for this machine"),
        ("error: something new", "could not be installed"),
    ],
)
def test_a_failed_install_is_one_sentence_and_is_made_anew(house: House, said: str, sentence: str) -> None:
    house.behave(install_error=said)
    with pytest.raises(bootstrap.SetupFailed, match=sentence) as caught:
        house.set_up()
    assert "\n" not in str(caught.value)
    assert not house.is_current()
    (house.venv / "left over").touch()
    house.behave()
    house.set_up()
    assert house.is_current()
    assert not (house.venv / "left over").exists()


def test_a_refresh_without_network_keeps_what_was_whole(house: House) -> None:
    house.set_up()
    (house.venv / "mine").touch()
    (house.root / "constraints.txt").write_text(PINS.replace("numpy==2.0", "numpy==2.1"))
    house.behave(install_error="error: dns error")
    with pytest.raises(bootstrap.NoNetwork):
        house.set_up()
    assert not house.is_current()
    house.behave()
    house.set_up()
    assert (house.venv / "mine").exists()


def test_a_set_up_killed_half_way_is_made_anew(house: House) -> None:
    house.set_up()
    (house.venv / "left over").touch()
    (house.venv / bootstrap.UNFINISHED).touch()
    assert not house.is_current()
    house.set_up()
    assert house.is_current()
    assert not (house.venv / "left over").exists()


def test_an_environment_that_does_not_start_is_made_anew(house: House) -> None:
    house.set_up()
    (house.root / "constraints.txt").write_text(PINS + "zipp==1.0\n")
    python = bootstrap.venv_python(house.venv)
    python.unlink()
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    house.set_up()
    assert subprocess.run([str(python), "-c", ""], check=False).returncode == 0


def test_a_folder_that_is_no_environment_is_never_cleared(house: House) -> None:
    house.venv.mkdir()
    (house.venv / "diary").write_text("mine")
    with pytest.raises(bootstrap.SetupFailed, match="something else"):
        house.set_up()
    assert (house.venv / "diary").read_text() == "mine"


def test_too_little_space_is_said_before_anything_is_fetched(house: House) -> None:
    usage = namedtuple("usage", "total used free")
    house.monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**12, 10**12 - 10**9, 10**9))
    with pytest.raises(bootstrap.SetupFailed, match=r"1\.0 GB free"):
        house.set_up()
    assert not house.venv.exists()
    assert not house.log.exists()


def test_a_place_that_cannot_be_written(house: House) -> None:
    (house.root / "file").touch()
    with pytest.raises(bootstrap.SetupFailed, match="cannot be written"):
        bootstrap.set_up(house.root, house.root / "file" / "venv")


def test_other_pythons_ask_for_3_12_then_take_a_3_11_that_is_here(house: House) -> None:
    house.monkeypatch.setattr(bootstrap, "wanted_python", lambda: "3.12")
    house.behave(no_python=["3.12"])
    house.set_up()
    assert [call[call.index("--python") + 1] for call in house.calls("venv")] == ["3.12", "3.11"]
    shutil.rmtree(house.venv)
    house.behave(no_python=["3.12", "3.11"])
    with pytest.raises(bootstrap.SetupFailed, match=r"Python 3\.11 or 3\.12 is needed"):
        house.set_up()


@pytest.mark.parametrize(
    ("version", "as_is"), [((3, 10), False), ((3, 11), True), ((3, 12), True), ((3, 13), False)]
)
def test_which_python_is_used_as_it_is(
    version: tuple[int, int], as_is: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "version_info", (*version, 0, "final", 0))
    assert bootstrap.wanted_python() == (bootstrap.own_python() if as_is else "3.12")


def test_a_uv_that_does_not_start_is_passed_over(house: House, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "uv").write_text("#!/bin/sh\nexit 127\n")
    (broken / "uv").chmod(0o755)
    own = house.venv.with_name(".venv-uv") / "bin"
    own.mkdir(parents=True)
    shutil.copy(tmp_path / "programs" / "uv", own / "uv")
    house.monkeypatch.setenv("PATH", f"{broken}{os.pathsep}{os.defpath}")
    assert bootstrap.find_uv(house.venv) == [str(own / "uv")]


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("No module named ensurepip", "no working pip and venv"),
        ("ERROR: No matching distribution found for uv", "no network"),
        ("OSError: [Errno 28] No space left on device", "is full"),
    ],
)
def test_no_uv_and_no_way_to_get_it(house: House, said: str, sentence: str) -> None:
    house.monkeypatch.setenv("PATH", "")
    house.monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    failed = subprocess.CompletedProcess([], 1, "", said)
    house.monkeypatch.setattr(bootstrap, "answers", lambda uv: False)
    house.monkeypatch.setattr(subprocess, "run", lambda *a, **k: failed)
    with pytest.raises(bootstrap.SetupFailed, match=sentence):
        bootstrap.find_uv(house.venv)


def test_the_second_of_two_waits_and_then_has_nothing_to_do(house: House) -> None:
    with bootstrap.only_one(house.venv):
        second = threading.Thread(target=house.set_up)
        second.start()
        second.join(0.2)
        assert second.is_alive()
        bootstrap.make_current(house.root, house.venv)
        calls = len(house.calls())
    second.join(30)
    assert not second.is_alive()
    assert len(house.calls()) == calls


def test_progress_counts_what_has_come() -> None:
    downloads = bootstrap.Downloads()
    assert downloads.line(3) == "  0:03  working"
    for line in ("Downloading torch (1.5GiB)\n", "Downloading numpy (17.4MiB)\n", " Downloaded numpy\n"):
        downloads.hear(line)
    assert downloads.line(75) == "  1:15  17 of 1553 MiB here, 1 to come (torch)"
    downloads.hear(" Downloaded torch")
    assert downloads.line(80) == "  1:20  unpacking"


def _door(house: House, python: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Open a copy of the door whose command line says what it was given and where it runs."""
    shutil.copy(ROOT / "main.py", house.root)
    shutil.copytree(ROOT / "packaging", house.root / "packaging", dirs_exist_ok=True)
    pipelines = house.root / "pipelines"
    pipelines.mkdir(exist_ok=True)
    (pipelines / "cli.py").write_text(
        "import os, sys\n"
        "def main(argv):\n"
        "    calm = os.environ['OPENBLAS_NUM_THREADS']\n"
        "    print(argv, sys.prefix, 'AVATAR_STUDIO_INSIDE' in os.environ, calm)\n"
        "    return 7\n"
    )
    command = [python, str(house.root / "main.py"), *arguments]
    screens = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    own = {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_NUM_THREADS", *screens)}
    # From elsewhere: the door must not lean on the folder that it is opened from.
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=house.root.parent, env=own
    )


def test_the_door_sets_up_once_and_starts_again_inside(house: House) -> None:
    first = _door(house, sys.executable, "build", "Zoë 🙂")
    second = _door(house, sys.executable, "build", "Zoë 🙂")
    assert first.stdout == second.stdout == f"['build', 'Zoë 🙂'] {house.venv} False 1\n"
    assert first.returncode == second.returncode == 7
    assert "Setting up" in first.stderr
    assert second.stderr == ""


def test_the_environment_can_be_made_anew_from_within(house: House) -> None:
    house.set_up()
    (house.venv / bootstrap.UNFINISHED).touch()
    (house.venv / "left over").touch()
    done = _door(house, str(bootstrap.venv_python(house.venv)))
    assert done.stdout == f"[] {house.venv} False 1\n", done.stderr
    assert not (house.venv / "left over").exists()


def test_the_door_says_what_failed_and_ends_with_2(house: House) -> None:
    house.behave(install_error="error: dns error")
    done = _door(house, sys.executable, "demo")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "no network" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_an_environment_elsewhere(house: House, tmp_path: Path) -> None:
    elsewhere = tmp_path / "another disk" / "venv"
    house.monkeypatch.setenv("AVATAR_STUDIO_VENV", str(elsewhere))
    done = _door(house, sys.executable)
    assert done.stdout == f"[] {elsewhere} False 1\n", done.stderr
    assert not house.venv.exists()
