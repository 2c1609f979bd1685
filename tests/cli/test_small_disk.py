"""A disk that is really full, and one that is really read-only."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Resize = Callable[[str], None]


@pytest.fixture
def disk(home: Path, workers: None) -> Iterator[Resize]:
    """Mount a disk of its own at home; call it with mount options to change them."""
    home.mkdir(parents=True)

    def mount(options: str) -> bool:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(home)]
        try:
            return subprocess.run(command, capture_output=True, check=False).returncode == 0
        except FileNotFoundError:
            return False

    if not mount("size=100m"):
        pytest.skip("this user may not mount a disk")
    try:
        yield lambda options: assert_done(mount(f"remount,{options}"))
    finally:
        subprocess.run(["umount", str(home)], check=True)


def assert_done(done: bool) -> None:
    assert done


@pytest.mark.slow
@pytest.mark.parametrize("kilobytes", [60, 160, 300, 600])
def test_an_import_that_does_not_fit_leaves_nothing(disk, studio, home, sample_clip, kilobytes):
    disk(f"size={kilobytes}k")
    said = studio("import", sample_clip, "--subject", "Bob")
    assert said.code == 2
    assert "is full" in said.sentence
    assert not list((home / "subjects").glob("*"))
    disk("size=100m")
    assert studio("import", sample_clip, "--subject", "Bob").code == 0


@pytest.mark.slow
def test_a_build_that_does_not_fit_is_continued_when_there_is_room(disk, studio, home, sample_clip):
    assert studio("import", sample_clip, "--subject", "Bob").code == 0
    used = sum(p.stat().st_blocks * 512 for p in home.rglob("*"))
    disk(f"size={used // 1024 + 150}k")
    said = studio("build", "Bob")
    assert said.code == 2
    assert "is full" in said.sentence
    assert not list(home.glob("subjects/bob/avatars/*"))
    assert "clip " in studio("list").out
    disk("size=100m")
    assert studio("build", "Bob").code == 0


@pytest.mark.slow
def test_a_home_on_a_read_only_disk_can_be_looked_at(disk, studio, home, sample_clip):
    assert studio("import", sample_clip, "--subject", "Bob").code == 0
    before = {p: p.stat().st_mtime_ns for p in home.rglob("*")}
    disk("ro")
    assert "Bob" in studio("list").out
    for words in (["import", sample_clip, "--subject", "Ann"], ["build", "Bob"], ["remove", "Bob"]):
        said = studio(*words)
        assert said.code == 2, words
        assert "read-only" in said.sentence
    assert {p: p.stat().st_mtime_ns for p in home.rglob("*")} == before
    disk("rw")
