"""What opens and closes the lips, told apart from everything else that a face expresses.

Somebody who talks while they are made to look happy must still be talking: what their lips do to each other,
how far they are apart at every moment, is speech. It depends on the jaw, and through the model's linear basis
on the expression coefficients.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from studio.domain.camera import Floats
from studio.head.model import HeadModel
from studio.head.topology import INNER_LOWER_LIP, INNER_UPPER_LIP, MOUTH_CORNERS

EXACT = 1e-9
"""Share of the largest singular value below which directions of the lips' gap are none of their own."""
MIDDLE = len(INNER_UPPER_LIP) // 2
"""Place of the middle among those."""
CORNERS = 20.0
"""How much a corner of the mouth counts, in other points of the face."""
LIKELY = 4.0
"""Square millimetres, over all points, that one usual deviation of a coefficient counts as."""


@lru_cache(maxsize=4)
def lip_gap(model: HeadModel) -> Floats:
    """``[10, 50]`` metres by which each expression coefficient parts the inner edges of the lips: upwards at
    nine places from one corner to the other, then forwards in the middle, because a jaw that drops turns what
    is forwards into what is apart. The model must have MediaPipe's points as its vertices."""
    basis = model.expression_basis
    parted = basis[:, INNER_UPPER_LIP] - basis[:, INNER_LOWER_LIP]
    return np.asarray(np.concatenate([parted[:, :, 1], parted[:, MIDDLE : MIDDLE + 1, 2]], 1).T, np.float32)


@lru_cache(maxsize=4)
def lip_motion(model: HeadModel) -> Floats:
    """``[50, 50]`` the part of an expression that opens and closes the lips: ``lip_motion @ expression``.

    Of all expressions with the same gap everywhere it is the one that moves the rest of the face least,
    corners of the mouth first of all, and needs no unlikely coefficients for it. What is left,
    ``expression - lip_motion @ expression``, leaves the gap alone and keeps smiles and brows.
    """
    gap = 1e3 * lip_gap(model).astype(np.float64)
    basis = 1e3 * model.expression_basis.astype(np.float64)
    weight = np.ones(basis.shape[1])
    weight[[*INNER_UPPER_LIP, *INNER_LOWER_LIP]] = 0.0
    weight[list(MOUTH_CORNERS)] = CORNERS
    rest = (basis * np.sqrt(weight)[:, None]).reshape(len(basis), -1)
    cost = rest @ rest.T + LIKELY * np.diag(1.0 / model.expression_deviation.astype(np.float64) ** 2)
    freely = np.linalg.solve(cost, gap.T)
    inverse = freely @ np.linalg.pinv(gap @ freely, rcond=EXACT)
    return np.asarray(inverse @ gap, np.float32)
