"""A user's file is taken in when it is the known one, and refused with a sentence otherwise."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pipelines.import_weights import import_weights
from studio.assets import Asset, AssetLibrary
from studio.domain.problem import Problem
from studio.domain.progress import Interrupted

CONTENT = bytes(range(256)) * 40


def _asset(name: str, content: bytes | None) -> Asset:
    return Asset(
        id=name,
        title=f"The {name} network",
        files=(f"{name}.pth", f"old-{name}.pth"),
        source=f"https://example.org/{name}",
        licence="MIT",
        unlocks="likeness",
        off="Likeness is off",
        size=None if content is None else len(content),
        sha256=() if content is None else (hashlib.sha256(content).hexdigest(),),
    )


@pytest.fixture
def library(home: Path) -> AssetLibrary:
    assets = {"a": _asset("a", CONTENT), "b": _asset("b", CONTENT[::-1]), "free": _asset("free", None)}
    return AssetLibrary(home, assets)


def _file(folder: Path, name: str, content: bytes = CONTENT) -> Path:
    (folder / name).write_bytes(content)
    return folder / name


def _left(library: AssetLibrary) -> list[str]:
    return sorted(path.name for path in library.weights.iterdir()) if library.weights.exists() else []


@pytest.mark.parametrize("name", ["a.pth", "old-a.pth", "download (1).bin"])
def test_a_known_file_is_recognised_whatever_it_is_called(
    library: AssetLibrary, tmp_path: Path, name: str
) -> None:
    assert import_weights(library, _file(tmp_path, name)).id == "a"
    assert _left(library) == ["a.pth"]
    assert library.state("a") == "there"
    assert library.state("a", thorough=True) == "good"
    assert (tmp_path / name).read_bytes() == CONTENT


def test_two_files_of_one_size_are_told_apart_by_their_content(library: AssetLibrary, tmp_path: Path) -> None:
    assert import_weights(library, _file(tmp_path, "x", CONTENT[::-1])).id == "b"
    assert _left(library) == ["b.pth"]


@pytest.mark.parametrize(
    ("name", "content", "wanted", "words"),
    [
        ("a.pth", CONTENT[:-1], None, "10,239 bytes where 10,240 are expected"),
        ("a.pth", CONTENT[1:] + b"?", None, "SHA-256"),
        ("x", CONTENT[::-1], "a", "is not The a network"),
        ("x", b"anything", None, "none of the files"),
        ("x", CONTENT[1:] + b"?", None, "none of the files"),
    ],
)
def test_another_file_is_refused_and_what_was_there_stays(
    library: AssetLibrary, tmp_path: Path, name: str, content: bytes, wanted: str | None, words: str
) -> None:
    library.weights.mkdir(parents=True)
    before = _file(library.weights, "a.pth")
    with pytest.raises(Problem, match=words):
        import_weights(library, _file(tmp_path, name, content), wanted)
    assert _left(library) == ["a.pth"]
    assert before.read_bytes() == CONTENT


def test_without_a_digest_the_name_or_the_users_word_decides(library: AssetLibrary, tmp_path: Path) -> None:
    assert import_weights(library, _file(tmp_path, "free.pth", b"1")).id == "free"
    assert library.state("free") == "good"
    import_weights(library, _file(tmp_path, "renamed.bin", b"22"), "free")
    assert (library.weights / "free.pth").read_bytes() == b"22"


def test_a_copy_given_up_leaves_nothing(library: AssetLibrary, tmp_path: Path) -> None:
    def stop(done: int, total: int | None, what: str) -> None:
        raise Interrupted

    with pytest.raises(Interrupted):
        import_weights(library, _file(tmp_path, "a.pth"), progress=stop)
    assert _left(library) == []


def test_a_folder_is_no_file(library: AssetLibrary, tmp_path: Path) -> None:
    with pytest.raises(Problem, match="choose the file itself"):
        import_weights(library, tmp_path)


def test_a_quick_look_sees_a_wrong_size_and_only_a_thorough_one_a_wrong_content(
    library: AssetLibrary,
) -> None:
    assert library.state("a") == "missing"
    library.weights.mkdir(parents=True)
    _file(library.weights, "a.pth", CONTENT[::-1])
    assert library.state("a") == "there"
    assert library.state("a", thorough=True) == "wrong"
    _file(library.weights, "a.pth", CONTENT[:-1])
    assert library.state("a") == "wrong"
