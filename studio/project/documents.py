"""JSON documents with a schema version: read, checked, migrated step by step."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.domain.problem import Problem
from studio.project.atomic import explaining_disk, write_json

Content = dict[str, Any]
Migration = Callable[[Content], Content]


@dataclass(frozen=True)
class DocumentKind:
    """One sort of document and its history."""

    name: str
    """What a person calls it, e.g. ``subject``."""
    migrations: tuple[Migration, ...] = ()
    """Step ``i`` turns schema version ``i + 1`` into ``i + 2``. Steps keep keys they do not know."""

    @property
    def version(self) -> int:
        """The schema version written today."""
        return len(self.migrations) + 1


def write_document(path: Path, kind: DocumentKind, content: Content) -> None:
    """Write a document with today's schema version, atomically. Raises Problem when the disk says no."""
    write_json(path, {"schema_version": kind.version, **_without_version(content)})


def read_document(path: Path, kind: DocumentKind) -> Content:
    """Read a document, migrating it if it is older.

    A migrated document is written back after the old file was copied beside it as
    ``<stem>.v<old version>.json``; on a disk that cannot be written it is migrated in memory only.

    Returns:
        The content without ``schema_version``; keys unknown to this version are kept.

    Raises:
        Problem: missing, damaged, or written by a newer version of the program.
    """
    try:
        with explaining_disk(path):
            content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise Problem(f"The {kind.name} file {path} is missing: restore it or remove its folder.") from error
    except ValueError as error:
        raise Problem(
            f"The {kind.name} file {path} is damaged ({error}): "
            "restore it from a backup or remove its folder."
        ) from error
    version = content.get("schema_version") if isinstance(content, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise Problem(
            f"The {kind.name} file {path} is damaged (it has no schema_version): "
            "restore it from a backup or remove its folder."
        )
    if version > kind.version:
        raise Problem(
            f"The {kind.name} file {path} was written by a newer version of Avatar Studio: update this one."
        )
    content = _without_version(content)
    if version < kind.version:
        for step in kind.migrations[version - 1 :]:
            content = step(content)
        with suppress(Problem, OSError):
            shutil.copy2(path, path.with_name(f"{path.stem}.v{version}.json"))
            write_document(path, kind, content)
    return content


def _without_version(content: Content) -> Content:
    return {key: value for key, value in content.items() if key != "schema_version"}
