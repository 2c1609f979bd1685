"""What NOFA can do now, as a sheet: what it is given, what it draws, and what of."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from torch import Tensor

from pipelines.nofa_batches import NofaPairs
from pipelines.picture_columns import colours, columns_sheet, depths, greys
from studio.engines.nofa.network import Drawn


def preview_sheet(pairs: NofaPairs, drawn: Drawn, canonical: Drawn) -> npt.NDArray[np.uint8]:
    """A row a pair: source, driving frame, what is drawn, what rays draw, the canonical volume from the same
    camera, depth, and how much is the source's own colour."""
    side = drawn.picture.shape[-1]
    columns = {
        "source": colours(pairs.source.picture, side),
        "driving": colours(pairs.driving, side),
        "drawn": colours(drawn.picture, side),
        "rays": colours(drawn.raw, side),
        "canonical": colours(canonical.picture, side),
        "depth": depths(drawn.depth, drawn.alpha, side),
        **({} if drawn.taken is None else {"from the source": greys(drawn.taken, side)}),
    }
    return columns_sheet(columns)


def prior_sheet(real: Tensor, drawn: Drawn) -> npt.NDArray[np.uint8]:
    """A row a person: a real one ``[B, 3, S, S]`` -1..1, an invented one seen by the same camera, depth."""
    side = drawn.picture.shape[-1]
    return columns_sheet(
        {
            "real": colours(real, side),
            "invented": colours(drawn.picture, side),
            "rays": colours(drawn.raw, side),
            "depth": depths(drawn.depth, drawn.alpha, side),
        }
    )
