"""Rows of W+ by what they shape: coarse ones the pose and the face's form, fine ones its colours."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from studio.domain.edits import LatentShift
from studio.domain.problem import Problem

RowGroup = Literal["all", "coarse", "medium", "fine"]
"""StyleCLIP's division of the rows (Patashnik et al. 2021)."""
_BEGINS = {"coarse": 0, "medium": 4, "fine": 8}
_ENDS = {"coarse": 4, "medium": 8}


def rows_of(group: RowGroup, num_ws: int) -> range:
    """Rows of a group: coarse 0–3, medium 4–7, fine from 8 on.

    Raises:
        Problem: a small generator has none of them.
    """
    if group == "all":
        return range(num_ws)
    found = range(_BEGINS[group], min(_ENDS.get(group, num_ws), num_ws))
    if len(found) == 0:
        raise Problem(
            f"This avatar's generator has {num_ws} rows and none of them is {group}: choose other rows."
        )
    return found


def shift_of(values: npt.NDArray[np.floating], rows: range, num_ws: int) -> LatentShift:
    """A shift of some rows; others rest.

    Args:
        values: ``[w_dim]`` or ``[1, w_dim]`` for all of the rows alike, or ``[len(rows), w_dim]``.
        rows: which rows move.
        num_ws: rows of the generator.
    """
    values = np.atleast_2d(np.asarray(values, np.float32))
    if len(values) == 1 and len(rows) == num_ws:
        return LatentShift(values)
    whole = np.zeros((num_ws, values.shape[1]), np.float32)
    whole[rows.start : rows.stop] = values
    return LatentShift(whole)
