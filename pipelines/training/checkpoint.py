"""Checkpoints of a training: folders of safetensors and JSON that are whole or not there.

::

    <folder>/checkpoint-000012/tensors.safetensors
                               state.json           everything else, and what the tensors' file must weigh
    <folder>/checkpoint-000013/…                    the newest; the one before it stays until the next
    <folder>/best/…                                 the best weights so far

Each is written aside, flushed to disk and renamed. No pickles: nothing that is read can run anything.
"""

from __future__ import annotations

import json
import re
import zlib
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from pipelines.training.tree import Tree, join, split
from studio.project.atomic import explaining_disk, new_folder, remove_folder, tidy, write_json

_NAME = re.compile(r"checkpoint-(\d{6,})")
_VERSION = 1
_KEEP = 2


class Torn(Exception):
    """A saved state is missing, incomplete or damaged."""


def save_state(folder: Path, state: Tree) -> None:
    """Write a state as the folder ``folder``, which takes its place at once.

    Raises:
        Problem: the disk said no. What was there before is as it was.
        TypeError: the state holds something that is not data.
    """
    plain, tensors = split(state)
    with new_folder(folder) as aside:
        path = aside / "tensors.safetensors"
        try:
            save_file(tensors, path)
        except SafetensorError as error:
            number = re.search(r"os error (\d+)", str(error))
            if number is None:
                raise
            raise OSError(int(number[1]), str(error)) from error
        record = {"version": _VERSION, "state": plain, "bytes": path.stat().st_size, "crc32": _sum(path)}
        write_json(aside / "state.json", record)


def load_state(folder: Path) -> Tree:
    """Read what :func:`save_state` wrote; tensors are on the CPU. Raises Torn."""
    path = folder / "tensors.safetensors"
    try:
        record: Any = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        if record["version"] != _VERSION:
            raise Torn(f"{folder} is of another version")
        # A machine that lost power may leave a file of the right length full of zeros.
        if path.stat().st_size != record["bytes"] or _sum(path) != record["crc32"]:
            raise Torn(f"{path} is damaged")
        with safe_open(path, framework="pt", device="cpu") as file:
            # Copies: the file may be removed while the training goes on with them.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        return join(record["state"], tensors)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise Torn(f"{folder}: {error}") from error


class Checkpoints:
    """The newest states of one training, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        """
        Args:
            folder: made if it is not there; nothing else may number checkpoints in it.
        """
        self.folder = folder

    def save(self, state: Tree) -> None:
        """Write a new checkpoint; the one before the previous goes, last. Raises Problem."""
        with explaining_disk(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        numbered = self._numbered()
        number = max(numbered, default=0) + 1
        save_state(self.folder / f"checkpoint-{number:06d}", state)
        for old in sorted(numbered)[: -(_KEEP - 1)]:
            remove_folder(numbered[old])

    def load(self) -> tuple[Tree | None, int]:
        """The newest whole checkpoint, None if there is none, and how many damaged ones were passed over.

        Damaged ones are removed, so that they do not count as the previous one.
        """
        tidy(self.folder)
        damaged = 0
        for _, path in sorted(self._numbered().items(), reverse=True):
            try:
                return load_state(path), damaged
            except Torn:
                damaged += 1
                remove_folder(path)
        return None, damaged

    def clear(self) -> None:
        """Remove all checkpoints."""
        for path in self._numbered().values():
            remove_folder(path)

    def _numbered(self) -> dict[int, Path]:
        if not self.folder.is_dir():
            return {}
        found = ((_NAME.fullmatch(path.name), path) for path in self.folder.iterdir())
        return {int(match[1]): path for match, path in found if match}


def _sum(path: Path) -> int:
    total = 0
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            total = zlib.crc32(piece, total)
    return total
