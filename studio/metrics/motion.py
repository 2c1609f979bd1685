"""Head model measures: how far expression and pose of the rendering lie from the real frame's.

Both sides are head parameters fitted anew to landmarks of the picture, with the person's own fixed identity,
so that what is compared is what a viewer sees, not what was asked of the engine.
"""

from __future__ import annotations

import numpy as np

from studio.domain.motion import HeadMotion
from studio.metrics.metric import Observed, Values

CAMERA_DISTANCE = 10.0
"""Decimetres from the camera at which the real head is taken to be, Deep3DFaceRecon's convention."""


def aed(real: Observed, rendered: Observed) -> Values:
    """Average expression distance: mean L1 over the 50 expression coefficients.

    Standard deviations of this project's head model, lower is better. NOFA's and Export3D's definition, which
    take 64 coefficients of another model: figures compare within one head model only.
    """
    a, b = _motions(real, rendered)
    return np.asarray(np.abs(a.expression - b.expression).mean(-1), np.float64)


def apd(real: Observed, rendered: Observed) -> Values:
    """Average pose distance: mean L1 over three angles in radians and three translations in decimetres.

    Lower is better. The shape of NOFA's and Export3D's definition in Deep3DFaceRecon's units: sideways and
    upward shift are the head origin's distance in the picture over the real camera's scale; the third is the
    distance of a head that appears as large as this one, ``10 · scale_real / scale``, from 10.
    """
    a, b = _motions(real, rendered)
    angles = np.deg2rad(_turn(a, b))
    shift = 10.0 * np.abs(b.camera[:, 1:] - a.camera[:, 1:]) / a.camera[:, :1]
    depth = CAMERA_DISTANCE * np.abs(a.camera[:, :1] / b.camera[:, :1] - 1.0)
    return np.asarray(np.concatenate([angles, shift, depth], 1).mean(-1), np.float64)


def pose_degrees(real: Observed, rendered: Observed) -> Values:
    """The angular half of APD: mean L1 over yaw, pitch and roll. Degrees, lower is better."""
    a, b = _motions(real, rendered)
    return np.asarray(_turn(a, b).mean(-1), np.float64)


def _turn(a: HeadMotion, b: HeadMotion) -> np.ndarray:
    """``[T, 3]`` absolute angle differences, the short way round, in degrees."""
    return np.abs((b.angles - a.angles + 180.0) % 360.0 - 180.0)


def _motions(real: Observed, rendered: Observed) -> tuple[HeadMotion, HeadMotion]:
    if real.motion is None or rendered.motion is None:
        raise ValueError("this metric looks at head parameters, and a side has none")
    return real.motion, rendered.motion
