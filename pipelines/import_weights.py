"""Take a file that a user has got themselves into the home's weights, if it is what it should be."""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from contextlib import suppress
from pathlib import Path

from studio.assets import Asset, AssetLibrary
from studio.domain.problem import Problem
from studio.domain.progress import Progress, silent
from studio.project.atomic import explaining_disk

_BLOCK = 1 << 22


def import_weights(
    library: AssetLibrary, file: Path, asset_id: str | None = None, progress: Progress = silent
) -> Asset:
    """Copy a file in under the name it is looked for. It is copied aside, checked, and then renamed.

    Args:
        library: the home's.
        file: what the user has.
        asset_id: what it is meant to be; None to find out by its name, size and digest.
        progress: counts megabytes.

    Returns:
        What it is.

    Raises:
        Problem: it is not that file, not a known file at all, cannot be read, or the disk said no. What was
            there before is untouched.
    """
    with explaining_disk(file):
        if not file.is_file():
            raise Problem(f"{file.name} is not a file: choose the file itself.")
        size = file.stat().st_size
    candidates = [library.assets[asset_id]] if asset_id else _candidates(library, file.name, size)
    if not candidates:
        raise Problem(
            f"{file.name} is none of the files that the studio can use: the list names each with its page."
        )
    if len(candidates) == 1:
        _refuse_size(candidates[0], file, size)
    place = library.weights
    aside = place / f".{uuid.uuid4().hex[:8]}-{os.getpid()}.part"
    with explaining_disk(place):
        place.mkdir(parents=True, exist_ok=True)
        if size > shutil.disk_usage(place).free:
            raise Problem(f"The disk that holds {place} is full: {file.name} needs {_mega(size)} MB.")
        try:
            digest = _copy(file, aside, size, progress)
            asset = _recognised(candidates, file, digest)
            aside.replace(place / asset.files[0])
        finally:
            with suppress(OSError):
                aside.unlink(missing_ok=True)
    return asset


def _candidates(library: AssetLibrary, name: str, size: int) -> list[Asset]:
    """What a file may be: by its name, else everything of its size."""
    named = [asset for asset in library.assets.values() if name in asset.files]
    sized = [a for a in library.assets.values() if a.sha256 and (a.size == size or a.size is None)]
    return named or sized


def _refuse_size(asset: Asset, file: Path, size: int) -> None:
    if asset.size is not None and asset.size != size:
        raise Problem(
            f"{file.name} is not {asset.title}: it has {size:,} bytes where {asset.size:,} are expected. "
            f"Get it again from {asset.source}."
        )


def _copy(file: Path, aside: Path, size: int, progress: Progress) -> str:
    """Copy and flush. Returns the SHA-256 of what was copied."""
    digest, done = hashlib.sha256(), 0
    with file.open("rb") as source, aside.open("wb") as target:
        while block := source.read(_BLOCK):
            digest.update(block)
            target.write(block)
            done += len(block)
            progress(_mega(done), _mega(size), "Copying and checking")
        target.flush()
        os.fsync(target.fileno())
    return digest.hexdigest()


def _recognised(candidates: list[Asset], file: Path, digest: str) -> Asset:
    for asset in candidates:
        if digest in asset.sha256 or (len(candidates) == 1 and not asset.sha256):
            return asset
    if len(candidates) == 1:
        asset = candidates[0]
        raise Problem(
            f"{file.name} is not {asset.title}: its content is another (SHA-256 differs). "
            f"Get it again from {asset.source}."
        )
    raise Problem(
        f"{file.name} is none of the files that the studio can use: the list names each with its page."
    )


def _mega(size: int) -> int:
    return max(1, size >> 20)
