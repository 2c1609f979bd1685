"""What a face expresses in 57 numbers of about one in size, there and back. Loads no torch."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from studio.domain.camera import Floats
from studio.domain.motion import HeadMotion
from studio.head.mirrored import mirror_of
from studio.head.model import HeadModel

EXPRESSIONS, JAW, EYELIDS, GAZE = 50, 3, 2, 2
EXPRESSION = EXPRESSIONS + JAW + EYELIDS + GAZE
"""How many there are; the 3DMM of the papers has 64."""
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


def mirrored_expression(numbers: Floats, model: HeadModel) -> Floats:
    """Numbers ``[..., 57]`` of the same face in a mirror.

    The mirror image of an expression is an expression again, because the head model was learned from faces
    and their mirror images; which one is found by least squares over the basis.
    """
    out = numbers.copy()
    out[..., :EXPRESSIONS] = numbers[..., :EXPRESSIONS] @ _mirror(model)
    # Axis and angle in a mirror: turns about the axis that points at the mirror stay, the others change sign.
    out[..., EXPRESSIONS + 1 : EXPRESSIONS + JAW] *= -1.0
    lids = EXPRESSIONS + JAW
    out[..., lids : lids + 2] = out[..., lids : lids + 2][..., ::-1]
    out[..., lids + 2] *= -1.0  # gaze yaw
    return np.asarray(out, np.float32)


@cache
def _mirror(model: HeadModel) -> Floats:
    """``[50, 50]`` expression numbers to mirrored ones."""
    return mirror_of(model.expression_basis * model.expression_deviation[:, None, None])
