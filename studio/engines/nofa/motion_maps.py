"""What the head model says of an expression, for a field that begins with it (``motion_prior``)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from studio.domain.camera import Floats
from studio.domain.motion import HeadMotion
from studio.engines.nofa.settings import NofaSettings
from studio.head.model import HeadModel
from studio.head.zero_pose import FrontalGrid, ZeroPose
from studio.networks.volume.camera_numbers import UNIT

SIZE = 64
"""Pixels of a map's side."""


def motion_maps(model: HeadModel, neutral: Floats, motion: HeadMotion, shape: NofaSettings) -> Floats:
    """From places of T expressing faces to the same places of the canonical one.

    Args:
        model: what moves faces.
        neutral: ``[V, 3]`` the source person's neutral face, metres.
        motion: T target frames; their pose and camera do not matter.
        shape: of the network.

    Returns:
        ``[T, 3, 64, 64]`` in the volume's units, laid over the front of the planes' cube, row 0 at its top:
        0, to rounding, everywhere where the expression is the canonical one.
    """
    half = 0.5 * UNIT
    middle = np.array([0.0, -shape.lowered], np.float32)
    grid = FrontalGrid(middle - half, middle + half, SIZE)
    still = HeadMotion.neutral(1, np.ones(3, np.float32))
    opened = replace(still, jaw=np.array([[shape.canonical_jaw, 0.0, 0.0]], np.float32))
    canonical = model.deform(neutral, opened)[0]
    drawn = ZeroPose(model, neutral, np.zeros_like(neutral), SIZE, canonical, grid)
    return np.asarray(drawn.maps(motion).displacement / UNIT, np.float32)
