"""A PivotSet on disk: ``pivots.npz`` (arrays) and ``pivots.json`` (words); and what a person wishes of them,
in the clip's folder."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from studio.domain.pivots import PivotSet, PivotWishes
from studio.domain.problem import Problem
from studio.project.documents import DocumentKind, read_document, write_document

PIVOTS = DocumentKind("pivot set")
"""The document ``pivots.json``."""
WISHES = DocumentKind("pivot wishes")
"""The document ``pivot_wishes.json``."""

_ARRAYS = ("frames", "members", "distance", "mean", "deviation")


def save_pivots(folder: Path, pivots: PivotSet) -> None:
    """Write into an existing folder, which the caller puts in place when it is whole."""
    arrays = {name: getattr(pivots, name) for name in _ARRAYS}
    with (folder / "pivots.npz").open("wb") as file:
        np.savez(file, **arrays)
    content = {
        "reasons": list(pivots.reasons),
        "features": list(pivots.features),
        "learnt_from": [int(frame) for frame in pivots.learnt_from],
    }
    write_document(folder / "pivots.json", PIVOTS, content)


def load_pivots(folder: Path) -> PivotSet:
    """Read what :func:`save_pivots` wrote. Raises Problem when it is missing or damaged."""
    content = read_document(folder / "pivots.json", PIVOTS)
    try:
        with np.load(folder / "pivots.npz", allow_pickle=False) as stored:
            arrays = {name: np.asarray(stored[name]) for name in _ARRAYS}
        first, end = (int(frame) for frame in content["learnt_from"])
        pivots = PivotSet(
            reasons=tuple(str(reason) for reason in content["reasons"]),
            features=tuple(str(feature) for feature in content["features"]),
            learnt_from=(first, end),
            **arrays,
        )
        if {len(pivots.frames)} != {len(pivots.members), len(pivots.distance), len(pivots.reasons)}:
            raise ValueError("counts differ")
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise Problem(f"The pivots in {folder} are damaged: remove that folder and build again.") from error
    return pivots


def save_wishes(clip: Path, wishes: PivotWishes) -> None:
    """Keep wishes with a clip. Raises Problem when the disk says no."""
    content = {"locked": list(wishes.locked), "forbidden": list(wishes.forbidden)}
    write_document(clip / "pivot_wishes.json", WISHES, content)


def load_wishes(clip: Path) -> PivotWishes:
    """Wishes kept with a clip; none when there are none or they cannot be read, because a choice of frames is
    soon made again."""
    try:
        content = read_document(clip / "pivot_wishes.json", WISHES)
        locked, forbidden = (
            tuple(sorted({int(frame) for frame in content[name]})) for name in ("locked", "forbidden")
        )
    except (Problem, KeyError, TypeError, ValueError):
        return PivotWishes()
    return PivotWishes(locked, forbidden)
