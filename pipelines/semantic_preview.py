"""What a semantic network can do now, as a sheet: what it is given, what it draws, and what of."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from pipelines.semantic_batches import PairBatch
from pipelines.sheet_file import text_line
from studio.engines.semantic.network import SemanticOutput

FARTHEST = 0.4
"""Flow, in half sides of the picture, that is shown in full colour."""


def preview_sheet(pairs: PairBatch, out: SemanticOutput) -> npt.NDArray[np.uint8]:
    """A row a pair: source, driving frame, what is drawn, the warped source, its flow, what it lacks."""
    side = out.picture.shape[2:]
    flow = out.flow[:, :2].mean(2) if out.picture_flow is None else out.picture_flow
    lacking = 1.0 - out.occlusion if out.share is None else out.share
    columns = {
        "source": _picture(pairs.source),
        "driving": _picture(pairs.driving),
        "drawn": _picture(out.picture),
        **({} if out.warped is None else {"source, warped": _picture(out.warped)}),
        "flow": _coloured(_sized(flow, side)),
        "not in the source" if out.share is None else "painted over": _grey(_sized(lacking, side)),
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


def _coloured(flow: Tensor) -> npt.NDArray[np.uint8]:
    """Direction as hue, length as saturation: what stays is white."""
    angle = torch.atan2(flow[:, 1], flow[:, 0])
    length = (flow.square().sum(1).sqrt() / FARTHEST).clamp(0.0, 1.0)
    hues = [0.5 + 0.5 * torch.cos(angle - third * 2.0 * torch.pi / 3.0) for third in range(3)]
    return _picture(torch.stack([2.0 * (1.0 - length * (1.0 - hue)) - 1.0 for hue in hues], 1))


def _sized(values: Tensor, side: torch.Size) -> Tensor:
    return functional.interpolate(values.float(), side, mode="bilinear", align_corners=False)
