"""Weights that a user may own: find them, verify them, say in one sentence what is missing.

``assets/manifest.toml`` lists them. Nothing is ever downloaded: a file counts when the user has put it into
the ``weights`` folder of the home, or into a folder named by ``AVATAR_STUDIO_WEIGHTS``.
"""

from __future__ import annotations

import functools
import hashlib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from studio.domain.problem import Problem

MANIFEST = Path(__file__).resolve().parent.parent / "assets" / "manifest.toml"
WEIGHTS_VARIABLE = "AVATAR_STUDIO_WEIGHTS"
AssetState = Literal["missing", "there", "good", "wrong"]
"""there: name and size are right, nobody read it; good: it is the known file, or its digest is unknown."""


@dataclass(frozen=True)
class Asset:
    """One entry of the manifest."""

    id: str
    """How the code asks for it, e.g. ``lpips-vgg``."""
    title: str
    """What a person reads."""
    files: tuple[str, ...]
    """File names under which it is looked for, the usual one first."""
    source: str
    """The page where its owner offers it."""
    licence: str
    """The terms in short."""
    unlocks: str
    """What works once it is there."""
    off: str
    """What is off while it is not, as the start of a sentence."""
    instead: str = ""
    """How the studio manages until then, as the end of a sentence."""
    planned: bool = False
    """Whether what it unlocks is not built yet."""
    size: int | None = None
    """Bytes, where known."""
    sha256: tuple[str, ...] = ()
    """Digests of good copies, where known."""


@functools.cache
def manifest(path: Path = MANIFEST) -> Mapping[str, Asset]:
    """Every asset by its id, in the order of the file."""
    entries: list[dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8"))["asset"]
    for entry in entries:
        entry.update({name: tuple(value) for name, value in entry.items() if isinstance(value, list)})
    return {entry["id"]: Asset(**entry) for entry in entries}


class AssetLibrary:
    """The assets of one home."""

    def __init__(self, home: Path, assets: Mapping[str, Asset] | None = None) -> None:
        """
        Args:
            home: the home folder; its ``weights`` folder is searched and need not exist.
            assets: the manifest to go by, normally the bundled one.
        """
        self.assets = manifest() if assets is None else assets
        self.weights = home / "weights"

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where files are looked for: AVATAR_STUDIO_WEIGHTS (one folder or several), then the home's own."""
        named = os.environ.get(WEIGHTS_VARIABLE, "").split(os.pathsep)
        return (*(Path(folder).expanduser() for folder in named if folder), self.weights)

    def find(self, asset_id: str) -> Path | None:
        """The file of an asset, or None; its content is not read. KeyError for an unknown id."""
        asset = self.assets[asset_id]
        places = (folder / name for folder in self.folders for name in asset.files)
        return next((place.absolute() for place in places if place.is_file()), None)

    def missing(self, asset_id: str, off: str = "") -> str | None:
        """None when the asset is there and good, otherwise one sentence: what is off, why, and what to do.

        Args:
            asset_id: which.
            off: what is off, where it is something else than the entry names, which has several uses; what
                the entry knows to stand in meanwhile is left out then.
        """
        asset, path = self.assets[asset_id], self.find(asset_id)
        if path is None:
            fault = f"{asset.title} ({asset.files[0]}) is not on this machine"
            advice = f"get it from {asset.source} (licence: {asset.licence}) and put it into {self.weights}"
        else:
            found = _fault(asset, path)
            if found is None:
                return None
            fault = f"{path} {found}"
            advice = f"get {asset.title} from {asset.source} again, or remove the file"
        meanwhile = f"; until then {asset.instead}" if asset.instead and not off else ""
        return f"{off or asset.off} because {fault}: {advice}{meanwhile}."

    def state(self, asset_id: str, thorough: bool = False) -> AssetState:
        """What became of an asset; only a thorough look reads the file. KeyError for an unknown id."""
        asset, path = self.assets[asset_id], self.find(asset_id)
        if path is None:
            return "missing"
        if _fault(asset, path, thorough) is not None:
            return "wrong"
        return "good" if thorough or not asset.sha256 else "there"

    def require(self, asset_id: str) -> Path:
        """The verified file of an asset. Raises Problem with :meth:`missing`'s sentence."""
        sentence = self.missing(asset_id)
        path = self.find(asset_id)
        if sentence is not None or path is None:
            raise Problem(sentence or f"{self.assets[asset_id].title} has just been removed: put it back.")
        return path


def _fault(asset: Asset, path: Path, thorough: bool = True) -> str | None:
    """What is wrong with a file, as the end of a sentence; its content is read only by a thorough look."""
    try:
        state = path.stat()
        if asset.size is not None and state.st_size != asset.size:
            return f"has {state.st_size:,} bytes where {asset.size:,} are expected, so its copy is not whole"
        if thorough and asset.sha256 and _digest(path, state.st_size, state.st_mtime_ns) not in asset.sha256:
            return "is not the known file (its SHA-256 differs)"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return None


@functools.lru_cache(maxsize=64)
def _digest(path: Path, size: int, changed: int) -> str:
    """SHA-256 of a file, read once as long as its size and time of change stay."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
