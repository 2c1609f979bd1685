"""What a face expresses in the 57 numbers that Export3D is told, there and back. Loads no torch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from studio.domain.camera import Floats
from studio.domain.motion import HeadMotion
from studio.engines.export3d.settings import EXPRESSION, EXPRESSIONS, EYELIDS, JAW
from studio.head import HeadModel

LIDS, GAZED = 0.5, 15.0
"""A lid's and a gaze's usual size: share closed, degrees."""


def expression_numbers(motion: HeadMotion, model: HeadModel) -> Floats:
    """``[T, 57]``, about one in size: 50 expression coefficients over ``model.expression_deviation``, the
    jaw's three angles over ``model.motion_deviation``, two eyelids and two gaze angles over their usual
    size. Head pose is not among them."""
    parts = [
        motion.expression / model.expression_deviation,
        motion.jaw / model.motion_deviation[:JAW],
        motion.eyelids / LIDS,
        motion.gaze / GAZED,
    ]
    return np.concatenate(parts, 1).astype(np.float32)


def with_numbers(motion: HeadMotion, numbers: Floats, model: HeadModel) -> HeadMotion:
    """The motion with what ``[T, 57]`` say in place of its own expression, jaw, lids and gaze; head pose and
    camera stay. Undoes :func:`expression_numbers`."""
    if numbers.shape != (len(motion), EXPRESSION):
        raise ValueError(f"numbers are {numbers.shape}, expected [{len(motion)}, {EXPRESSION}]")
    ends = np.cumsum([EXPRESSIONS, JAW, EYELIDS])
    expression, jaw, lids, gaze = np.split(np.asarray(numbers, np.float32), ends, axis=1)
    return replace(
        motion,
        expression=np.asarray(expression * model.expression_deviation, np.float32),
        jaw=np.asarray(jaw * model.motion_deviation[:JAW], np.float32),
        eyelids=lids * np.float32(LIDS),
        gaze=gaze * np.float32(GAZED),
    )
