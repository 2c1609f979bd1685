"""The weights manifest is well formed; files are found, verified and explained."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from studio.assets import WEIGHTS_VARIABLE, Asset, AssetLibrary, manifest
from studio.domain.problem import Problem

CONTENT = b"weights of a network"
ASSET = Asset(
    id="net",
    title="A network",
    files=("net.pth", "network.pth"),
    source="https://example.org/net",
    licence="MIT",
    unlocks="likeness",
    off="Likeness is off",
    instead="guesses are used",
    size=len(CONTENT),
    sha256=(hashlib.sha256(CONTENT).hexdigest(),),
)


@pytest.fixture
def library(home: Path) -> AssetLibrary:
    return AssetLibrary(home, {"net": ASSET})


def _put(folder: Path, name: str = "net.pth", content: bytes = CONTENT) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return folder / name


@pytest.mark.parametrize("asset", manifest().values(), ids=lambda asset: asset.id)
def test_the_manifest_is_well_formed(asset: Asset) -> None:
    assert asset.source.startswith("https://")
    assert all(len(digest) == 64 and int(digest, 16) for digest in asset.sha256)
    assert asset.files
    assert all(Path(name).name == name for name in asset.files)
    assert asset.off.endswith(("off", "landmarks", "FFHQ"))
    assert not any(text.endswith(".") for text in (asset.off, asset.instead, asset.unlocks, asset.licence))


def test_file_names_lead_to_one_asset() -> None:
    names = [name for asset in manifest().values() for name in asset.files]
    assert len(set(names)) == len(names)


def test_missing_says_what_is_off_why_and_what_to_do(library: AssetLibrary, home: Path) -> None:
    assert library.find("net") is None
    assert library.missing("net") == (
        "Likeness is off because A network (net.pth) is not on this machine: get it from "
        f"https://example.org/net (licence: MIT) and put it into {home / 'weights'}; "
        "until then guesses are used."
    )
    with pytest.raises(Problem, match="Likeness is off"):
        library.require("net")


def test_found_in_the_home_under_any_of_its_names(library: AssetLibrary, home: Path) -> None:
    path = _put(home / "weights", "network.pth")
    assert library.missing("net") is None
    assert library.require("net") == path


def test_the_named_folders_come_first(
    library: AssetLibrary, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _put(home / "weights")
    there = _put(tmp_path / "b")
    monkeypatch.setenv(WEIGHTS_VARIABLE, os.pathsep.join([str(tmp_path / "a"), str(tmp_path / "b")]))
    assert library.require("net") == there


@pytest.mark.parametrize(
    ("content", "words"), [(CONTENT[:-3], "not whole"), (CONTENT[::-1], "SHA-256"), (b"", "not whole")]
)
def test_a_file_that_is_not_the_known_one_is_refused(
    library: AssetLibrary, home: Path, content: bytes, words: str
) -> None:
    path = _put(home / "weights", content=content)
    sentence = library.missing("net")
    assert sentence is not None
    assert words in sentence
    assert str(path) in sentence
    with pytest.raises(Problem):
        library.require("net")


def test_a_replaced_file_is_verified_again(library: AssetLibrary, home: Path) -> None:
    path = _put(home / "weights", content=CONTENT[::-1])
    assert library.missing("net") is not None
    path.write_bytes(CONTENT)
    os.utime(path, ns=(1, 1))
    assert library.missing("net") is None


def test_an_unknown_asset_is_our_own_mistake(library: AssetLibrary) -> None:
    with pytest.raises(KeyError):
        library.find("nothing")
