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

SIZE = 192
"""Pixels of a map's side: 2 mm each. An open eye is a centimetre high; with 6 mm eyes closed by half."""


def canonical_motion(shape: NofaSettings) -> HeadMotion:
    """The canonical expression, one frame: neutral, but for the jaw."""
    still = HeadMotion.neutral(1, np.ones(3, np.float32))
    return replace(still, jaw=np.array([[shape.canonical_jaw, 0.0, 0.0]], np.float32))


class MotionMaps:
    """One person's maps. Safe to use from one thread at a time."""

    def __init__(self, model: HeadModel, neutral: Floats, shape: NofaSettings) -> None:
        """
        Args:
            model: what moves faces.
            neutral: ``[V, 3]`` the source person's neutral face, metres.
            shape: of the network.
        """
        self._model, self._neutral = model, neutral
        half = 0.5 * UNIT
        middle = np.array([0.0, -shape.lowered], np.float32)
        self._grid = FrontalGrid(middle - half, middle + half, SIZE)
        self._canonical = canonical_motion(shape)
        self.face = model.deform(neutral, self._canonical)[0]
        """``[V, 3]`` with the canonical expression, metres."""
        self._back = self._maps(self.face)

    def to_canonical(self, motion: HeadMotion) -> Floats:
        """From places of T expressing faces, of any pose, to the same places of the canonical one.

        Returns:
            ``[T, 3, 192, 192]`` in the volume's units, laid over the front of the planes' cube, row 0 at its
            top: 0, to rounding, everywhere where the expression is the canonical one.
        """
        return np.asarray(self._back.maps(motion).displacement / UNIT, np.float32)

    def from_canonical(self, motion: HeadMotion) -> Floats:
        """From places of the canonical face to the same places of T expressing ones; as above."""
        faces = self._model.deform(self._neutral, motion)
        found = [self._maps(face).maps(self._canonical).displacement[0] for face in faces]
        return np.asarray(np.stack(found) / UNIT, np.float32)

    def _maps(self, wanted: Floats) -> ZeroPose:
        return ZeroPose(self._model, self._neutral, np.zeros_like(self._neutral), SIZE, wanted, self._grid)
