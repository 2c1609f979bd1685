"""constraints.txt is complete, exact and what is installed."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from pathlib import Path

import pin
import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
LINES = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
WANTED = [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]]


def _pins() -> dict[str, Requirement]:
    return {canonicalize_name(Requirement(line).name): Requirement(line) for line in LINES}


def test_every_line_is_a_name_a_version_and_at_most_a_marker() -> None:
    for line in LINES:
        assert re.fullmatch(r"[a-z0-9._-]+==[0-9][0-9a-z.]*( ; [^;]+)?", line), line
    assert sorted(LINES) == LINES
    assert len(_pins()) == len(LINES)


@pytest.mark.parametrize("wanted", WANTED)
def test_every_direct_dependency_is_pinned_within_its_bounds(wanted: str) -> None:
    requirement = Requirement(wanted)
    pinned = _pins()[canonicalize_name(requirement.name)]
    (version,) = pinned.specifier
    assert requirement.specifier.contains(version.version)


def test_what_the_installed_packages_ask_for_is_pinned_too() -> None:
    pins = _pins()
    overridden = {
        canonicalize_name(Requirement(o).name) for o in PROJECT["tool"]["uv"]["override-dependencies"]
    }
    for name, requirement in pins.items():
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        for text in importlib.metadata.requires(name) or ():
            asked = Requirement(text)
            if asked.marker is None or asked.marker.evaluate({"extra": ""}):
                assert canonicalize_name(asked.name) in pins.keys() | overridden, f"{name} asks for {text}"


def test_the_environment_holds_the_pinned_versions() -> None:
    for name, requirement in _pins().items():
        if requirement.marker is None or requirement.marker.evaluate():
            try:
                version = importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                # A torch build that fits the machine brings its own CUDA libraries, or none.
                assert re.match("nvidia-|cuda-|triton", name), name
                continue
            if not re.match("nvidia-|cuda-|triton", name):
                assert requirement.specifier.contains(version), f"{name} {version}"


def test_one_cv2_and_nothing_that_mediapipe_does_not_need() -> None:
    names = set(_pins())
    assert {name for name in names if name.startswith("opencv")} == {"opencv-python-headless"}
    assert not names & {"jax", "jaxlib", "sentencepiece", "sounddevice"}


@pytest.mark.parametrize("system", ["linux", "win32", "darwin"])
def test_cuda_is_for_linux_only(system: str) -> None:
    environment = {"sys_platform": system, "platform_machine": "x86_64", "python_full_version": "3.12.1"}
    for name, requirement in _pins().items():
        if name.startswith("nvidia-") or name == "triton":
            assert requirement.marker is not None
            assert Marker(str(requirement.marker)).evaluate(environment) == (system == "linux"), name


def test_tidying_keeps_supported_systems_only() -> None:
    compiled = """\
# a remark
--index-url somewhere
jax==0.5 ; sys_platform == 'never'
anyio==4.0 ; sys_platform != 'emscripten'
triton==3.9 ; python_full_version < '3.15' and sys_platform == 'linux'
absl-py==2.5
"""
    assert pin.tidy(compiled) == "absl-py==2.5\nanyio==4.0\ntriton==3.9 ; sys_platform == 'linux'\n"
