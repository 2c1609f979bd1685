"""A TrackedSequence on disk: ``sequence.npz`` (arrays), ``sequence.json`` (words), ``masks.zip`` (masks)."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem
from studio.domain.sequence import TrackedSequence
from studio.project.atomic import new_folder
from studio.project.documents import DocumentKind, read_document, write_document

SEQUENCE = DocumentKind("tracked sequence")
"""The document ``sequence.json``."""
MASK_SIZE = 256
"""Masks are stored at this many pixels square; ``mask_boxes`` says where they lie in the picture."""

_ARRAYS = ("landmarks", "crops", "mask_boxes", "flags", "sharpness", "identity", "offset", "fit_error")
_WORDS = ("width", "height", "head_model", "tracker")
_DAMAGE = (ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)
_MOTION = tuple(f.name for f in fields(HeadMotion))

Mask = npt.NDArray[np.uint8]


@contextmanager
def new_sequence_folder(folder: Path) -> Iterator[Path]:
    """An empty folder beside ``folder`` that takes its place, complete and flushed, on a clean exit.

    Raises:
        Problem: the disk said no. ``folder`` is then as it was.
    """
    with new_folder(folder) as aside:
        yield aside


def save_sequence(folder: Path, sequence: TrackedSequence) -> None:
    """Write ``sequence.npz`` and ``sequence.json`` into an existing folder.

    Call it inside :func:`new_sequence_folder`, so that the arrays, the document and the masks appear
    together or not at all.

    Raises:
        Problem: the disk said no.
    """
    arrays = {name: getattr(sequence, name) for name in _ARRAYS}
    arrays |= {f"motion_{name}": getattr(sequence.motion, name) for name in _MOTION}
    np.savez(folder / "sequence.npz", **arrays)
    content: dict[str, Any] = {name: getattr(sequence, name) for name in _WORDS}
    content["rate"] = [sequence.rate.numerator, sequence.rate.denominator]
    content["frames"] = len(sequence)
    write_document(folder / "sequence.json", SEQUENCE, content)


def load_sequence(folder: Path) -> TrackedSequence:
    """Read a sequence that :func:`save_sequence` wrote; shapes and version are checked.

    Raises:
        Problem: missing, damaged, or written by a newer version of the program.
    """
    content = read_document(folder / "sequence.json", SEQUENCE)
    damaged = f"The tracked sequence in {folder} is damaged: remove that folder and import the clip again."
    try:
        with np.load(folder / "sequence.npz", allow_pickle=False) as stored:
            arrays = {name: np.asarray(stored[name]) for name in stored.files}
        for name, value in arrays.items():
            wanted = np.int32 if name == "flags" else np.float32
            if value.dtype != wanted:
                raise ValueError(f"{name} is {value.dtype}")
            if not np.isfinite(value).all():
                raise ValueError(f"{name} is not finite")
        fields_by_name: dict[str, Any] = {name: arrays[name] for name in _ARRAYS}
        fields_by_name |= {name: content[name] for name in _WORDS}
        sequence = TrackedSequence(
            rate=Fraction(*(int(part) for part in content["rate"])),
            motion=HeadMotion(**{name: arrays[f"motion_{name}"] for name in _MOTION}),
            **fields_by_name,
        )
        if len(sequence) != content["frames"]:
            raise ValueError("frame counts differ")
    except FileNotFoundError as error:
        raise Problem(f"The tracked sequence in {folder} is incomplete: import the clip again.") from error
    except (*_DAMAGE, TypeError, ZeroDivisionError) as error:
        raise Problem(damaged) from error
    return sequence


def save_scores(folder: Path, names: tuple[str, ...], scores: npt.NDArray[np.float32]) -> None:
    """Write a tracker's blendshape scores ``[T, N]`` 0..1 beside the sequence, where it gives any."""
    np.savez(folder / "scores.npz", names=np.array(names), scores=scores.astype(np.float32))


def load_scores(folder: Path) -> tuple[tuple[str, ...], npt.NDArray[np.float32]] | None:
    """Names and ``[T, N]`` scores, or None where the tracker gave none.

    Raises:
        Problem: the file is damaged.
    """
    path = folder / "scores.npz"
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as stored:
            names = tuple(str(name) for name in stored["names"])
            scores = np.asarray(stored["scores"], np.float32)
        if scores.ndim != 2 or scores.shape[1] != len(names):
            raise ValueError("shapes differ")
    except _DAMAGE as error:
        raise Problem(f"The file {path} is damaged: remove its folder and import the clip again.") from error
    return names, scores


class MaskWriter:
    """Writes person masks one after the other into ``masks.zip``; memory does not grow with the clip."""

    def __init__(self, folder: Path) -> None:
        """Open ``folder / "masks.zip"`` for writing, replacing it."""
        self._zip = zipfile.ZipFile(folder / "masks.zip", "w", zipfile.ZIP_STORED)
        self._count = 0

    def __enter__(self) -> MaskWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._zip.close()

    def __len__(self) -> int:
        return self._count

    def write(self, mask: Mask) -> None:
        """Append the mask of the next frame: ``[256, 256]`` uint8, 255 inside the person."""
        if mask.shape != (MASK_SIZE, MASK_SIZE) or mask.dtype != np.uint8:
            raise ValueError(f"a mask is {mask.shape} {mask.dtype}, expected {MASK_SIZE} square uint8")
        done, data = cv2.imencode(".png", mask, [cv2.IMWRITE_PNG_COMPRESSION, 1])
        if not done:
            raise ValueError("the mask could not be encoded")
        self._zip.writestr(f"{self._count:06d}.png", data.tobytes())
        self._count += 1


class MaskReader:
    """Reads person masks of a sequence by frame number. Not thread-safe."""

    def __init__(self, folder: Path) -> None:
        """Open the masks of a sequence folder. Raises Problem when they are missing or damaged."""
        self._path = folder / "masks.zip"
        try:
            self._zip = zipfile.ZipFile(self._path)
        except FileNotFoundError as error:
            raise Problem(f"The masks {self._path} are missing: import the clip again.") from error
        except zipfile.BadZipFile as error:
            raise self._damaged() from error

    def __enter__(self) -> MaskReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._zip.namelist())

    def read(self, frame: int) -> Mask:
        """The mask of one frame: ``[256, 256]`` uint8, 255 inside the person, in its mask box.

        Raises:
            IndexError: no such frame.
            Problem: the file is damaged.
        """
        if not 0 <= frame < len(self):
            raise IndexError(f"mask {frame} of {len(self)}")
        try:
            data = np.frombuffer(self._zip.read(f"{frame:06d}.png"), np.uint8)
        except (KeyError, zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise self._damaged() from error
        mask = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
        if mask is None or mask.shape != (MASK_SIZE, MASK_SIZE):
            raise self._damaged()
        return np.asarray(mask, np.uint8)

    def close(self) -> None:
        """Close the file."""
        self._zip.close()

    def _damaged(self) -> Problem:
        return Problem(f"The masks {self._path} are damaged: remove their folder and import the clip again.")
