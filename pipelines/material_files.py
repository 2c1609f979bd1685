"""Training material on disk: an archive of numbers, and arrays that stay there until they are looked at."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem

SCHEMA = 1
"""Version of the files."""


def new_arrays(
    folder: Path, shapes: Mapping[str, tuple[npt.DTypeLike, tuple[int, ...]]]
) -> dict[str, np.memmap[Any, np.dtype[Any]]]:
    """Arrays of type and shape, each in ``NAME.npy`` of a folder, to be written and flushed."""
    return {
        name: np.lib.format.open_memmap(folder / f"{name}.npy", "w+", kind, shape)  # type: ignore[no-untyped-call]
        for name, (kind, shape) in shapes.items()
    }


def save_numbers(path: Path, numbers: Mapping[str, npt.ArrayLike]) -> None:
    """Write named numbers as one archive."""
    np.savez(path, schema_version=SCHEMA, **numbers)


def load_numbers(path: Path) -> dict[str, npt.NDArray[Any]]:
    """What :func:`save_numbers` wrote. Raises what numpy raises, and ValueError for another version."""
    # Opened here, because numpy leaves a file that is no archive open.
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        numbers = {name: archive[name] for name in archive.files}
    if int(numbers.pop("schema_version", SCHEMA)) != SCHEMA:
        raise ValueError("another version of the program wrote it")
    return numbers


def motion_numbers(prefix: str, motion: HeadMotion) -> dict[str, npt.NDArray[np.float32]]:
    """A motion as named numbers."""
    return {f"{prefix}_{f.name}": getattr(motion, f.name) for f in fields(HeadMotion)}


def motion_from_numbers(prefix: str, numbers: Mapping[str, npt.NDArray[Any]]) -> HeadMotion:
    """The motion back. Raises KeyError, ValueError."""
    return HeadMotion(**{f.name: numbers[f"{prefix}_{f.name}"] for f in fields(HeadMotion)})


@contextmanager
def damage_told(folder: Path) -> Iterator[None]:
    """Turn what reading damaged files raises into a Problem that says what to do."""
    try:
        yield
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise Problem(
            f"The training material is damaged ({error}); remove {folder} and build again."
        ) from error
