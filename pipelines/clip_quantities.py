"""What an avatar is asked for and judged by: head angles, jaw, and the clip's own directions of expression.

*Expression directions* are principal components of a clip's 50 expression coefficients, taken

* after what goes along with the head's yaw and pitch (a quadratic) has been taken away: trackers read a
  turned face as a changed one, and without that the strongest "expression" of a clip is often its yaw;
* by what moves visibly, in millimetres of root-mean-square landmark displacement: in standard deviations of
  the basis, components that hardly move a point would count as much as those that open a smile.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats
from studio.domain.controls import HEAD_NAMES
from studio.domain.motion import EXPRESSIONS
from studio.head import HeadModel

Doubles = npt.NDArray[np.float64]

HEAD, FACE = "head", "face"
"""Groups of quantities."""
_CONTROLS = (("yaw", HEAD), ("pitch", HEAD), ("jaw_open", FACE))
"""Controls that are quantities by themselves, and which group they are of."""
EXPRESSION_COLUMNS = slice(HEAD_NAMES.index("expression_00"), HEAD_NAMES.index("expression_00") + EXPRESSIONS)
"""Where a control track has the expression coefficients."""
LEAST_SHOWN = {"°": 1.0, "mm": 0.1}
"""Ranges below which a clip shows nothing of a quantity, so that shares of it would be shares of noise."""


@dataclass(frozen=True, eq=False)
class Quantities:
    """What is asked of an avatar and read back: some controls, and the expression along the clip's own
    directions. Q quantities, the last D of which are directions."""

    names: tuple[str, ...]
    """``yaw``, ``pitch``, ``jaw_open``, ``expression direction 1``…"""
    groups: tuple[str, ...]
    """``head`` or ``face``, of each."""
    units: tuple[str, ...]
    """``°`` or ``mm``, of each."""
    columns: tuple[int, ...]
    """Places of the controls that are quantities by themselves; directions follow them."""
    mean: Doubles
    """``[50]`` expression that directions start from."""
    along: Doubles
    """``[50, D]`` projects coefficients on the directions, mm."""
    steps: Doubles
    """``[D, 50]`` coefficients that move one millimetre along each direction."""

    def of(self, values: npt.NDArray[np.floating]) -> Doubles:
        """Controls ``[T, 63]`` to quantities ``[T, Q]``."""
        wide = np.asarray(values, np.float64)
        return np.concatenate(
            [wide[:, list(self.columns)], (wide[:, EXPRESSION_COLUMNS] - self.mean) @ self.along], axis=1
        )

    def swept(self, base: Doubles, quantity: int, asked: Doubles) -> Floats:
        """Controls ``[N, 63]``: those of ``base`` with one quantity at the N asked values."""
        values = np.tile(base, (len(asked), 1))
        direction = quantity - len(self.columns)
        if direction < 0:
            values[:, self.columns[quantity]] = asked
        else:
            here = self.of(base[None])[0, quantity]
            values[:, EXPRESSION_COLUMNS] += (asked - here)[:, None] * self.steps[direction]
        return values.astype(np.float32)


def quantities_of(clip: Floats, model: HeadModel, directions: int) -> Quantities:
    """The quantities of a clip.

    Args:
        clip: ``[T, 63]`` controls of its good frames.
        model: the head model that they drive.
        directions: D.
    """
    expression = clip[:, EXPRESSION_COLUMNS].astype(np.float64)
    basis = model.pick_landmarks(model.expression_basis).astype(np.float64).reshape(EXPRESSIONS, -1) * 1000.0
    points = basis.shape[1] / 3
    # Coefficients c move the landmarks by c' G c square millimetres in the mean; with G = C C' the components
    # of c' C are those of the visible movement.
    factor = np.linalg.cholesky(basis @ basis.T / points + 1e-9 * np.eye(EXPRESSIONS))
    turn = turn_features(clip, clip)
    own = expression - turn @ np.linalg.lstsq(turn, expression, rcond=None)[0]
    _, _, components = np.linalg.svd(own @ factor, full_matrices=False)
    along = factor @ components[:directions].T
    steps = np.linalg.solve(factor.T, components[:directions].T).T
    # A component's sign is arbitrary: let its strongest coefficient be positive.
    sign = np.sign(steps[np.arange(len(steps)), np.abs(steps).argmax(1)])
    numbered = tuple(f"expression direction {k + 1}" for k in range(len(steps)))
    return Quantities(
        names=(*(name for name, _ in _CONTROLS), *numbered),
        groups=(*(group for _, group in _CONTROLS), *(FACE for _ in numbered)),
        units=(*("°" for _ in _CONTROLS), *("mm" for _ in numbered)),
        columns=tuple(HEAD_NAMES.index(name) for name, _ in _CONTROLS),
        mean=expression.mean(0),
        along=along * sign,
        steps=steps * sign[:, None],
    )


def turn_features(values: npt.NDArray[np.floating], clip: npt.NDArray[np.floating]) -> Doubles:
    """``[T, 6]`` quadratic in yaw and pitch, relative to the clip's mean."""
    yaw, pitch = (values[:, :2].astype(np.float64) - clip[:, :2].mean(0)).T
    return np.stack([np.ones_like(yaw), yaw, pitch, yaw**2, pitch**2, yaw * pitch], 1)
