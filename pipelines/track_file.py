"""A control track in a file: ``.npz`` with names, values and the exact rate."""

from __future__ import annotations

import zipfile
import zlib
from fractions import Fraction
from pathlib import Path

import numpy as np

from studio.domain.controls import ControlTrack
from studio.domain.problem import Problem
from studio.project.atomic import explaining_disk

_DAMAGE = (OSError, EOFError, KeyError, ValueError, ZeroDivisionError, zipfile.BadZipFile, zlib.error)


def save_track(file: Path, track: ControlTrack) -> None:
    """Write a track. Raises Problem when the disk says no."""
    with explaining_disk(file):
        np.savez_compressed(
            file,
            names=np.array(track.names),
            values=np.asarray(track.values, np.float32),
            rate=np.array([track.rate.numerator, track.rate.denominator], np.int64),
        )


def load_track(file: Path) -> ControlTrack:
    """Read a track. Raises Problem when it is missing or damaged."""
    try:
        with np.load(file, allow_pickle=False) as parts:
            names = tuple(str(name) for name in parts["names"])
            values = np.asarray(parts["values"], np.float32)
            over, under = (int(number) for number in parts["rate"])
        if values.ndim != 2 or values.shape[1] != len(names):
            raise ValueError(f"{values.shape} values for {len(names)} names")
        return ControlTrack(names, values, Fraction(over, under))
    except _DAMAGE as error:
        raise Problem(f"The motion file {file} is missing or damaged: export again.") from error
