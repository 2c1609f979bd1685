"""Shifts of what a face expresses, put onto its motion frame by frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from studio.domain.camera import Floats
from studio.domain.edits import ExpressionShift
from studio.domain.motion import EXPRESSIONS, HeadMotion
from studio.head.lips import lip_motion
from studio.head.model import HeadModel


def expressing(
    model: HeadModel, motion: HeadMotion, shifts: tuple[ExpressionShift, ...], strengths: Floats
) -> HeadMotion:
    """A motion with shifts of the expression.

    Own expression is calmed first, by the strongest wish for it; then everything is added. Neither moves the
    lips apart or together as long as the shifts themselves do not.

    Args:
        model: the head that the motion is of.
        motion: T frames.
        shifts: what is added, of the same head model.
        strengths: ``[E]`` how much of each.
    """
    if not np.any(strengths):
        return motion
    calm = min(1.0, max(shift.calm * max(float(s), 0.0) for shift, s in zip(shifts, strengths)))
    own = motion.expression
    free = own - own @ lip_motion(model).T
    added = np.sum([float(s) * shift.direction for shift, s in zip(shifts, strengths)], axis=0)
    open_share = 1.0 - np.clip(motion.eyelids, 0.0, 1.0)
    return replace(
        motion,
        expression=np.asarray(own - calm * free + added[:EXPRESSIONS], np.float32),
        jaw=np.asarray(motion.jaw + added[EXPRESSIONS : EXPRESSIONS + 3], np.float32),
        eyelids=np.asarray(motion.eyelids + open_share * added[EXPRESSIONS + 3 :], np.float32),
    )
