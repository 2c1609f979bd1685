"""What an artefact came from, as a key: equal keys mean equal artefacts, so finished work is found again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from fractions import Fraction
from pathlib import Path, PurePath
from typing import Any

KEY_LENGTH = 16
"""Hexadecimal digits of a key; 64 bits keep paths short and chance collisions out of reach."""


def key_of(stage: str, version: int, inputs: Mapping[str, str], settings: Any) -> str:
    """The key of an artefact before it is made.

    Args:
        stage: identifier of the stage that makes it, e.g. ``track``.
        version: the stage's version; raised whenever its result changes for equal inputs.
        inputs: name to key of every artefact the stage reads.
        settings: the stage's settings dataclass (or plain values). Fields declared with
            ``metadata={"invalidates": False}`` do not count; those with ``metadata={"absent": value}``, which
            came later than artefacts that exist, do not count while they have that value.

    Returns:
        KEY_LENGTH hexadecimal digits of a SHA-256.
    """
    document = {
        "stage": stage,
        "version": version,
        "inputs": dict(inputs),
        "settings": settings_that_matter(settings),
    }
    text = json.dumps(document, sort_keys=True, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:KEY_LENGTH]


def file_key(path: Path, on_bytes: Any = None) -> str:
    """The key of a file: a hash of its content, whatever its name or place.

    Args:
        path: the file.
        on_bytes: called with each block of bytes read, e.g. to copy the file on the way.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
            if on_bytes is not None:
                on_bytes(block)
    return digest.hexdigest()[:KEY_LENGTH]


def settings_that_matter(value: Any) -> Any:
    """Settings as plain JSON values without the fields that cannot change a result.

    Numbers that are equal become one spelling (1 and 1.0), so that a key does not depend on who typed it.

    Raises:
        TypeError: a value with no stable spelling.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: settings_that_matter(getattr(value, field.name))
            for field in fields(value)
            if field.metadata.get("invalidates", True)
            and ("absent" not in field.metadata or field.metadata["absent"] != getattr(value, field.name))
        }
    if value is None or isinstance(value, str | bool):
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, Enum):
        return settings_that_matter(value.value)
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    if isinstance(value, PurePath):
        return value.as_posix()
    if isinstance(value, Mapping):
        return {str(key): settings_that_matter(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [settings_that_matter(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((settings_that_matter(item) for item in value), key=repr)
    raise TypeError(f"a setting of type {type(value).__name__} has no stable spelling: {value!r}")
