"""Sheets with a column for each kind of picture and a row for each example."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from torch import Tensor
from torch.nn import functional

from pipelines.sheet_file import text_line

NEAR, FAR = -0.12, 0.08
"""Depths, metres behind the head's plane, that are shown white and black."""
Pictures = npt.NDArray[np.uint8]


def columns_sheet(columns: Mapping[str, Pictures]) -> Pictures:
    """Columns ``[B, S, S, 3]`` by their headings, side by side."""
    side = next(iter(columns.values())).shape[2]
    heading = np.concatenate([text_line(name, side) for name in columns], 1)
    rows = [np.concatenate(row, 1) for row in zip(*columns.values())]
    return np.concatenate([heading, *rows])


def colours(values: Tensor, side: int) -> Pictures:
    """``[B, 3 or more, s, s]`` in -1..1 to ``[B, side, side, 3]``."""
    sized = functional.interpolate(values[:, :3].float(), (side, side), mode="bilinear", align_corners=False)
    levels = (sized.clamp(-1.0, 1.0) * 127.5 + 127.5).round().byte()
    return np.asarray(levels.permute(0, 2, 3, 1).cpu().numpy())


def greys(values: Tensor, side: int) -> Pictures:
    """``[B, 1, s, s]`` in 0..1, 1 being white."""
    return colours(2.0 * values.expand(-1, 3, -1, -1) - 1.0, side)


def depths(depth: Tensor, alpha: Tensor, side: int) -> Pictures:
    """Depths ``[B, 1, s, s]`` in metres behind the head's plane, near ones white, where something is seen."""
    return greys((FAR - depth) / (FAR - NEAR) * alpha, side)
