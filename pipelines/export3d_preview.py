"""What Export3D can do now, as a sheet: what it is given, what it draws, and what of."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from pipelines.export3d_batches import VolumePairs
from pipelines.sheet_file import text_line
from studio.engines.export3d.network import Drawn

NEAR, FAR = -0.12, 0.08
"""Depths, metres behind the head's plane, that are shown white and black."""


def preview_sheet(pairs: VolumePairs, drawn: Drawn) -> npt.NDArray[np.uint8]:
    """A row a pair: source, driving frame, what is drawn, what rays draw, their depth, and how much of it is
    the source's own colour."""
    side = drawn.picture.shape[2:]
    height = (FAR - drawn.depth) / (FAR - NEAR) * drawn.alpha
    columns = {
        "source": _picture(pairs.source),
        "driving": _picture(pairs.driving),
        "drawn": _picture(drawn.picture),
        "rays": _picture(_sized(drawn.raw, side)),
        "depth": _grey(_sized(height, side)),
        **({} if drawn.taken is None else {"from the source": _grey(_sized(drawn.taken, side))}),
    }
    heading = np.concatenate([text_line(name, side[1]) for name in columns], 1)
    rows = [np.concatenate(row, 1) for row in zip(*columns.values())]
    return np.concatenate([heading, *rows])


def _picture(values: Tensor) -> npt.NDArray[np.uint8]:
    """``[B, 3, S, S]`` in -1..1 to ``[B, S, S, 3]``."""
    levels = (values[:, :3].float().clamp(-1.0, 1.0) * 127.5 + 127.5).round().byte()
    return np.asarray(levels.permute(0, 2, 3, 1).cpu().numpy())


def _grey(values: Tensor) -> npt.NDArray[np.uint8]:
    return _picture(2.0 * values.expand(-1, 3, -1, -1) - 1.0)


def _sized(values: Tensor, side: torch.Size) -> Tensor:
    return functional.interpolate(values.float(), side, mode="bilinear", align_corners=False)
